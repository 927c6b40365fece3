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
    """A result, the seconds it took and the process's peak memory in MiB, imports included.

    Seconds are those of the clock and of the processors; on a busy machine only the latter tell.
    """

    result: Any
    seconds: float
    cpu_seconds: float
    peak_mib: float


def measure(function: Callable[..., Any], *arguments: Any) -> Measured:
    """Call a function of an importable module in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (function, arguments))


def _timed(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Measured:
    began, began_cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    ended, ended_cpu = time.perf_counter(), time.process_time()
    return Measured(result, ended - began, ended_cpu - began_cpu, peak_mib())


def peak_mib() -> float:
    """Return the peak resident set size of this process in MiB."""
    # Not getrusage: its peak is inherited from the parent process.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _MIB
    raise RuntimeError("/proc/self/status has no VmHWM")


def print_sides(sides: dict[str, Measured]) -> None:
    """Print one line a side, and the ratio of the first to the second."""
    for name, side in sides.items():
        times = f"{side.seconds:7.2f} s, {side.cpu_seconds:7.2f} s of CPU"
        print(f"{name:<28} {times}, peak memory {side.peak_mib:4.0f} MiB")
    first, second = list(sides.values())[:2]
    ratio, cpu_ratio = first.seconds / second.seconds, first.cpu_seconds / second.cpu_seconds
    print(f"ratio {ratio:.1f}, of CPU {cpu_ratio:.1f}")
