"""Bytes that a model's tensors would take, found on the meta device, where they take none."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.costs.count import on_counting_device


def saved_bytes(modules: Iterable[nn.Module], run: Callable[[], Any]) -> int:
    """Return the bytes that autograd keeps of one forward pass for the backward pass.

    Each storage counts once, parameters do not. Buffers that kernels need meanwhile and gradients
    of activations are not in it.

    Args:
        modules: All whose parameters ``run`` uses.
        run: The forward pass; tensors that it creates are on the meta device.
    """
    own = {p.untyped_storage()._cdata for module in modules for p in module.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with on_counting_device(), hooks:
        run()
    return sum(t.untyped_storage().nbytes() for at, t in saved.items() if at not in own)


def peak_bytes(modules: Iterable[nn.Module], run: Callable[[], Any]) -> int:
    """Return the most bytes that are alive at once in a forward pass without gradients.

    Args:
        modules: All whose parameters ``run`` uses; these do not count.
        run: The forward pass; tensors that it creates are on the meta device.
    """
    live = _Live()
    live.seen.update(p.untyped_storage() for module in modules for p in module.parameters())
    with torch.no_grad(), on_counting_device(), live:
        run()
    return live.peak


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up storages from the operation that returns them until they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, torch.Tensor) and value.is_meta:
                self._add(value.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        if storage not in self.seen:
            self.seen.add(storage)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, count: int) -> None:
        self.now -= count
