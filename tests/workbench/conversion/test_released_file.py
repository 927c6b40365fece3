"""Released files of every layout are read; nothing in one can run."""

import collections
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.conversion.released_file import read_released
from workbench.engine.checkpoint import save_final
from workbench.errors import BadInput, MissingInput

WEIGHTS = {
    "module.stem.conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "module.stem.conv1.norm.bias": np.array([1.5, -2], dtype=np.float64),
}
LOCATION = Path(__file__).with_name("was_run")


class Runs:
    """Makes a file when it is unpickled without a guard."""

    def __reduce__(self):
        return (Path.touch, (LOCATION,))


def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in WEIGHTS.items()}


def torch_zip(path: Path) -> None:
    # A training's file: an optimizer beside the weights, and NumPy's numbers among its values.
    beside = {"optimizer": {"lr": np.float64(0.1)}, "iteration": 7}
    torch.save({"model": collections.OrderedDict(tensors()), **beside}, path)


def torch_legacy(path: Path) -> None:
    torch.save({"state_dict": tensors()}, path, _use_new_zipfile_serialization=False)


def arrays(protocol: int):
    def write(path: Path) -> None:
        content = {"model": WEIGHTS, "__author__": "Detectron2 Model Zoo"}
        path.write_bytes(pickle.dumps(content, protocol=protocol))

    return write


def pickled_tensors(path: Path) -> None:
    path.write_bytes(pickle.dumps({"model": tensors(), "matching_heuristics": True}))


LAYOUTS = {
    "zip": torch_zip,
    "legacy": torch_legacy,
    "arrays-2": arrays(2),
    "arrays-4": arrays(4),
    "pickled-tensors": pickled_tensors,
    "bare": lambda path: torch.save(tensors(), path),
}


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_tensors(write, tmp_path: Path) -> None:
    write(tmp_path / "model.any")
    released = read_released(tmp_path / "model.any")
    assert list(released.tensors) == ["stem.conv1.weight", "stem.conv1.norm.bias"]
    for name, value in WEIGHTS.items():
        found = released.tensors[name.removeprefix("module.")]
        assert found.dtype == torch.from_numpy(value).dtype
        assert found.tolist() == value.tolist()


def test_what_is_beside_the_weights_is_named(tmp_path: Path) -> None:
    torch_zip(tmp_path / "model.pth")
    assert read_released(tmp_path / "model.pth").beside == ["iteration", "optimizer"]


def hostile_legacy(path: Path) -> None:
    torch.save({"model": Runs()}, path, _use_new_zipfile_serialization=False)


def hostile_storage(path: Path) -> None:
    """A pickled tensor whose storage is itself a pickle that runs."""
    inner = path.with_suffix(".inner")
    torch.save(Runs(), inner)

    class Loads:
        def __reduce__(self):
            return (torch.storage._load_from_bytes, (inner.read_bytes(),))

    path.write_bytes(pickle.dumps({"model": {"a": Loads()}}))


HOSTILE = {
    "zip": lambda path: torch.save({"model": Runs()}, path),
    "legacy": hostile_legacy,
    "pickle": lambda path: path.write_bytes(pickle.dumps({"model": Runs()})),
    "protocol-0": lambda path: path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR."),
    "storage": hostile_storage,
    "objects": lambda path: path.write_bytes(pickle.dumps({"a": np.array([Runs()], dtype=object)})),
    "builtins": lambda path: path.write_bytes(b"cnumpy.core.builtins\neval\n(S'1'\ntR."),
    "memo": lambda path: path.write_bytes(b"Nr" + struct.pack("<I", 2**32 - 1) + b"."),
    "huge-array": lambda path: path.write_bytes(
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I9000000000000000\ntS'd'\ntR."
    ),
}


@pytest.mark.parametrize("write", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_and_not_run(write, tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    write(path)
    with pytest.raises(BadInput, match=r"evil\.pkl"):
        read_released(path)
    assert not LOCATION.exists()


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.98])
def test_cut_files_are_refused(write, kept: float, tmp_path: Path) -> None:
    write(tmp_path / "model.any")
    whole = (tmp_path / "model.any").read_bytes()
    cut = tmp_path / "cut.any"
    cut.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(BadInput, match=r"cut\.any"):
        read_released(cut)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    with pytest.raises(MissingInput, match=r"file\.pth"):
        read_released(path)
    save_final(path, {"a": torch.ones(1)}, {"config": ""})
    with pytest.raises(BadInput, match="converted already"):
        read_released(path)
    torch.save([1, 2], path)
    with pytest.raises(BadInput, match="list"):
        read_released(path)
    torch.save({"model": {}}, path)
    with pytest.raises(BadInput, match="no weights"):
        read_released(path)
    torch.save({"model": {"a": "text"}}, path)
    with pytest.raises(BadInput, match="no array of numbers"):
        read_released(path)
