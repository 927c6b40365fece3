"""Seconds of a call, measured on the machine at hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls.

    Attributes:
        seconds: Each call's, in order, without the warm-up.
        device: What they ran on.
    """

    seconds: tuple[float, ...]
    device: str

    @property
    def median_s(self) -> float:
        """Median, which one call that was interrupted does not move."""
        return statistics.median(self.seconds)


def time_call(call: Callable[[], Any], device: str, warmup: int = 3, repeats: int = 10) -> Timing:
    """Time a call that handles one image (batch 1).

    Args:
        call: What is timed; it holds its inputs.
        device: "cpu" or "cuda": on CUDA the device's queue is waited for around each call.
        warmup: Calls before the first that counts.
        repeats: Calls that count, at least one.

    Raises:
        ValueError: A negative warm-up or no repeat.
    """
    if warmup < 0 or repeats < 1:
        raise ValueError(f"warmup {warmup}, repeats {repeats}: give 0 or more, and 1 or more")
    for _ in range(warmup):
        call()
    return Timing(tuple(_seconds(call, device) for _ in range(repeats)), device)


def _seconds(call: Callable[[], Any], device: str) -> float:
    _synchronize(device)
    begin = time.perf_counter()
    call()
    _synchronize(device)
    return time.perf_counter() - begin


def _synchronize(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()
