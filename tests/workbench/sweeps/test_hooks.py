"""Validation scores reach the study, which may end the trial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from tests.workbench.sweeps.test_claims import away
from workbench.errors import BadInput, Interrupted
from workbench.sweeps.hooks import CURRENT, ReportToStudy
from workbench.sweeps.loop import Pruned, TakenOver
from workbench.sweeps.study import quiet_optuna


@pytest.fixture
def study(monkeypatch) -> optuna.Study:
    quiet_optuna()
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    good = study.ask()
    good.report(0.8, 10)
    good.report(0.9, 20)
    study.tell(good, 0.9)
    monkeypatch.setattr(CURRENT, "trial", study.ask())
    return study


def validate(score: dict[str, float], iteration: int) -> None:
    runner: Any = SimpleNamespace(iter=iteration, max_iters=20, hooks=[])
    ReportToStudy("score").after_val_epoch(runner, score)


def test_a_low_score_ends_the_trial_as_a_clean_stop(study):
    with pytest.raises(Pruned) as caught:
        validate({"score": 0.1}, 10)
    assert isinstance(caught.value, Interrupted), "the run would be recorded as failed"
    assert study.trials[1].intermediate_values == {10: 0.1}


def test_a_high_score_and_the_last_one_do_not(study):
    validate({"score": 0.85}, 10)
    validate({"score": 0.1}, 20)
    assert study.trials[1].intermediate_values == {10: 0.85, 20: 0.1}


def test_an_unknown_metric_is_named_with_the_known_ones(study):
    with pytest.raises(BadInput, match="objective.metric: score is not scored; use one of: APe"):
        validate({"APe": 0.1}, 10)


def test_an_undefined_score_is_not_reported(study):
    validate({"score": float("nan")}, 10)
    validate({"score": float("nan")}, 20)
    assert study.trials[1].intermediate_values == {}


def test_a_database_that_is_away_is_waited_for(study, monkeypatch):
    monkeypatch.setattr("workbench.sweeps.study.RETRY_S", 0.01)
    monkeypatch.setattr(CURRENT.trial, "report", away(2, CURRENT.trial.report))
    validate({"score": 0.85}, 10)
    assert study.trials[1].intermediate_values == {10: 0.85}


def test_a_trial_that_another_worker_ended_stops(study):
    study.tell(CURRENT.trial, state=optuna.trial.TrialState.FAIL)
    with pytest.raises(TakenOver):
        validate({"score": 0.9}, 10)


def test_outside_of_a_sweep_nothing_happens(monkeypatch):
    monkeypatch.setattr(CURRENT, "trial", None)
    validate({}, 10)
