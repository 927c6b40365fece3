"""Reads released checkpoints without running code from them.

Two kinds are about: files of ``torch.save`` (``.pth``, zip or the older layout) and plain pickles
of NumPy arrays (``.pkl``, detectron2's model zoo). What they are is told by their first bytes.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.checkpoint import WEIGHTS_FORMAT, read_weights_only
from workbench.errors import BadInput, MissingInput

FIX = "get the released file again"
TORCH_ZIP = b"PK"
# How the older layout begins: the pickled number 0x1950a86a20f9469cfc6c.
TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
HOLDERS = ("model", "state_dict")
NUMERIC_KINDS = "fiub"


@dataclass(frozen=True)
class ReleasedFile:
    """What a released checkpoint holds.

    Attributes:
        tensors: Weights by released name, a prefix ``module.`` of parallel training taken off.
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
    if isinstance(content, dict) and content.get("format") == WEIGHTS_FORMAT:
        raise BadInput(path, "format", "converted already", "use it as it is")
    if not isinstance(content, dict):
        raise BadInput(path, "checkpoint", f"holds a {type(content).__name__}, no mapping", FIX)
    holder = next((name for name in HOLDERS if isinstance(content.get(name), Mapping)), None)
    weights = content[holder] if holder else content
    tensors = {
        str(name).removeprefix("module."): _tensor(value, str(name), path)
        for name, value in weights.items()
    }
    if not tensors:
        raise BadInput(path, holder or "checkpoint", "no weights inside", FIX)
    return ReleasedFile(tensors, sorted(str(name) for name in content if holder and name != holder))


def _read(path: Path) -> Any:
    with path.open("rb") as stream:
        start = stream.read(len(TORCH_LEGACY))
    if start.startswith(TORCH_ZIP) or start == TORCH_LEGACY:
        with torch.serialization.safe_globals(list(_NUMPY.values())):
            return read_weights_only(path)
    try:
        with path.open("rb") as stream:
            return _ArrayUnpickler(stream).load()
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"damaged, or holds more than arrays and plain values ({reason[:160]})"
        raise BadInput(path, "pickle", problem, FIX) from error


def _tensor(value: Any, name: str, path: Path) -> Tensor:
    """Return a weight as a tensor.

    Raises:
        BadInput: It is no array of numbers.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in NUMERIC_KINDS:
        return torch.from_numpy(np.array(value))
    kind = getattr(value, "dtype", type(value).__name__)
    raise BadInput(path, name, f"is no array of numbers ({kind})", "give a checkpoint of weights")


def _tensor_storage(data: bytes) -> Any:
    """Read what a tensor that was pickled on its own keeps its values in."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


# numpy._core is numpy.core's name since NumPy 2; files have either.
_NUMPY: dict[str, Any] = {
    "multiarray._reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    "multiarray.scalar": np._core.multiarray.scalar,  # type: ignore[attr-defined]
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    **{kind.__name__: kind for kind in map(type, map(np.dtype, "?bBhHiIlLqQefd"))},
}
_OTHERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    # How protocol 2, which Python 2 reads too, writes bytes.
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch.storage", "_load_from_bytes"): _tensor_storage,
}


class _ArrayUnpickler(pickle._Unpickler):
    """Unpickler that knows arrays, tensors and plain containers.

    It is the one written in Python: the compiled one reserves whatever memory a file asks for.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few callables that arrays need; refuse all others."""
        if (module, name) in _OTHERS:
            return _OTHERS[module, name]
        parts = module.split(".")
        if parts[0] == "numpy":
            inner = ".".join([*(part for part in parts[1:] if part not in ("core", "_core")), name])
            if inner in _NUMPY:
                return _NUMPY[inner]
        raise pickle.UnpicklingError(f"asks for {module}.{name}")
