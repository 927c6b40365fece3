"""A record reaches the store once, however often and wherever its delivery is cut off."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from workbench.tracking.delivery import Delivery, write_records
from workbench.tracking.journal import Journal
from workbench.tracking.store import Opening, open_store, tracking_uri

STEPS = 30


@pytest.fixture
def journal(root: Path) -> Journal:
    """The records of a whole run, none of them delivered."""
    folder = root / "work_dirs" / "abc"
    journal = Journal.of_folder(folder)
    config = folder / "config.py"
    config.write_text("lr = 0.1")
    opening = Opening(journal.id, "toys", "toy", 1000, {"a": "b"}, {"id": "all", "name": "All"})
    data = {"name": "toy", "source": "toy.json", "sha256": "a" * 64, "context": "training"}
    journal.append({"open": asdict(opening)})
    journal.append({"params": {"lr": "0.1"}})
    journal.append({"artifact": str(config), "folder": ""})
    journal.append({"dataset": data})
    for step in range(STEPS):
        values = {"train/loss": 1 / (step + 1), "train/lr": 0.1}
        journal.append({"metrics": values, "step": step, "time_ms": 1000 + step})
    journal.append({"status": "FINISHED", "time_ms": 5000})
    return journal


def assert_all_there_once(root: Path) -> None:
    client = open_store(root)
    experiment = client.get_experiment_by_name("esg/toys").experiment_id
    (run,) = client.search_runs([experiment], "tags.a = 'b'")
    assert len(client.search_runs([experiment])) == 2
    for name in ("train/loss", "train/lr"):
        points = client.get_metric_history(run.info.run_id, name)
        assert sorted(point.step for point in points) == list(range(STEPS))
    assert run.data.params == {"lr": "0.1"} and len(run.inputs.dataset_inputs) == 1
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 1000, 5000)
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["config.py"]


def test_second_delivery_finds_nothing(root: Path, journal: Journal) -> None:
    assert Delivery(root, journal).deliver() == STEPS + 5
    assert Delivery(root, journal).deliver() == 0
    assert_all_there_once(root)


@pytest.mark.parametrize("cut_at", [0, 1, 2, 3, 4, 5])
def test_kill_between_store_and_journal(
    root: Path, journal: Journal, cut_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Any] = []
    save = journal.save

    def killed(state: Any) -> None:
        if len(saved) == cut_at:
            raise KeyboardInterrupt
        saved.append(state)
        save(state)

    monkeypatch.setattr(journal, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        Delivery(root, journal).deliver()
    monkeypatch.undo()
    Delivery(root, Journal(journal.path)).deliver()
    assert_all_there_once(root)


def test_lost_state_doubles_nothing(root: Path, journal: Journal) -> None:
    Delivery(root, journal).deliver()
    journal.path.with_suffix(".json").unlink()
    Delivery(root, journal).deliver()
    assert_all_there_once(root)


def test_new_database_gets_everything(root: Path, journal: Journal, empty_database: bytes) -> None:
    Delivery(root, journal).deliver()
    (root / "mlflow.db").write_bytes(empty_database)
    journal.append({"tags": {"one": "more"}})
    Delivery(root, journal).deliver()
    assert_all_there_once(root)


def test_another_store_gets_everything(
    root: Path, journal: Journal, empty_database: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    Delivery(root, journal).deliver()
    (root / "other.db").write_bytes(empty_database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'other.db'}")
    journal.append({"tags": {"one": "more"}})
    Delivery(root, journal).deliver()
    assert journal.delivered.store == tracking_uri(root)
    assert_all_there_once(root)


def test_what_can_never_be_delivered_is_counted_and_left_out(root: Path, journal: Journal) -> None:
    journal.append({"params": {"lr": "0.2"}})
    journal.append({"artifact": str(root / "gone.png"), "folder": ""})
    journal.append({"tags": {"last": "one"}})
    delivery = Delivery(root, journal)
    delivery.deliver()
    assert delivery.state.refused == 2 and journal.pending() == 0
    run = open_store(root).get_run(delivery.state.run_id)
    assert run.data.params == {"lr": "0.1"} and run.data.tags["last"] == "one"


def test_refused_name_takes_no_other_with_it(root: Path, journal: Journal) -> None:
    with_bad = {"metrics": {"bad?name": 1.0, "val/APe": 2.0}, "step": 7, "time_ms": 3000}
    after = {"metrics": {"val/APe": 3.0}, "step": 8, "time_ms": 4000}
    for record in (with_bad, after, {"params": {"lr": "0.2", "seed": "0"}}):
        journal.append(record)
    delivery = Delivery(root, journal)
    delivery.deliver()
    assert delivery.state.refused == 2 and journal.pending() == 0
    client, run_id = open_store(root), str(delivery.state.run_id)
    points = client.get_metric_history(run_id, "val/APe")
    assert [(point.step, point.value) for point in points] == [(7, 2.0), (8, 3.0)]
    assert client.get_run(run_id).data.params == {"lr": "0.1", "seed": "0"}


def answer(status: int) -> Any:
    """Return what uploads a file to a server that answers so."""

    def upload(*arguments: Any) -> None:
        response = requests.Response()
        response.status_code = status
        response.raise_for_status()

    return upload


def test_file_that_a_server_does_not_take_blocks_nothing(
    root: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MlflowClient, "log_artifact", answer(413))
    delivery = Delivery(root, journal)
    delivery.deliver()
    assert delivery.state.refused == 1 and journal.pending() == 0


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_file_that_a_server_may_take_later_waits(
    root: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(MlflowClient, "log_artifact", answer(status))
    with pytest.raises(requests.HTTPError):
        Delivery(root, journal).deliver()
    monkeypatch.undo()
    Delivery(root, journal).deliver()
    assert_all_there_once(root)


def test_points_are_written_together(journal: Journal) -> None:
    class Client:
        calls: list[int] = []

        def log_batch(self, run_id: str, metrics: list[Any]) -> None:
            self.calls.append(len(metrics))

    points = [record for record in journal.records() if "metrics" in record]
    client = Client()
    write_records(client, "run", points)  # type: ignore[arg-type]
    assert client.calls == [2 * STEPS]
