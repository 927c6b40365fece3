"""Hooks of a training run: random numbers, clock, checkpoints, progress, tracking."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import all_gather_object, broadcast, get_rank, is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor

from workbench.engine.checkpoint import checkpoint_path, save_resumable
from workbench.engine.draws import seed_everything
from workbench.engine.interrupt import StopRequest
from workbench.engine.memory import PeakMemory
from workbench.errors import Interrupted

if TYPE_CHECKING:
    from workbench.engine.runner import WorkbenchRunner
    from workbench.tracking.mlflow_run import TrackedRun


@HOOKS.register_module()
class SeedEachIteration(Hook):
    """Seed all generators from (seed, iteration, rank) before each training iteration.

    Point sampling and dropout draw from torch's generator; seeded so, an iteration depends on
    nothing that happened before it but the weights.
    """

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        seed_everything(runner.seed, runner.iter, get_rank())


class CostMeter(Hook):
    """Wall time and peak memory of the training iterations, over resumed segments.

    Validation, start-up and the other hooks are not counted; loading data is.

    Attributes:
        wall_time_s: Seconds of training iterations.
        last_s: Seconds of the last iteration.
        peak_memory_gib: See `PeakMemory`.
    """

    priority = "HIGHEST"

    def __init__(self, memory: PeakMemory) -> None:
        self.memory = memory
        self.wall_time_s = 0.0
        self.last_s = 0.0
        self.peak_memory_gib = 0.0
        self.started = time.perf_counter()

    def restart(self) -> None:
        self.started = time.perf_counter()

    def before_train_epoch(self, runner: Any) -> None:
        self.restart()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.last_s = time.perf_counter() - self.started
        self.wall_time_s += self.last_s
        self.peak_memory_gib = max(self.peak_memory_gib, self.memory.read())

    def before_val(self, runner: Any) -> None:
        self.peak_memory_gib = max(self.peak_memory_gib, self.memory.read())

    def after_val(self, runner: Any) -> None:
        self.memory.restart()
        self.restart()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        meta = checkpoint["meta"]
        meta["wall_time_s"], meta["peak_memory_gib"] = self.wall_time_s, self.peak_memory_gib

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        meta = checkpoint["meta"]
        self.wall_time_s, self.peak_memory_gib = meta["wall_time_s"], meta["peak_memory_gib"]


class ClockRestart(Hook):
    """Restart a meter's clock when all other hooks of an iteration are done."""

    priority = "LOWEST"

    def __init__(self, meter: CostMeter) -> None:
        self.meter = meter

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.meter.restart()


class ResumableCheckpoint(Hook):
    """Save resumable state at an interval and at the end, and when the run is asked to stop.

    Under gradient accumulation it saves between optimizer steps only: half-gathered gradients
    are not part of a checkpoint.

    Args:
        interval: Iterations between checkpoints.
        stop: Request that ends the run with `Interrupted` once its state is saved.
        fingerprint: Recorded in each checkpoint.
    """

    priority = "VERY_LOW"

    def __init__(self, interval: int, stop: StopRequest, fingerprint: str) -> None:
        self.interval, self.stop, self.fingerprint = interval, stop, fingerprint

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = runner.iter + 1
        asked = self.stop.everywhere()
        last = done == runner.max_iters
        between_steps = done % runner.optim_wrapper._accumulative_counts == 0 or last
        if between_steps and (asked or last or done % self.interval == 0):
            self._save(runner, done)
        # The last iteration's weights are final: a stop then only cuts validation short.
        if asked and between_steps:
            self._stop(done, runner.max_iters)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if self.stop.everywhere():
            self._save(runner, runner.iter)
            self._stop(runner.iter, runner.max_iters)

    def _save(self, runner: WorkbenchRunner, done: int) -> None:
        work_dir = Path(runner.work_dir)
        content = runner.state(done)
        content["meta"]["fingerprint"] = self.fingerprint
        if is_main_process() and not checkpoint_path(work_dir, done).is_file():
            save_resumable(work_dir, done, content)

    def _stop(self, done: int, total: int) -> None:
        name = self.stop.signal_name or "a signal"
        raise Interrupted(
            f"stopped by {name} after {done} of {total} iterations; the same command resumes"
        )


