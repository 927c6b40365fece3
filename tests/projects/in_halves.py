"""Losses and gradients of a batch in one process and in two that take half of it each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from tests.workbench.in_ranks import in_ranks
from workbench.engine.ranks import join_ranks

Found = tuple[dict[str, float], dict[str, Tensor]]


def same_points(*shape: Any, **kwargs: Any) -> Tensor:
    """Stand in for ``torch.rand``: the same points for every mask, whatever the batch."""
    size = shape[0] if isinstance(shape[0], tuple | torch.Size) else shape
    points = torch.empty(size[-2:]).uniform_(generator=torch.Generator().manual_seed(5))
    return points.expand(size).clone()


def found(model: nn.Module, losses: dict[str, Tensor]) -> Found:
    """Return the losses and, by parameter, the gradients of their sum."""
    sum(loss for name, loss in losses.items() if "loss" in name).sum().backward()
    bare = model.module if isinstance(model, MMDistributedDataParallel) else model
    gradients = {n: p.grad for n, p in bare.named_parameters() if p.grad is not None}
    return {name: float(loss) for name, loss in losses.items()}, gradients


def assert_halves_are_the_whole(
    make: Callable[[], nn.Module],
    losses: Callable[[nn.Module, slice], dict[str, Tensor]],
    tolerance: float = 1e-4,
) -> None:
    """Compare the mean over two processes with one.

    Args:
        make: The model, with the same weights each time.
        losses: Of a model on the samples of a slice.
        tolerance: Largest difference of a gradient in units of the largest gradient.
    """
    whole, gradients = found(model := make(), losses(model, slice(None)))

    def half(rank: int) -> Found:
        join_ranks()
        model = MMDistributedDataParallel(make(), find_unused_parameters=True)
        return found(model, losses(model, slice(rank, None, 2)))

    parts = in_ranks(half)
    for name, loss in whole.items():
        mean = sum(part[0].get(name, 0.0) for part in parts) / 2
        assert abs(mean - loss) <= tolerance * max(abs(loss), 1.0), (name, mean, loss)
    scale = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        for part in parts:
            difference = float((part[1][name] - gradient).abs().max())
            assert difference <= tolerance * scale, (name, difference, scale)
