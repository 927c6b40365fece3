"""Runs a function in a process of its own and says how long it took and what memory it needed."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MIB = 1024


@dataclass(frozen=True)
class Measured:
    """A result, the seconds it took and the process's peak memory in MiB, imports included."""

    result: Any
    seconds: float
    peak_mib: float


def measure(function: Callable[..., Any], *arguments: Any) -> Measured:
    """Call a function of an importable module in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (function, arguments))


def _timed(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Measured:
    began = time.perf_counter()
    result = function(*arguments)
    return Measured(result, time.perf_counter() - began, _peak_mib())


def _peak_mib() -> float:
    # Not getrusage: its peak is inherited from the parent process.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _MIB
    raise RuntimeError("/proc/self/status has no VmHWM")


def print_sides(sides: dict[str, Measured]) -> None:
    """Print one line a side."""
    for name, side in sides.items():
        print(f"{name:<28} {side.seconds:7.2f} s   peak memory {side.peak_mib:6.0f} MiB")
