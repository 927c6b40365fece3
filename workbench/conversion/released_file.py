"""Reads released checkpoints without running code from them.

Two kinds are about: files of ``torch.save`` (``.pth``, zip or the older layout) and plain pickles
of NumPy arrays (``.pkl``, detectron2's model zoo). What they are is told by their first bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.conversion import stand_ins
from workbench.conversion.stand_ins import Array
from workbench.datasets.plain_pickle import RefusedError, unpickle
from workbench.engine.checkpoint import WEIGHTS_FORMAT, read_weights_only
from workbench.errors import BadInput, MissingInput, shown

FIX = "get the released file again"
TORCH_ZIP = b"PK"
# How the older layout begins: the pickled number 0x1950a86a20f9469cfc6c.
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
HOLDERS = ("model", "state_dict")
PARALLEL = "module."
NUMBERS = frozenset({
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16,
    torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
})  # fmt: skip
# Tensors may be tied, so that one lies in the file once; few are.
MOST_SHARED = 4


@dataclass(frozen=True)
class ReleasedFile:
    """What a released checkpoint holds.

    Attributes:
        tensors: Weights by released name, without the ``module.`` that parallel training puts
            before every one.
        beside: Names of what else the file holds, e.g. ``optimizer``.
    """

    tensors: dict[str, Tensor]
    beside: list[str]


def read_released(path: Path) -> ReleasedFile:
    """Read a released checkpoint.

    Raises:
        MissingInput: No such file.
        BadInput: It is converted already, damaged, holds more than plain values and arrays, or
            has no weights inside.
    """
    if not path.is_file():
        raise MissingInput(path, "download the released checkpoint")
    content = _read(path)
    if content.get("format") == WEIGHTS_FORMAT:
        raise BadInput(path, "format", "converted already", "use it as it is")
    holder = next((name for name in HOLDERS if isinstance(content.get(name), dict)), None)
    weights = _entries(content[holder]) if holder else content
    if not weights:
        raise BadInput(path, holder or "checkpoint", "no weights inside", FIX)
    _check_size(weights, path)
    unnamed = next((name for name in weights if not isinstance(name, str)), None)
    if unnamed is not None:
        raise BadInput(path, holder or "checkpoint", f"no name of a tensor: {shown(unnamed)}", FIX)
    prefix = PARALLEL if all(name.startswith(PARALLEL) for name in weights) else ""
    tensors = {
        name.removeprefix(prefix): _tensor(value, name, path) for name, value in weights.items()
    }
    return ReleasedFile(
        tensors, sorted(shown(name) for name in content if holder not in (None, name))
    )


def _read(path: Path) -> dict[Any, Any]:
    with path.open("rb") as stream:
        start = stream.read(len(TORCH_LEGACY))
    if start.startswith(TORCH_ZIP) or start == TORCH_LEGACY:
        known: list[Any] = [(call, name) for name, call in stand_ins.NUMPY.items()]
        with torch.serialization.safe_globals(known):
            return _entries(read_weights_only(path, fix=FIX))
    try:
        content = unpickle(path.read_bytes(), stand_ins.ALL, _latin1)
    except RefusedError as error:
        problem = f"damaged, or holds more than arrays and plain values ({error})"
        raise BadInput(path, "pickle", problem, FIX) from error
    if not isinstance(content, dict):
        raise BadInput(path, "checkpoint", f"holds a {type(content).__name__}, no mapping", FIX)
    return _entries(content)


def _entries(content: dict[Any, Any]) -> dict[Any, Any]:
    """Return a plain dict: an ordered one may have attributes in place of its methods."""
    return dict(dict.items(content))


def _latin1(text: bytes) -> str:
    """Decode what Python 2 wrote, as detectron2 does; so bytes are not lost."""
    return text.decode("latin-1")


def _check_size(weights: dict[Any, Any], path: Path) -> None:
    """Refuse a file whose tensors share values so often that they do not fit in memory.

    Raises:
        BadInput: They do.
    """
    total = sum(map(_bytes, weights.values()))
    most = MOST_SHARED * path.stat().st_size
    if total > most:
        problem = f"tensors of {total} bytes in a file of {path.stat().st_size}"
        raise BadInput(path, "checkpoint", problem, FIX)


def _bytes(value: Any) -> int:
    if _is_dense(value):
        return math.prod(value.shape) * value.itemsize
    return value.values.nbytes if isinstance(value, Array) and value.values is not None else 0


def _tensor(value: Any, name: str, path: Path) -> Tensor:
    """Return a weight as a tensor.

    Raises:
        BadInput: It is no array of numbers.
    """
    if isinstance(value, Array) and value.values is not None:
        native = value.values.dtype.newbyteorder("=")
        return torch.from_numpy(value.values.astype(native, order="C"))
    if _is_dense(value):
        return Tensor.detach(value)
    problem = f"is no array of numbers ({_kind(value)})"
    raise BadInput(path, shown(name), problem, "give a checkpoint of weights")


def _kind(value: Any) -> str:
    if isinstance(value, Array):
        return shown(value.code)
    if isinstance(value, Tensor):
        return f"{value.dtype}, {value.layout}, {value.device.type}"
    return type(value).__name__


def _is_dense(value: Any) -> bool:
    """Return whether a value is a tensor of numbers with nothing about it that a file made up."""
    return (
        type(value) in (Tensor, nn.Parameter)
        and value.dtype in NUMBERS
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_nested
    )
