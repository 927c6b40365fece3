"""One process's part of a training run: runner, hooks, tracking, and the finished result."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook

from workbench.engine import registry  # noqa: F401  (registers what configs name)
from workbench.engine.checkpoint import discard, guard_mmengine_loading, resumable, save_final
from workbench.engine.fingerprint import Fingerprint, imports_of, manifests_of
from workbench.engine.hooks import (
    ClockRestart,
    CostMeter,
    Progress,
    ResumableCheckpoint,
    SameBuffers,
    SeedEachIteration,
    TrackingHook,
    ValidationRecord,
)
from workbench.engine.interrupt import StopRequest, stop_on_signals
from workbench.engine.launch import RESULT_FILE, WEIGHTS_FILE, TrainJob
from workbench.engine.memory import PeakMemory
from workbench.engine.ranks import batch_of_process, rank, world_size
from workbench.engine.runner import WorkbenchRunner
from workbench.errors import BadInput, Interrupted
from workbench.files import sha256_file, write_json, write_text
from workbench.paths import project_root, store_root
from workbench.processes import cores
from workbench.tracking.git import git_state
from workbench.tracking.mlflow_run import RunIdentity, TrackedRun, open_run
from workbench.tracking.pictures import draw_predictions

CHECKPOINT_INTERVAL = 200


def limit_threads() -> int:
    """Give this process its share of the cores and return it.

    Processes that each start a thread a core slow one another many times over.
    """
    share = max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(share, int(asked)) if asked.isdigit() and int(asked) > 0 else share
    torch.set_num_threads(threads)
    return threads


class Session:
    """Builds the runner of a job and takes it to its end, a signal or an error.

    Args:
        job: What to train.
        config: The job's config with its options.
        fingerprint: What the weights depend on.
        work_dir: Folder of the fingerprint, locked by the caller.
        say: Receives lines for the user.
    """

    def __init__(
        self,
        job: TrainJob,
        config: Config,
        fingerprint: Fingerprint,
        work_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        self.job, self.config, self.fingerprint = job, config, fingerprint
        self.work_dir, self.say = work_dir, say
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.git = git_state(project_root())
        manifests = sorted(manifests_of(config.to_dict()))
        self.manifest = Path(manifests[0]) if manifests else None
        self.data_sha256 = sha256_file(self.manifest) if self.manifest else ""

    def run(self, state: dict[str, Any] | None) -> dict[str, Any]:
        """Train from ``state`` (a checkpoint's content) or from the beginning.

        Returns:
            The run's fields of ``train.json``.
        """
        limit_threads()
        guard_mmengine_loading()
        self._import_components()
        with stop_on_signals() as stop:
            if rank() == 0:
                return self._run_tracked(state, stop)
            return self._train(state, stop, None)

    def _import_components(self) -> None:
        """Import what the config names, so that its components are registered."""
        for name in imports_of(self.config):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                fix = "correct the name or install it"
                raise BadInput(self.job.config, "custom_imports", str(error), fix) from error

    def _run_tracked(self, state: dict[str, Any] | None, stop: StopRequest) -> dict[str, Any]:
        tracked = open_run(store_root(), self._identity(), self.work_dir, self.say)
        status = "FAILED"
        try:
            result = self._train(state, stop, tracked)
            status = "FINISHED"
            return result
        except Interrupted:
            status = "KILLED"
            raise
        finally:
            tracked.close(status)

    def _identity(self) -> RunIdentity:
        tags = {"esg.scale": self.job.scale, "esg.data_sha256": self.data_sha256}
        job = self.job
        return RunIdentity("train", job.key, job.seed, job.project, self.fingerprint.digest, tags)

    def _train(
        self, state: dict[str, Any] | None, stop: StopRequest, tracked: TrackedRun | None
    ) -> dict[str, Any]:
        self.meter = CostMeter(PeakMemory(self.device))
        self.validation = ValidationRecord()
        runner = self._build_runner(stop, tracked)
        runner.resume_state = state
        runner.say = self.say
        if tracked is not None:
            self._log_start(tracked, runner)
        runner.train()
        total = runner.max_iters
        # A kill during the last validation leaves the iterations done and their score missing.
        if self.config.get("val_cfg") is not None and self.validation.iteration != total:
            runner.val()
        if tracked is None:
            return {}
        return self._finish(runner, tracked)

    def _build_runner(self, stop: StopRequest, tracked: TrackedRun | None) -> WorkbenchRunner:
        config = self.config.copy()
        defaults = config.get("default_hooks") or {}
        interval = (defaults.get("checkpoint") or {}).get("interval", CHECKPOINT_INTERVAL)
        config.default_hooks = ConfigDict({**defaults, "checkpoint": None})
        config.work_dir = str(self.work_dir)
        config.randomness = {**(config.get("randomness") or {}), "seed": self.job.seed}
        config.visualizer = None
        config.resume = False
        config.launcher = "pytorch" if world_size() > 1 else "none"
        config.train_dataloader.batch_size = batch_of_process(config, self.job.config)
        try:
            runner: WorkbenchRunner = WorkbenchRunner.from_cfg(config)
        except (TypeError, KeyError) as error:
            problem = str(error).splitlines()[0]
            raise BadInput(self.job.config, "components", problem, "correct the config") from error
        hooks: list[Hook] = [
            SeedEachIteration(),
            self.meter,
            ClockRestart(self.meter),
            SameBuffers(),
            self.validation,
            ResumableCheckpoint(interval, stop, self.fingerprint.digest),
            Progress(self.job.title, self.meter),
            TrackingHook(tracked, self.meter, draw=draw_predictions),
        ]
        for hook in hooks:
            runner.register_hook(hook, priority=hook.priority)
        return runner

    def _log_start(self, tracked: TrackedRun, runner: WorkbenchRunner) -> None:
        """Log the few parameters by which runs are compared, the config and the data."""
        loader, optimizer = (
            self.config.train_dataloader,
            self.config.optim_wrapper.get("optimizer") or {},
        )
        tracked.log_params(
            {
                "config": self.job.config,
                "model": self.config.model.type,
                "iterations": self.config.train_cfg.max_iters,
                "batch_size": loader.get("batch_size"),
                "optimizer": optimizer.get("type"),
                "lr": optimizer.get("lr"),
                "weight_decay": optimizer.get("weight_decay"),
                "parameters": sum(p.numel() for p in runner.bare_model.parameters()),
                "device": self.device,
                "seed": self.job.seed,
            }
        )
        resolved = self.work_dir / "config.py"
        write_text(resolved, self.config.pretty_text)
        tracked.log_artifact(resolved)
        if self.manifest:
            source = str(self.manifest.resolve())
            tracked.log_dataset(self.manifest.parent.name, source, self.data_sha256)

    def _finish(self, runner: WorkbenchRunner, tracked: TrackedRun) -> dict[str, Any]:
        """Write the weights and, last, the result that marks the run as finished."""
        weights = self.work_dir / WEIGHTS_FILE
        iterations = runner.max_iters
        meta = {
            "iterations": iterations,
            "config": self.config.pretty_text,
            "fingerprint": self.fingerprint.digest,
            "key": self.job.key,
            "seed": self.job.seed,
        }
        digest = save_final(weights, runner.bare_model.state_dict(), meta)
        scores = {k: v for k, v in self.validation.metrics.items() if math.isfinite(v)}
        result = {
            "seed": self.job.seed,
            "run_id": tracked.run_id,
            "fingerprint": self.fingerprint.digest,
            "config_sha256": sha256_file(Path(self.job.config)),
            "data_sha256": self.data_sha256,
            "code_sha256": self.fingerprint.code_sha256,
            "checkpoint_sha256": digest,
            "git_commit": self.git.commit,
            "git_dirty": self.git.dirty,
            "iterations": iterations,
            "wall_time_s": self.meter.wall_time_s,
            "peak_memory_gib": self.meter.peak_memory_gib,
            "num_devices": world_size(),
            "device": self._device_name(),
            "val": scores or None,
            "started_utc": self.started,
        }
        pointer = self.work_dir / "checkpoint.json"
        write_json(
            pointer, {"path": str(weights), "sha256": digest, "bytes": weights.stat().st_size}
        )
        tracked.log_artifact(pointer)
        tracked.set_tags({"esg.checkpoint_sha256": digest})
        costs = {name: result[name] for name in ("wall_time_s", "peak_memory_gib")}
        tracked.log_metrics(costs, iterations)
        write_json(self.work_dir / RESULT_FILE, result)
        for path in resumable(self.work_dir):
            discard(path)
        return result

    def _device_name(self) -> str:
        if self.device == "cuda":
            return torch.cuda.get_device_name()
        return f"cpu, {torch.get_num_threads()} threads"
