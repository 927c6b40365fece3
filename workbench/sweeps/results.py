"""What a study has found: its standing, and the files ``artifacts/<scale>/sweeps/NAME/``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from workbench.files import atomic_folder, write_json, write_text
from workbench.params import stage_of
from workbench.sweeps.claims import WORKER, original_number
from workbench.sweeps.config import nested
from workbench.sweeps.prepare import Sweep
from workbench.sweeps.study import Place

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

BEST_FILE, TRIALS_FILE, STANDING_FILE = "best.yaml", "trials.csv", "sweep.json"


@dataclass(frozen=True)
class Best:
    """The best completed trial."""

    trial: int
    value: float
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """How far a study is. A trial and its retries count as one, in the state of the last.

    Attributes:
        begun: Trials, all of the following together.
        completed: Trained to the end.
        pruned: Ended early for a low score.
        failed: Ended by an error, or by dead workers too often.
        running: In the hands of a worker, alive or not.
        waiting: Queued, to be run again.
        retries: How often a trial of a dead worker was queued again.
        best: None before the first completed trial.
    """

    begun: int
    completed: int
    pruned: int
    failed: int
    running: int
    waiting: int
    retries: int
    best: Best | None

    @property
    def finished(self) -> int:
        return self.completed + self.pruned + self.failed

    def text(self) -> str:
        """Return the standing as lines."""
        parts = [f"{self.completed} completed", f"{self.pruned} pruned"]
        for name in ("failed", "running", "waiting", "retries"):
            if getattr(self, name):
                parts.append(f"{getattr(self, name)} {name}")
        lines = [f"{self.begun} trials: {', '.join(parts)}"]
        if self.best:
            lines.append(f"best: trial {self.best.trial}, {self.best.value:.4f}")
            lines += [f"  {name}: {_short(value)}" for name, value in self.best.parameters.items()]
        return "\n".join(lines)

    def to_dict(self, sweep: Sweep, place: Place) -> dict[str, Any]:
        """Return the standing as JSON-able values, with the names of sweep and study."""
        spec = sweep.spec
        named = {"sweep": spec.name, "scale": sweep.layout.scale, "training": spec.training}
        objective = {"metric": spec.metric, "direction": spec.direction}
        return {**named, "study": place.study, **objective, **asdict(self)}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def standing(study: Study) -> Standing:
    """Count a study's trials and name its best."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    last = {original_number(trial): trial for trial in trials}
    states = [trial.state for trial in last.values()]
    best = None
    if any(state == TrialState.COMPLETE for state in states):
        found = study.best_trial
        best = Best(found.number, float(found.value or 0.0), found.params)
    return Standing(
        begun=len(last),
        completed=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        running=states.count(TrialState.RUNNING),
        waiting=states.count(TrialState.WAITING),
        retries=len(trials) - len(last),
        best=best,
    )


def trial_line(trial: FrozenTrial, metric: str) -> str:
    """Return one line on a finished trial."""
    retried = original_number(trial)
    number = f"trial {trial.number}"
    if retried != trial.number:
        number += f" (trial {retried} again)"
    state = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name]
    score = "" if trial.value is None else f", {metric} {trial.value:.4f}"
    if trial.state.name == "PRUNED" and trial.last_step is not None:
        score += f" after iteration {trial.last_step}"
    return f"{number} {state}{score}"


def write_results(sweep: Sweep, study: Study, place: Place) -> list[Path]:
    """Write the results' folder whole and return its files."""
    with atomic_folder(sweep.outputs) as aside:
        write_text(aside / BEST_FILE, _best_text(sweep, study))
        _write_trials(aside / TRIALS_FILE, study)
        write_json(aside / STANDING_FILE, standing(study).to_dict(sweep, place))
        draw_plots(study, sweep.spec.metric, aside)
    return sorted(sweep.outputs.iterdir())


def _best_text(sweep: Sweep, study: Study) -> str:
    """Return the best values as they go into ``params.yaml``, and what they reached."""
    spec, best = sweep.spec, study.best_trial
    content = {
        "sweep": spec.name,
        "scale": sweep.layout.scale,
        "study": study.study_name,
        "trial": best.number,
        "metric": spec.metric,
        "value": best.value,
        "params": changes(sweep, best.params),
    }
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def changes(sweep: Sweep, sampled: Mapping[str, Any]) -> dict[str, Any]:
    """Return sampled values as a nested mapping to merge into ``params.yaml``."""
    spec = sweep.spec
    stage = stage_of(sweep.params, spec.training)
    merged: dict[str, Any] = {}
    for parameter in spec.space:
        value = parameter.value(sampled[parameter.name])
        if parameter.target:
            _merge(merged, nested(parameter.target, value))
            continue
        for path in parameter.paths:
            _merge(merged, {stage: {spec.training: {"overrides": nested(path, value)}}})
    return merged


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _write_trials(path: Path, study: Study) -> None:
    """Write one row a trial, retries included."""
    trials = study.get_trials(deepcopy=False)
    names = sorted({name for trial in trials for name in trial.params})
    head = ["number", "trial", "state", "value", "last_iteration", "duration_s", "worker",
            "mlflow_run_id"]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*head, *names])
        for trial in trials:
            seconds = trial.duration.total_seconds() if trial.duration else None
            facts = [trial.number, original_number(trial), trial.state.name.lower(), trial.value,
                     trial.last_step, seconds, trial.user_attrs.get(WORKER),
                     trial.user_attrs.get("mlflow_run_id")]  # fmt: skip
            table.writerow([*facts, *(trial.params.get(name) for name in names)])


def draw_plots(study: Study, metric: str, folder: Path) -> None:
    """Draw history, importance and parallel coordinates; importance needs two completed trials."""
    import matplotlib as mpl

    mpl.use("Agg")
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as plots

    plotters: dict[str, Callable[..., Any]] = {
        "history": plots.plot_optimization_history,
        "parallel_coordinates": plots.plot_parallel_coordinate,
    }
    values = {t.value for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) > 1:
        plotters["importance"] = plots.plot_param_importances
    for name, plot in plotters.items():
        options = {"target_name": metric} if name != "importance" else {}
        _save(plot(study, **options), folder / f"{name}.png")


def _save(axes: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure = axes.figure
    figure.set_size_inches(9, 5)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
