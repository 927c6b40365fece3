"""A worker's objective, and the crew that looks after workers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import torch
from filelock import Timeout

from tests.workbench.sweeps.conftest import PARAMS
from tests.workbench.sweeps.test_claims import away
from workbench.errors import EsgError, Interrupted
from workbench.stages import sweep as stage
from workbench.sweeps import worker
from workbench.sweeps.hooks import CURRENT
from workbench.sweeps.loop import Occupied, Pruned
from workbench.sweeps.prepare import prepare
from workbench.sweeps.run import _Crew, _tracked, default_workers
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


def test_each_worker_has_a_gpu_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert (default_workers("mini"), default_workers("paper")) == (2, 1)
    devices: list[str] = []

    def start(*_: Any, env: dict[str, str], **__: Any) -> None:
        devices.append(env["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setattr("workbench.sweeps.run.subprocess.Popen", start)
    sweep: Any = SimpleNamespace(folder=tmp_path)
    crew = _Crew(sweep, optuna.create_study(), SimpleNamespace(), 3, print)  # type: ignore[arg-type]
    for index in range(3):
        crew._start(index, tmp_path / "job.json")
    assert devices == ["3", "5", "3"]


def test_without_a_gpu_there_is_a_worker_a_core(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr("workbench.sweeps.run.default_jobs", lambda scale: 7)
    assert default_workers("mini") == 7


@pytest.mark.parametrize(("pruned", "ends"), [(1, True), (2, False)])
def test_a_stage_with_too_few_trials_is_not_done(project, monkeypatch, pruned, ends):
    monkeypatch.chdir(project.root)
    (project.root / "params.yaml").write_text(PARAMS + "\nsweep:\n  toy: {training: toy}\n")
    found = {"completed": 2, "pruned": pruned, "failed": 0}
    monkeypatch.setattr(stage, "run_sweep", lambda key: found)
    if ends:
        with pytest.raises(Interrupted, match="3 of 4 trials finished; the same command goes on"):
            stage.sweep("toy")
    else:
        assert stage.sweep("toy").name == "toy"


def test_a_second_call_in_one_work_dirs_is_told_what_to_do(project, monkeypatch):
    monkeypatch.chdir(project.root)
    monkeypatch.setattr("workbench.tracking.mlflow_run.CLAIM_S", 0.1)
    sweep, study = prepare("toy"), optuna.create_study()
    begun, error = _tracked(sweep, study, 4), pytest.raises(EsgError)
    with begun, error as caught, _tracked(sweep, study, 4):
        pass
    assert "another `esg sweep` works on it" in str(caught.value)
    assert "--workers N" in str(caught.value)
