"""Time and peak memory of the parts of a process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measured import peak_mib
from torch import nn

_CLEAR_PEAK = "5"  # proc(5): resets the peak resident set size to the current one


@dataclass
class Part:
    """What a part took: seconds of the clock and the processors, peak memory of the process."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


class Meter:
    """Adds time up by part; while a part runs inside another, only the inner one counts."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self._running: list[str] = []
        self._since = (0.0, 0.0)

    def watch(self, module: nn.Module, name: str) -> None:
        """Count every call of a module as a part."""
        module.register_forward_pre_hook(lambda *_: self._enter(name))
        module.register_forward_hook(lambda *_: self._leave())

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._enter(name)
        yield
        self._leave()

    def total(self) -> Part:
        parts = self.parts.values()
        return Part(
            sum(part.seconds for part in parts),
            sum(part.cpu_seconds for part in parts),
            max(part.peak_mib for part in parts),
        )

    def _enter(self, name: str) -> None:
        self._count()
        self._running.append(name)
        self.parts.setdefault(name, Part())

    def _leave(self) -> Any:
        self._count()
        self._running.pop()

    def _count(self) -> None:
        now = (time.perf_counter(), time.process_time())
        if self._running:
            part = self.parts[self._running[-1]]
            part.seconds += now[0] - self._since[0]
            part.cpu_seconds += now[1] - self._since[1]
            part.peak_mib = max(part.peak_mib, peak_mib())
        Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
        self._since = now
