"""Pickles: plain data as ``pickle`` reads them, everything else refused in one line."""

from __future__ import annotations

import collections
import datetime
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from workbench.datasets import plain_pickle
from workbench.datasets.plain_pickle import read_plain_pickle
from workbench.errors import BadInput, MissingInput


def read(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    return read_plain_pickle(path)


def plain(rng: random.Random, depth: int = 0) -> Any:
    leaves = (
        None, True, False, 0, -1, 255, 256, 65_536, -(2**31), 2**40, -(2**63), 2**63 - 1,
        0.0, -2.5, 1e300, "", "a", "naïve", "日本", "\ud800", "x" * 300, "tab\t\n'\"\\",
    )  # fmt: skip
    kind = rng.randint(0, 5 if depth < 4 else 2)
    if kind <= 2:
        return rng.choice(leaves)
    items = [plain(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 3, 5]))]
    if kind == 3:
        return items
    return tuple(items) if kind == 4 else {f"k{n}": item for n, item in enumerate(items)}


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_as_pickle_reads_them(protocol: int, tmp_path: Path) -> None:
    rng = random.Random(protocol)
    for _ in range(60):
        data = pickle.dumps(plain(rng), protocol)
        assert repr(read(tmp_path / "a.p", data)) == repr(pickle.loads(data))


def test_large_lists_and_dicts_come_in_batches(tmp_path: Path) -> None:
    value = {"list": list(range(3000)), **{str(k): k for k in range(3000)}}
    for protocol in range(6):
        assert read(tmp_path / "a.p", pickle.dumps(value, protocol)) == value


# As Python 2 wrote them: str without encoding (T, U, S), unicode (V), long (L), batches by mark.
PYTHON2 = [
    (b"(lp0\nS'two men'\np1\naV\xe9t\xe9\np2\naI01\naL5L\naF2.5\na.",
     ["two men", "été", True, 5, 2.5]),
    (b"S'caf\\xc3\\xa9'\n.", "café"),
    (b"S'caf\\xe9'\n.", "café"),
    (b"S\"it's\"\n.", "it's"),
    (b"(dp0\nS'sent'\np1\nS'a'\ns.", {"sent": "a"}),
    (b"\x80\x02}q\x00(U\x03rawq\x01U\x05caf\xc3\xa9q\x02U\x04sentq\x03h\x02u.",
     {"raw": "café", "sent": "café"}),
    (b"\x80\x02T\x03\x00\x00\x00a\xe9b.", "aéb"),
    (b"\x80\x02]q\x00(K\x01K\x02e.", [1, 2]),
    (b"(I1\nI2\ntp0\n.", (1, 2)),
    (b"(I1\nI2\nlp0\n.", [1, 2]),
    (b"(S'k'\nI00\nd.", {"k": False}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "value"), PYTHON2)
def test_python_2(data: bytes, value: Any, tmp_path: Path) -> None:
    assert read(tmp_path / "a.p", data) == value


class Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.what = (call, arguments)

    def __reduce__(self) -> Any:
        return self.what


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    for value in (
        Evil(os.system, f"touch {marker}"),
        [{"ref_id": 1, "sentences": Evil(open, str(marker), "w")}],
        Evil(eval, f"open({str(marker)!r}, 'w')"),
        datetime.date(2020, 1, 1),
        collections.OrderedDict(a=1),
        {1, 2},
        os.system,
        Evil,
    ):
        data = pickle.dumps(value, protocol)
        with pytest.raises(BadInput, match="pickle: asks for") as caught:
            read(tmp_path / "refs.p", data)
        assert "\n" not in str(caught.value)
        assert caught.value.where.endswith("refs.p")
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'touch executed'\ntR.",
        b"(ios\nsystem\nS'touch executed'\n.",
        b"(S'touch executed'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x82\x01.", b"\x83\x01\x01.", b"\x84\x01\x00\x00\x00.", b"Pid\n.", b"I1\nQ.", b"}}b.",
        b"(I1\no.", b"\x8f.", b"(\x91.", b"\x96\x00\x00\x00\x00\x00\x00\x00\x00.", b"\x97.",
        b"\xff.",
    ],
)  # fmt: skip
def test_instructions_that_make_objects(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="asks for"):
        read(tmp_path / "a.p", data)


def doubling(levels: int) -> bytes:
    """Return a list that holds one list twice, ``levels`` deep: 2 ** levels items."""
    value: list[Any] = ["lol"]
    for _ in range(levels):
        value = [value, value]
    return pickle.dumps(value, 2)


def looped() -> bytes:
    value: list[Any] = []
    value.append(value)
    return pickle.dumps(value, 2)


BOMBS = [
    (doubling(40), "unfolds"),
    (looped(), "holds itself"),
    (b"(" * 100_000 + b".", "nests over"),
    (b"N" * 2_000_000 + b".", "loose values"),
    (b"\x80\x02\x8b\xff\xff\xff\x7f" + b"1" * 100, "number of"),
    (b"L" + b"9" * 100_000 + b"L\n.", "number of"),
    (b"I" + b"9" * 5000 + b"\n.", "number of"),
    (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "cut off"),
    (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", "cut off"),
    (b"T\xff\xff\xff\x7f.", "cut off"),
    (b"T\xff\xff\xff\xff.", "cut off"),
    (b"((I1\nI2\ntK\x01d.", "neither text nor number"),
]


@pytest.mark.parametrize(("data", "problem"), BOMBS)
def test_bombs_are_bounded(data: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=problem):
        read(tmp_path / "a.p", data)


def test_a_memo_place_costs_one_entry(tmp_path: Path) -> None:
    assert read(tmp_path / "a.p", b"\x80\x02]r\xff\xff\xff\xffj\xff\xff\xff\xff0.") == []


def test_a_container_that_is_shared_is_allowed(tmp_path: Path) -> None:
    shared = ["a", "b"]
    value = [{"tokens": shared, "again": shared} for _ in range(10)]
    assert read(tmp_path / "a.p", pickle.dumps(value, 2)) == value


def test_too_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_BYTES", 10)
    with pytest.raises(BadInput, match="MiB"):
        read(tmp_path / "a.p", pickle.dumps("x" * 20))


def test_many_small_values_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"](" + b"]" * 50 + b"e(" + b"]" * 50 + b"e."
    assert read(tmp_path / "a.p", data) == [[]] * 100
    monkeypatch.setattr(plain_pickle, "MOST_VALUES", 100)
    with pytest.raises(BadInput, match="over 100 values"):
        read(tmp_path / "a.p", data)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        read_plain_pickle(tmp_path / "a.p")


def test_damaged_files_end_in_one_line(tmp_path: Path) -> None:
    rng = random.Random(1)
    sound = [pickle.dumps(plain(rng), protocol) for protocol in range(6) for _ in range(3)]
    outcomes = collections.Counter()
    for data in sound:
        for _ in range(60):
            broken = bytearray(data)
            for _ in range(rng.randint(1, 3)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            cut = bytes(broken[: rng.randint(0, len(broken))])
            for damaged in (bytes(broken), cut):
                try:
                    read(tmp_path / "a.p", damaged)
                    outcomes["read"] += 1
                except BadInput as error:
                    assert "\n" not in str(error)
                    outcomes["refused"] += 1
    assert outcomes["refused"] > 500
