"""MMEngine hook of a trial: scores go to the study, which may end the trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from workbench.engine.hooks import TrackingHook
from workbench.errors import BadInput
from workbench.sweeps.loop import Pruned, TakenOver
from workbench.sweeps.study import patiently

if TYPE_CHECKING:
    from optuna.trial import Trial

    from workbench.tracking.mlflow_run import TrackedRun


@dataclass
class Reporting:
    """What this process trains at the moment, for the hook, which a config can only name.

    Attributes:
        trial: Optuna's; None outside of a sweep.
        tags: For the trial's MLflow run.
        params: Likewise.
        work_dir: Set during the training: where the training keeps its state.
    """

    trial: Trial | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    work_dir: Path | None = None


CURRENT = Reporting()


@HOOKS.register_module()
class ReportToStudy(Hook):
    """Report each validation's score to the study and stop the training if it is to be pruned.

    Args:
        metric: Name of the validation metric.
    """

    priority = "VERY_LOW"  # after the hooks that record the scores

    def __init__(self, metric: str) -> None:
        self.metric = metric

    def before_train(self, runner: Any) -> None:
        CURRENT.work_dir = Path(runner.work_dir)
        tracked, trial = tracked_run(runner), CURRENT.trial
        if tracked is None or trial is None:
            return
        tracked.set_tags(CURRENT.tags)
        tracked.log_params(CURRENT.params)
        if tracked.run_id:
            patiently(lambda: trial.set_user_attr("mlflow_run_id", tracked.run_id))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Report a score that is defined.

        Raises:
            BadInput: No such metric: one that is undefined is there, as NaN.
            Pruned, TakenOver: The training is to end.
        """
        from optuna.exceptions import UpdateFinishedTrialError

        trial, found = CURRENT.trial, metrics or {}
        if trial is None:
            return
        if self.metric not in found:
            fix = f"use one of: {', '.join(sorted(found))}"
            raise BadInput("sweep", "objective.metric", f"{self.metric} is not scored", fix)
        score = float(found[self.metric])
        if not math.isfinite(score):
            return
        try:
            patiently(lambda: trial.report(score, runner.iter))
        except UpdateFinishedTrialError as error:
            raise TakenOver(f"trial {trial.number} was given to another worker") from error
        if runner.iter < runner.max_iters and patiently(trial.should_prune):
            tracked = tracked_run(runner)
            if tracked is not None:
                tracked.set_tags({"esg.pruned": "true"})
            raise Pruned(f"trial {trial.number} pruned after iteration {runner.iter}")


def tracked_run(runner: Any) -> TrackedRun | None:
    """Return the MLflow run that a runner's hooks write to, if any."""
    return next((hook.run for hook in runner.hooks if isinstance(hook, TrackingHook)), None)
