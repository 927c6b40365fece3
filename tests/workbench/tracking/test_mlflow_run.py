from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench.tracking.journal import RUN_FILE
from workbench.tracking.mlflow_run import RunIdentity, TrackedRun, open_run
from workbench.tracking.store import open_store
from workbench.tracking.sync import sync

IDENTITY = RunIdentity("train", "toy", 0, "toys", "f" * 64, {"esg.scale": "smoke"})


def open_in(root: Path, name: str = "abc", say: Any = pytest.fail) -> TrackedRun:
    return open_run(root, IDENTITY, root / "work_dirs" / name, say)


def runs_of(root: Path) -> list[Any]:
    """The trainings in a store, without the run that groups them."""
    client = open_store(root)
    experiment = client.get_experiment_by_name("esg/toys").experiment_id
    return list(client.search_runs([experiment], "tags.`esg.level` = 'training'"))


def steps_of(root: Path, run: str, metric: str = "train/loss") -> list[int]:
    return sorted(point.step for point in open_store(root).get_metric_history(run, metric))


def test_records_arrive(root: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    run = open_in(root)
    run.log_params({"lr": 0.1})
    for step in range(1, 121):
        run.log_metrics({"train/loss": 1 / step, "train/bad": float("nan")}, step)
    run.log_artifact(picture, "predictions")
    run.log_dataset("toy", str(tmp_path), "a" * 64)
    run.close("FINISHED")
    (stored,) = runs_of(root)
    assert stored.info.run_id == run.run_id
    assert stored.info.status == "FINISHED" and stored.info.run_name == "train@toy, seed 0"
    assert stored.data.params == {"lr": "0.1"} and set(stored.data.metrics) == {"train/loss"}
    assert stored.data.tags["esg.scale"] == "smoke" and stored.data.tags["esg.pid"].isdigit()
    assert stored.inputs.dataset_inputs[0].dataset.digest == "a" * 36
    assert steps_of(root, run.run_id) == list(range(1, 121))
    client = open_store(root)
    assert client.list_artifacts(run.run_id, "predictions")[0].path == "predictions/picture.png"
    parent = client.get_run(stored.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "Trainings (smoke)" and parent.info.status == "FINISHED"


def test_trainings_share_their_parent(root: Path) -> None:
    for name in ("one", "two"):
        open_in(root, name).close("FINISHED")
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs_of(root)}) == 1


def test_sweep_is_no_training_of_its_name(root: Path) -> None:
    (root / "params.yaml").write_text(
        "scale: smoke\ntrain: {toy: {}}\nevaluate: {a: {table: VI, row: toy, checkpoint: toy}}\n"
    )
    scale = {"esg.scale": "smoke"}
    sweep = RunIdentity("sweep", "toy", None, "sweeps", tags=scale).opening(root, "id")
    trial = RunIdentity("train", "toy-0", 0, "sweeps", tags=scale).opening(root, "other")
    assert sweep.task == trial.task, "MLflow nests within an experiment"
    assert sweep.name == "sweep@toy" and not sweep.group
    assert (sweep.tags["esg.level"], sweep.tags["esg.stage"]) == ("sweep", "sweep")
    assert not {"esg.table", "esg.row"} & sweep.tags.keys()
    training = RunIdentity("train", "toy", None, "toys", tags=scale).opening(root, "training")
    assert (training.task, training.name) == ("entity segmentation", "train@toy")
    assert training.tags["esg.row"] == "VI:toy" and training.group["name"] == "Trainings (smoke)"


def test_reopened_run_logs_no_step_twice(root: Path) -> None:
    first = open_in(root)
    for step in (1, 2, 3):
        first.log_metrics({"train/loss": 1.0}, step)
    first.close("KILLED")
    second = open_in(root)
    assert second.run_id == first.run_id
    assert runs_of(root)[0].info.status == "RUNNING"
    for step in (3, 4):
        second.log_metrics({"train/loss": 1.0}, step)
    second.close("FINISHED")
    assert steps_of(root, first.run_id) == [1, 2, 3, 4]
    assert runs_of(root)[0].info.status == "FINISHED"


def test_forgotten_run_is_followed_by_another(root: Path) -> None:
    open_in(root).close("FINISHED")
    (root / "work_dirs" / "abc" / RUN_FILE).unlink()
    open_in(root).close("FINISHED")
    assert len(runs_of(root)) == 2


def test_unusable_store_is_said_once_and_delivered_later(root: Path, empty_database: bytes) -> None:
    (root / "mlflow.db").write_bytes(b"this is no database" * 100)
    lines: list[str] = []
    run = open_in(root, say=lines.append)
    run.log_params({"lr": 0.1})
    run.log_metrics({"train/loss": 1.0}, 1)
    run.close("FINISHED")
    assert run.run_id is None
    assert len(lines) == 1 and lines[0].startswith("MLflow does not answer")
    assert run.journal.pending() == 4
    (root / "mlflow.db").write_bytes(empty_database)
    _make_params(root)
    assert sync(root).records == 4
    (stored,) = runs_of(root)
    assert stored.info.status == "FINISHED" and stored.data.metrics == {"train/loss": 1.0}


def test_store_that_fails_for_a_while_is_asked_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    run = open_in(root, say=lines.append)
    deliver, calls = run.delivery.deliver, []

    def locked_once() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("database is locked")
        return deliver()

    monkeypatch.setattr(run.delivery, "deliver", locked_once)
    run.log_metrics({"train/loss": 1.0}, 1)
    run._try()
    assert len(lines) == 1 and "database is locked" in lines[0] and run.pause_s > 0
    run.close("FINISHED")
    assert run.journal.pending() == 0 and steps_of(root, str(run.run_id)) == [1]


def test_pauses_grow_to_a_minute(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_in(root, say=lambda line: None)
    pauses = []
    for _ in range(8):
        run._attempt(lambda: 1 / 0)
        pauses.append(run.pause_s)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    run._attempt(lambda: None)
    assert run.pause_s == 0
    run.close("FINISHED")


def _make_params(root: Path) -> None:
    (root / "params.yaml").write_text("scale: smoke\n")


def _open_and_log(root: str, number: int) -> None:
    said: list[str] = []
    run = open_in(Path(root), str(number), said.append)
    run.log_metrics({"train/loss": 1.0}, number)
    run.close("FINISHED")
    # On a busy machine one may wait for another for too long; that is not what is tested.
    sys.exit(any("could not be acquired" not in line for line in said))


def test_four_processes_start_on_a_missing_database(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow"])
    processes = [
        context.Process(target=_open_and_log, args=(str(tmp_path), number)) for number in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    _make_params(tmp_path)
    sync(tmp_path)
    assert len(runs_of(tmp_path)) == 4
