from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.tracking.mlflow_run import (
    SPOOL_FILE,
    RunIdentity,
    deliver_spooled,
    log_stage_run,
    open_run,
)
from workbench.tracking.store import open_store

IDENTITY = RunIdentity("train", "toy", 0, "toys", "f" * 64, {"esg.scale": "smoke"})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("checkout")
    open_store(folder)
    yield folder


def run_of(root: Path, run_id: str) -> Any:
    return open_store(root).get_run(run_id)


def spooled(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / SPOOL_FILE).read_text().splitlines()]


def test_records_arrive(root: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    run = open_run(root, IDENTITY, tmp_path, pytest.fail)
    run.log_params({"lr": 0.1})
    for step in range(1, 121):
        run.log_metrics({"train/loss": 1 / step, "train/bad": float("nan")}, step)
    run.log_artifact(picture, "predictions")
    run.log_dataset("toy", str(tmp_path), "a" * 64)
    run.close("FINISHED")
    stored = run_of(root, str(run.run_id))
    assert stored.info.status == "FINISHED" and stored.info.run_name == "train@toy-s0-ffffffff"
    assert stored.data.params == {"lr": "0.1"} and set(stored.data.metrics) == {"train/loss"}
    assert stored.data.tags["esg.scale"] == "smoke" and stored.data.tags["esg.pid"].isdigit()
    assert stored.inputs.dataset_inputs[0].dataset.digest == "a" * 36
    client = open_store(root)
    assert len(client.get_metric_history(run.run_id, "train/loss")) == 120
    assert client.list_artifacts(run.run_id, "predictions")[0].path == "predictions/picture.png"


def test_reopened_run_logs_no_step_twice(root: Path, tmp_path: Path) -> None:
    first = open_run(root, IDENTITY, tmp_path, pytest.fail)
    for step in (1, 2, 3):
        first.log_metrics({"train/loss": 1.0}, step)
    first.close("KILLED")
    second = open_run(root, IDENTITY, tmp_path, pytest.fail)
    assert second.run_id == first.run_id
    assert run_of(root, str(first.run_id)).info.status == "RUNNING"
    for step in (3, 4):
        second.log_metrics({"train/loss": 1.0}, step)
    second.close("FINISHED")
    history = open_store(root).get_metric_history(first.run_id, "train/loss")
    assert sorted(point.step for point in history) == [1, 2, 3, 4]


def test_unusable_store_is_said_once_and_delivered_later(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    folder, lines = tmp_path / "work_dirs" / "abc", []
    run = open_run(tmp_path, IDENTITY, folder, lines.append)
    run.log_params({"lr": 0.1})
    run.log_metrics({"train/loss": 1.0}, 1)
    run.close("FINISHED")
    assert run.run_id is None
    assert len(lines) == 1 and lines[0].startswith("MLflow does not answer")
    assert [next(iter(record)) for record in spooled(folder)] == [
        "identity", "params", "metrics", "status",
    ]  # fmt: skip
    (tmp_path / "mlflow.db").unlink()
    assert deliver_spooled(tmp_path) == 4
    assert not (folder / SPOOL_FILE).exists()
    (stored,) = open_store(tmp_path).search_runs(["1"])
    assert stored.info.status == "FINISHED" and stored.data.metrics == {"train/loss": 1.0}


def test_store_that_breaks_in_a_run_stops_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    run = open_run(root, IDENTITY, tmp_path, lines.append)

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OSError("database is locked")

    monkeypatch.setattr(run.client, "log_batch", locked)
    for step in (1, 2):
        run.log_metrics({"train/loss": 1.0}, step)
        run.log_params({"step": step})
    run.close("FINISHED")
    assert len(lines) == 1 and "database is locked" in lines[0]
    assert sum("metrics" in record for record in spooled(tmp_path)) == 2


def test_stage_run(root: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("report")
    identity = RunIdentity("evaluate", "VI__cropformer", None, "cropformer")
    run_id = log_stage_run(root, identity, {"row": "cropformer"}, {"APe": 0.4}, [report])
    stored = run_of(root, str(run_id))
    assert stored.info.run_name == "evaluate@VI__cropformer"
    assert stored.data.metrics == {"APe": 0.4} and stored.info.status == "FINISHED"


def _open_and_log(root: str, number: int) -> None:
    folder = Path(root) / "work_dirs" / str(number)
    failed: list[str] = []
    run = open_run(Path(root), IDENTITY, folder, failed.append)
    run.log_metrics({"train/loss": 1.0}, number)
    run.close("FINISHED")
    sys.exit(1 if failed else 0)


def test_four_processes_start_on_a_missing_database(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow"])
    processes = [
        context.Process(target=_open_and_log, args=(str(tmp_path), number)) for number in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len(open_store(tmp_path).search_runs(["1"])) == 4
