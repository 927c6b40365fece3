"""Processes: their share of the machine, and their ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

PR_SET_PDEATHSIG = 1
GIB = 2**30
# What one stage may take of the machine's memory, libraries included, before fewer run at once.
GIB_A_STAGE = 2.0


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gib() -> float:
    """Return the machine's memory in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


def default_jobs(scale: str) -> int:
    """Return how many stages to run at once: one a core, as far as memory goes.

    At paper scale it is one, as a training there has the machine's GPUs to itself.
    """
    if scale == "paper":
        return 1
    return max(1, min(cores(), int(memory_gib() / GIB_A_STAGE)))


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (named.split(",") if named else [str(index) for index in range(count)])[:count]


def die_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent dies, even by SIGKILL (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def run_forwarding_signals(command: list[str], environment: dict[str, str]) -> tuple[int, bool]:
    """Run a command; SIGTERM and SIGINT to this process reach it as SIGTERM.

    Returns:
        (exit code, whether a signal was passed on).
    """
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)

    # Python delivers signals to the main thread alone; a sweep may train from another one.
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGINT) if main else ()
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        child = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent)
        if received:
            child.send_signal(signal.SIGTERM)
        return child.wait(), bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
