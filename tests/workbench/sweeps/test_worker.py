"""A worker's objective, and the crew that looks after workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from filelock import Timeout

from tests.workbench.sweeps.test_claims import away
from workbench.errors import EsgError
from workbench.sweeps import worker
from workbench.sweeps.hooks import CURRENT
from workbench.sweeps.loop import Occupied, Pruned
from workbench.sweeps.run import _Crew
from workbench.sweeps.worker import TrialTraining


@pytest.fixture
def objective(tmp_path, monkeypatch) -> TrialTraining:
    layout, spec = SimpleNamespace(scale="smoke"), SimpleNamespace(name="toy", metric="s", seed=0)
    sweep: Any = SimpleNamespace(spec=spec, layout=layout, study_name="toy", folder=tmp_path)
    monkeypatch.setattr(TrialTraining, "_write_config", lambda *_: tmp_path / "config.py")
    return TrialTraining(sweep, None)


def trial() -> Any:
    return optuna.create_study().ask()


def test_a_folder_in_use_is_no_fault_of_the_trial(objective, monkeypatch):
    def train(*_: Any) -> Any:
        raise EsgError("folder: another process trains here") from Timeout(".lock")

    monkeypatch.setattr(worker, "train", train)
    with pytest.raises(Occupied, match="queued again: folder: another process"):
        objective(trial())


@pytest.mark.parametrize(("scores", "end"), [({"s": 0.5}, None), (None, Pruned), ({}, Pruned)])
def test_weights_stay_until_they_are_cleared(objective, monkeypatch, tmp_path, scores, end):
    weights = tmp_path / "weights.pth"
    weights.touch()
    result = {"weights": str(weights), "val": scores}
    monkeypatch.setattr(worker, "train", lambda *_: result)
    if end:
        with pytest.raises(end):
            objective(trial())
    else:
        assert objective(trial()) == 0.5
    assert weights.exists() and CURRENT.work_dir == tmp_path
    worker.clear()
    assert not weights.exists()


def test_the_crew_outlives_a_database_that_is_away(monkeypatch):
    study = optuna.create_study()
    said: list[str] = []
    sweep: Any = SimpleNamespace(spec=SimpleNamespace(metric="s"), folder=Path())
    crew = _Crew(sweep, study, SimpleNamespace(), 1, said.append)  # type: ignore[arg-type]
    study.tell(study.ask(), 0.5)
    monkeypatch.setattr(study, "get_trials", away(1, study.get_trials))
    crew._say_finished()
    assert said == []
    crew._say_finished()
    assert len(said) == 1
