"""Building models without memory for their weights, to count and check them at paper scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _SchedulesOnCpu(TorchFunctionMode):
    """Keep ``torch.linspace`` on the CPU: Swin reads its drop path rates from one, as numbers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.linspace:
            kwargs["device"] = "cpu"
        return func(*args, **kwargs)


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Create all tensors of the block on the meta device: shapes without storage."""
    with torch.device("meta"), _SchedulesOnCpu():
        yield


def build_on_meta(model: Any) -> nn.Module:
    """Build a model config on the meta device.

    Args:
        model: MMEngine ``ConfigDict`` whose type is registered; pretrained weights are not read.
    """
    from mmdet.registry import MODELS

    with on_meta_device():
        built: nn.Module = MODELS.build(model)
    return built
