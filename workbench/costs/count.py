"""Parameters and FLOPs, counted on the meta device: no weights, no memory, no arithmetic.

FLOPs are those of PyTorch's ``FlopCounterMode``: 2 for each multiply-add of a matrix product, a
convolution or an attention. Sampling by ``grid_sample`` is added to it (``SAMPLING_FLOPS``). Not
counted: element-wise operations, normalisation, softmax, activation, interpolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from workbench.engine.meta import on_meta_device

FLOPS_PER_MULTIPLY_ADD = 2
# Bilinear sampling: 4 neighbours with a weight each, for every value that is returned.
SAMPLING_FLOPS = 4 * FLOPS_PER_MULTIPLY_ADD


@dataclass(frozen=True)
class Component:
    """A part of a model and one use of it.

    Attributes:
        module: Holds the parameters, on the meta device.
        run: Runs the module once on inputs that it makes itself.
    """

    module: nn.Module
    run: Callable[[], Any]


class Count:
    """What a component costs, counted when first asked for.

    Args:
        component: Its parameters no longer ask for gradients afterwards.
    """

    def __init__(self, component: Component) -> None:
        # The counter's hooks refuse views of parameters that ask for gradients.
        component.module.requires_grad_(False)
        self._component = component

    @cached_property
    def parameters(self) -> int:
        """Number of parameters."""
        return count_parameters(self._component.module)

    @cached_property
    def flops(self) -> int:
        """FLOPs of its use, 2 a multiply-add."""
        return count_flops(self._component.run)

    @property
    def multiply_adds(self) -> float:
        """Multiply-adds, each counted once: half the FLOPs."""
        return self.flops / FLOPS_PER_MULTIPLY_ADD


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters, shared ones once, buffers not."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_flops(run: Callable[[], Any]) -> int:
    """Return the FLOPs of one call; tensors that it creates are on the meta device."""
    sampling = {torch.ops.aten.grid_sampler_2d: _sampling_flops}
    counter = FlopCounterMode(display=False, custom_mapping=sampling)
    with torch.no_grad(), on_counting_device(), counter:
        run()
    return int(counter.get_total_flops())


def _sampling_flops(
    picture: torch.Size, grid: torch.Size, *args: Any, out_shape: torch.Size, **kwargs: Any
) -> int:
    """Formula for ``grid_sampler_2d``: of (B, C, H, W) at (B, h, w, 2) into (B, C, h, w)."""
    return SAMPLING_FLOPS * out_shape.numel()


@contextmanager
def on_counting_device() -> Iterator[None]:
    """Create the tensors of the block on the meta device, those of sizes on the CPU."""
    with on_meta_device(), _SizesOnCpu():
        yield


class _SizesOnCpu(TorchFunctionMode):
    """Keep tensors of sizes on the CPU, as numbers that can be read.

    Deformable attention carries the sizes of its levels in tensors and reads them back, which a
    meta tensor refuses. ``torch._shape_as_tensor`` makes them on the CPU; here they stay there, and
    join the meta device only as operands of a meta tensor.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if func is torch.Tensor.to and not tensors[0].is_meta:
            return tensors[0]
        if any(tensor.is_meta for tensor in tensors):
            args = tuple(_operand(arg) for arg in args)
        return func(*args, **(kwargs or {}))


def _operand(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or value.is_meta:
        return value
    return value.item() if value.dim() == 0 else torch.empty_like(value, device="meta")
