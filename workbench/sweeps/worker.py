"""A process that trains trials of a study.

Run as ``python -m workbench.sweeps.worker REQUEST``, where REQUEST is a JSON file with the fields
of `WorkerJob`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import Timeout

from workbench.engine.checkpoint import discard, resumable
from workbench.engine.interrupt import stop_on_signals
from workbench.engine.launch import WEIGHTS_FILE, TrainJob, train
from workbench.errors import EsgError
from workbench.files import write_text
from workbench.paths import project_root
from workbench.stages.resolve import dump
from workbench.sweeps.claims import Claims, original_number
from workbench.sweeps.config import trial_config
from workbench.sweeps.hooks import CURRENT
from workbench.sweeps.loop import Occupied, Pruned, run_trials
from workbench.sweeps.prepare import Sweep, prepare
from workbench.sweeps.study import patiently

if TYPE_CHECKING:
    from optuna.trial import Trial


@dataclass(frozen=True)
class WorkerJob:
    """What a worker is told.

    Attributes:
        name: Of the sweep.
        storage: Address of the study.
        heartbeat_s: Seconds between signs of life.
        total: Trials of the whole study.
        deadline: Unix time after which no trial is begun; None: no limit.
        parent_run: MLflow run of the study, None without one.
    """

    name: str
    storage: str
    heartbeat_s: int
    total: int
    deadline: float | None
    parent_run: str | None


class TrialTraining:
    """The objective: trains a trial's config and returns its score after the last iteration.

    A retry has the number, hence the config and the checkpoints, of the trial that it retries.

    Args:
        sweep: What is searched.
        parent_run: MLflow run of the study.
    """

    def __init__(self, sweep: Sweep, parent_run: str | None) -> None:
        self.sweep, self.parent_run = sweep, parent_run

    def __call__(self, trial: Trial) -> float:
        """Train.

        Raises:
            Pruned: Ended early, or nothing was found that could be scored.
            TakenOver, Interrupted: Ended early.
            Occupied: Another process trains in the trial's folder.
            EsgError: See `workbench.engine.launch.train`.
        """
        trials = patiently(lambda: trial.study.get_trials(deepcopy=False))
        number = original_number(trials[trial.number])
        CURRENT.trial, CURRENT.params = trial, trial.params
        CURRENT.tags = self._tags(number)
        CURRENT.work_dir = None
        key = f"{self.sweep.spec.name}-{number}"
        config, scale = self._write_config(trial, number), self.sweep.layout.scale
        job = TrainJob(str(config), key, "sweeps", scale, self.sweep.spec.seed, True, {})
        try:
            result = train(job, lambda line: print(line, flush=True))
        except EsgError as error:
            if isinstance(error.__cause__, Timeout):
                raise Occupied(f"trial {trial.number} is queued again: {error}") from error
            raise
        finally:
            gc.collect()  # a runner's references are circular
        CURRENT.work_dir = Path(result["weights"]).parent
        value = (result["val"] or {}).get(self.sweep.spec.metric)
        if value is None:
            raise Pruned(f"{key}: no finite {self.sweep.spec.metric} after the last iteration")
        return float(value)

    def _write_config(self, trial: Trial, number: int) -> Path:
        report = {"type": "ReportToStudy", "metric": self.sweep.spec.metric}
        config = trial_config(self.sweep.base, self.sweep.spec, trial.params, number, [report])
        path = self.sweep.folder / "trials" / f"{number:04d}.py"
        write_text(path, dump(config))
        return path

    def _tags(self, number: int) -> dict[str, str]:
        name = self.sweep.spec.name
        tags = {"mlflow.runName": f"{name} trial {number}", "esg.trial": str(number)}
        tags |= {"esg.sweep": name, "esg.study": self.sweep.study_name}
        return tags | ({"mlflow.parentRunId": self.parent_run} if self.parent_run else {})


def clear() -> None:
    """Remove the last trial's weights; scores, config and MLflow's record stay."""
    work_dir = CURRENT.work_dir
    if work_dir is None:
        return
    for path in resumable(work_dir):
        discard(path)
    (work_dir / WEIGHTS_FILE).unlink(missing_ok=True)


def main(request: str) -> int:
    """Work on the request of a file; returns the exit code, errors of the user end in one line."""
    job = WorkerJob(**json.loads(Path(request).read_text(encoding="utf-8")))
    os.chdir(project_root())
    try:
        with stop_on_signals() as stop:
            sweep = prepare(job.name)
            with redirect_stdout(StringIO()):  # what MMDetection prints on import
                from workbench.sweeps import grounding  # noqa: F401  (registers a loop)
            claims = Claims(sweep.place(job.storage, job.heartbeat_s), sweep.spec, job.total)
            objective = TrialTraining(sweep, job.parent_run)
            run_trials(claims, objective, lambda: stop.signal_name, job.deadline, clear)
    except EsgError as error:
        print(f"error: {error}", flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
