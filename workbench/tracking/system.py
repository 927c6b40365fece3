"""How busy the machine is while a run goes on, under the names MLflow's own monitor gives them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

EVERY_S = 10.0


class SystemMeter:
    """Reads processor, memory, disk and GPUs at an interval.

    MLflow's monitor sends what it reads to the store itself, and would lose it while that is away.

    Args:
        step: Of the last reading; they are counted over a run's segments.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self._due = 0.0
        self._monitors: list[Any] | None = None

    def due(self) -> dict[str, float]:
        """Return a reading if it is time for one: by name, in percent and megabytes."""
        now = time.monotonic()
        if now < self._due:
            return {}
        self._due = now + EVERY_S
        self.step += 1
        return dict(self._read())

    def _read(self) -> Iterator[tuple[str, float]]:
        if self._monitors is None:
            self._monitors = _monitors()
        for monitor in self._monitors:
            monitor.collect_metrics()
            for name, value in monitor.aggregate_metrics().items():
                yield f"system/{name}", float(value)
            monitor.clear_metrics()


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

    monitors: list[Any] = [CPUMonitor(), DiskMonitor()]
    try:
        monitors.append(GPUMonitor())
    except (ImportError, RuntimeError):  # without a GPU or the package that reads it
        return monitors
    return monitors