class Progress(Hook):
    """Say where the run is: a bar on a terminal, one line every 30 s elsewhere.

    Args:
        title: What is being trained.
        every_s: Seconds between lines.
    """

    priority = "LOW"

    def __init__(self, title: str, meter: CostMeter, every_s: float = 30.0) -> None:
        self.title, self.meter = title, meter
        self.bar = sys.stderr.isatty()
        self.every_s = 0.5 if self.bar else every_s
        self.said = time.monotonic()
        self.first = 0

    def before_train_epoch(self, runner: Any) -> None:
        self.first, self.spent_before = runner.iter, self.meter.wall_time_s

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done, total = runner.iter + 1, runner.max_iters
        now = time.monotonic()
        if not is_main_process() or (now - self.said < self.every_s and done < total):
            return
        self.said = now
        pace = (self.meter.wall_time_s - self.spent_before) / (done - self.first)
        loss = _number((outputs or {}).get("loss", float("nan")))
        line = (
            f"{self.title}: {done}/{total} iterations, loss {loss:.3f}, {pace:.2f} s each, "
            f"{_minutes(pace * (total - done))} left"
        )
        self._say(line, done, total)

    def _say(self, line: str, done: int, total: int) -> None:
        if not self.bar:
            print(line, flush=True)
            return
        filled = 20 * done // total
        end = "\n" if done == total else ""
        print(f"\r\x1b[K[{'#' * filled:<20}] {line}", end=end, file=sys.stderr, flush=True)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        if is_main_process():
            values = ", ".join(f"{name} {value:.4f}" for name, value in (metrics or {}).items())
            print(f"{self.title}: validation at iteration {runner.iter}: {values}", flush=True)


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, Tensor) else value)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class SameBuffers(Hook):
    """Validate with the first process's buffers, those of its checkpoints, in every process.

    Running statistics of a batch norm are of each process's own batches.
    """

    priority = "NORMAL"

    def before_val(self, runner: WorkbenchRunner) -> None:
        if is_distributed():
            for buffer in runner.bare_model.buffers():
                broadcast(buffer)


class ValidationRecord(Hook):
    """Remember the metrics of the last validation and the iteration it belongs to."""

    priority = "NORMAL"

    def __init__(self) -> None:
        self.iteration = -1
        self.metrics: dict[str, float] = {}

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        self.iteration, self.metrics = runner.iter, dict(metrics or {})

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["meta"]["validation"] = {"iteration": self.iteration, "metrics": self.metrics}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        record = checkpoint["meta"].get("validation") or {}
        self.iteration = record.get("iteration", -1)
        self.metrics = dict(record.get("metrics") or {})


class TrackingHook(Hook):
    """Send losses, learning rate, iteration time, validation metrics and pictures to MLflow.

    Values are gathered as they are and turned into numbers once every ``interval`` iterations
    (their mean over the interval and over processes), so that an iteration waits for neither
    device nor database.

    Args:
        run: The open run; None in the processes that have none.
        meter: Source of the iteration time.
        interval: Iterations between points.
        pictures: Validation images whose predictions are drawn.
        draw: Function (data samples, file) that draws them.
    """

    priority = "LOW"

    def __init__(
        self,
        run: TrackedRun | None,
        meter: CostMeter,
        interval: int = 10,
        pictures: int = 4,
        draw: Callable[[list[Any], Path], None] | None = None,
    ) -> None:
        self.run, self.meter, self.interval = run, meter, interval
        self.pictures, self.draw = pictures, draw
        self.window: list[dict[str, Any]] = []
        self.samples: list[Any] = []

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        # Losses of single decoder layers (d0.loss_cls ...) would be dozens of curves.
        # Detached: a loss kept as it is would keep its whole graph in memory.
        values = {
            key: value.detach() if isinstance(value, Tensor) else value
            for key, value in (outputs or {}).items()
            if not _of_a_layer(key)
        }
        values["iteration_time_s"] = self.meter.last_s
        self.window.append(values)
        done = runner.iter + 1
        if done % self.interval == 0 or done == runner.max_iters:
            window = over_ranks(self.window)
            self.window = []
            if self.run is None:
                return
            point = {f"train/{key}": value for key, value in _means(window).items()}
            rates = runner.optim_wrapper.get_lr()
            point["train/lr"] = next(iter(rates.values()))[0]
            self.run.log_metrics(point, done)

    def before_val_epoch(self, runner: Any) -> None:
        self.samples = []

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        missing = self.pictures - len(self.samples)
        self.samples += list(outputs or [])[: max(0, missing)]

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        if self.run is None:
            return
        self.run.log_metrics({f"val/{k}": v for k, v in (metrics or {}).items()}, runner.iter)
        if self.draw is None or not self.samples:
            return
        picture = Path(runner.work_dir) / "predictions" / f"iter_{runner.iter:08d}.png"
        self.draw(self.samples, picture)
        if picture.is_file():
            self.run.log_artifact(picture, "predictions")


def _of_a_layer(key: str) -> bool:
    return any(part[:1] == "d" and part[1:].isdigit() for part in key.split("."))


def over_ranks(window: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries' means over all processes, where a value that one lacks counts as 0.

    So it enters the gradient: a process without the samples for a loss adds nothing to it.
    """
    if not is_distributed():
        return window
    own = [{name: float(value) for name, value in entry.items()} for entry in window]
    gathered: list[list[dict[str, float]]] = all_gather_object(own)
    return [
        {name: sum(e.get(name, 0.0) for e in same) / len(same) for name in set().union(*same)}
        for same in zip(*gathered, strict=True)
    ]


def _means(window: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean of each key over the entries that have it."""
    names = {name for entry in window for name in entry}
    gathered = {name: [float(e[name]) for e in window if name in e] for name in sorted(names)}
    return {name: sum(values) / len(values) for name, values in gathered.items()}
