"""Peak memory of a training run, of the process on CPU and of the device on CUDA."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path

GIB = 1024**3


def _status_bytes(field: str) -> int | None:
    """Return a field of this process's memory status in bytes; None where there is no /proc."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


class PeakMemory:
    """Peak memory above the level at which the object was made.

    On CPU the kernel's high-water mark of the resident set is reset where that is permitted, so
    that one process can measure twice; elsewhere the peak since the process began counts.

    Args:
        device: "cpu" or "cuda".
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.base = _status_bytes("VmRSS") or 0
        self.restart()

    def restart(self) -> None:
        """Forget the peak so far, e.g. that of a validation."""
        if self.device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            return
        # Freed memory that the C library keeps would count for what comes next.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    def read(self) -> float:
        """Return the peak since the last restart, in GiB."""
        if self.device == "cuda":
            import torch

            peak = torch.cuda.max_memory_allocated()
        else:
            high = _status_bytes("VmHWM")
            if high is None:
                high = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            peak = max(0, high - self.base)
        return peak / GIB
