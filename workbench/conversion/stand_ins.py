"""Stand-ins for what pickled arrays and tensors call; every argument comes from a file.

NumPy's own functions trust theirs: a dtype takes flags that tell it to follow bytes as pointers.
So a file gets none of NumPy or torch in its hands, and what these return is made of checked parts.

Source: ``__reduce__`` of NumPy 1 and 2 and of torch 2, which wrote what is read here.
"""

from __future__ import annotations

import io
import math
import re
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.datasets.plain_pickle import Calls, Holder, RefusedError
from workbench.engine.checkpoint import reason_of

NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
BYTE_ORDERS = ("<", ">", "|", "=")
MOST_DIMENSIONS = 64


class Dtype(Holder):
    """Stands in for ``numpy.dtype``.

    Attributes:
        code: What it is, e.g. ``f4``; kinds without numbers keep this alone.
    """

    code = "no dtype"
    _order = "="

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        if not isinstance(code, str):
            raise RefusedError("a dtype without a code")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Take the order of bytes."""
        _, order, *parts = state
        if not NUMBERS.fullmatch(self.code):
            return
        if order not in BYTE_ORDERS or any(part is not None for part in parts[:3]):
            raise RefusedError("a dtype of numbers that has parts")
        self._order = order

    def numbers(self) -> np.dtype[Any] | None:
        """Return the dtype, if it is one of numbers."""
        if not NUMBERS.fullmatch(self.code):
            return None
        return np.dtype(self.code).newbyteorder(self._order)  # type: ignore[arg-type]


class Array(Holder):
    """Stands in for ``numpy.ndarray``.

    Attributes:
        code: Of its dtype.
        values: What it holds, read-only; None if these are no numbers.
    """

    code = "no dtype"
    values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        """Take shape, dtype, order of dimensions and bytes."""
        _, shape, dtype, is_fortran, data = state
        if not isinstance(is_fortran, bool):
            raise RefusedError("an array without an order of dimensions")
        self.fill(dtype, shape, "F" if is_fortran else "C", data)

    def fill(self, dtype: Any, shape: Any, order: Any, data: Any) -> None:
        """Take the parts, all from the file.

        Raises:
            RefusedError: They do not fit each other.
        """
        if not isinstance(dtype, Dtype):
            raise RefusedError("an array without a dtype")
        self.code, numbers = dtype.code, dtype.numbers()
        if numbers is None:
            return
        # How Python 2 wrote bytes.
        data = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(data, bytes) or not _is_shape(shape) or order not in ("C", "F"):
            raise RefusedError("an array without bytes, shape or order of dimensions")
        if len(data) != math.prod(shape) * numbers.itemsize:
            raise RefusedError(f"{len(data)} bytes for an array of shape {shape}")
        self.values = np.frombuffer(data, numbers).reshape(shape, order=order)


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= MOST_DIMENSIONS
        and all(type(side) is int and side >= 0 for side in value)
    )


def _empty_array(*_: Any) -> Array:
    """Stand in for ``_reconstruct``, whose array has nothing of its arguments in the end."""
    return Array()


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    """Stand in for ``_frombuffer`` of protocol 5."""
    array = Array()
    array.fill(dtype, shape, order, data)
    return array


def _scalar(dtype: Any, data: Any = b"") -> Array:
    """Stand in for ``scalar``, by an array without dimensions."""
    return _array(data, dtype, (), "C")


def _no_bytes() -> bytes:
    """Stand in for ``bytes``, which protocol 2 calls for empty ones."""
    return b""


def _encoded(text: Any, encoding: Any) -> bytes:
    """Stand in for ``_codecs.encode``, which protocol 2, known to Python 2 too, has for bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("bytes of an unknown encoding")
    return text.encode("latin-1")


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    if not all(isinstance(key, str | int) for key, _ in pairs):
        raise RefusedError("a key that is neither text nor number")
    return OrderedDict(pairs)


def _storage(data: Any) -> Tensor:
    """Stand in for a storage that was pickled on its own, by a tensor of all its values."""
    try:
        storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        values = torch.empty(0, dtype=storage.dtype).set_(storage.untyped())
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        raise RefusedError(f"a damaged storage ({reason_of(error)})") from error
    return values


def _tensor(
    values: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None
) -> Tensor:
    """Stand in for ``_rebuild_tensor_v2``."""
    if not isinstance(values, Tensor) or not all(map(_is_shape, (size, stride, (offset,)))):
        raise RefusedError("a tensor without storage, size or stride")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    if 0 not in size and last >= values.untyped_storage().nbytes() // values.itemsize:
        raise RefusedError("a tensor that exceeds its storage")
    try:
        return values.as_strided(size, stride, offset)
    except RuntimeError as error:
        raise RefusedError(f"no tensor ({reason_of(error)})") from error


def _parameter(tensor: Any, requires_grad: Any = False, hooks: Any = None) -> Any:
    """Stand in for ``_rebuild_parameter``."""
    return tensor


# numpy._core is numpy.core's name since NumPy 2; files have either.
NUMPY: Calls = {
    "numpy.dtype": Dtype,
    "numpy.ndarray": Array,
    "builtins.bytes": _no_bytes,
    **{
        f"numpy.{core}.{name}": call
        for core in ("core", "_core")
        for name, call in {
            "multiarray._reconstruct": _empty_array,
            "multiarray.scalar": _scalar,
            "numeric._frombuffer": _array,
        }.items()
    },
}
ALL: Calls = {
    **NUMPY,
    "__builtin__.bytes": _no_bytes,
    "_codecs.encode": _encoded,
    "collections.OrderedDict": _ordered,
    "torch.storage._load_from_bytes": _storage,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
