"""Streaming gives what json gives, whatever the pieces, and says where a file is damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from workbench.datasets import json_stream
from workbench.datasets.json_stream import read_part, stream_object, stream_records
from workbench.errors import BadInput, MissingInput

CONTENT: dict[str, Any] = {
    "info": {"year": 2017, "a": [1, [2, {"b": None}]]},
    "numbers": [1, -2.5, 1e30, 10**30, 123456],
    "empty": [],
    "images": [{"id": 1, "name": 'x"\\y/ü漢\ud800', "ok": True}, {"id": 2, "f": False}],
    "last": "ends with a text \u2028",
    "n": 12345,
}


def rebuilt(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in stream_object(path, "get it"):
        if part.index is None:
            found[part.key] = part.value
        else:
            assert part.index == len(found[part.key])
            found[part.key].append(part.value)
            with path.open("rb") as stream:
                again = read_part(stream, part.start, part.end, path, part.key)
            assert again == part.value
    return found


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 16, 61, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_any_piece_size(
    chunk: int, indent: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CONTENT, indent=indent), encoding="utf-8")
    assert rebuilt(path) == CONTENT
    plain = {**CONTENT, "images": [{"name": "ü漢字"}], "ключ": [1]}
    for mark in ("", "\ufeff"):
        path.write_text(mark + json.dumps(plain, ensure_ascii=False) + " \n", encoding="utf-8")
        assert rebuilt(path) == plain


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
def test_a_list(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    path = tmp_path / "a.json"
    for content in ([], [1.25e-3, 2.5, "x", {"a": [1]}, [], 10.75]):
        path.write_text(json.dumps(content))
        opening, *rest = stream_records(path, "get it")
        assert (opening.key, opening.index, opening.value) == (None, None, [])
        assert [part.value for part in rest] == content
        assert [part.index for part in rest] == list(range(len(content)))
    path.write_text(json.dumps(CONTENT))
    assert list(stream_records(path, "get it")) == list(stream_object(path, "get it"))


@pytest.mark.parametrize("chunk", [5, 1 << 20])
def test_every_cut_is_an_error(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    text, path = json.dumps(CONTENT).encode(), tmp_path / "a.json"
    for end in range(0, len(text), 3):
        path.write_bytes(text[:end])
        with pytest.raises(BadInput, match=r"a\.json"):
            rebuilt(path)


def test_noise_is_read_as_json_reads_it_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", 11)
    rng, text, path = random.Random(0), json.dumps(CONTENT), tmp_path / "a.json"
    for _ in range(400):
        at = rng.randrange(len(text))
        damaged = text[:at] + rng.choice('{}[]",:0e-\\x\x00é ') + text[at + rng.randrange(2) :]
        path.write_text(damaged, encoding="utf-8")
        try:
            expected = json.loads(damaged)
        except ValueError:
            with pytest.raises(BadInput):
                rebuilt(path)
        else:
            try:
                assert rebuilt(path) == expected
            except BadInput as error:
                assert "twice" in str(error), damaged


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "JSON: empty"),
        ("[]", "top level: list, not an object"),
        ("3", "top level: int"),
        ('{"a": [1], "a": [2]}', "a: occurs twice"),
        ('{"a": [1,]}', "JSON: "),
        ('{"a": 1} x', "Extra data"),
        ('{"a": ' + "[" * 200_000, "JSON: "),
    ],
)
def test_what_is_no_object(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        rebuilt(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(MissingInput, match="get it"):
        rebuilt(tmp_path / "b.json")


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": [{"b": 1}]}')
    part = next(part for part in stream_object(path, "") if part.index == 0)
    path.write_text("{")
    with path.open("rb") as stream, pytest.raises(BadInput, match="has changed"):
        read_part(stream, part.start, part.end, path, "a[0]")
