from __future__ import annotations

from pathlib import Path

import pytest

from workbench.tracking.store import Opening, find_or_create_run, is_local, open_store, tracking_uri


def test_address_from_environment_then_parameters_then_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db" and is_local(tmp_path)
    (tmp_path / "params.yaml").write_text("tracking: {uri: null}")
    assert is_local(tmp_path)
    (tmp_path / "params.yaml").write_text("tracking: {uri: 'http://server:5000'}")
    assert tracking_uri(tmp_path) == "http://server:5000" and not is_local(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other:5000")
    assert tracking_uri(tmp_path) == "http://other:5000"


def test_run_of_an_opening_is_made_once(root: Path) -> None:
    client = open_store(root)
    group = {"id": "all", "name": "All of them"}
    first, second = (
        find_or_create_run(client, root, Opening("a", "toys", "toy", time, {}, group))
        for time in (1, 2)
    )
    other = find_or_create_run(client, root, Opening("b", "toys", "toy", 3, {}, group))
    assert first == second != other
    parents = {client.get_run(run).data.tags["mlflow.parentRunId"] for run in (first, other)}
    assert len(parents) == 1


def test_experiment_deleted_in_the_ui_takes_runs_again(root: Path) -> None:
    client = open_store(root)
    find_or_create_run(client, root, Opening("a", "toys", "toy", 1))
    experiment = client.get_experiment_by_name("esg/toys").experiment_id
    client.delete_experiment(experiment)
    run = find_or_create_run(client, root, Opening("b", "toys", "toy", 2))
    assert client.get_run(run).info.experiment_id == experiment
    assert client.get_experiment(experiment).lifecycle_stage == "active"
