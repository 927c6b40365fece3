from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from workbench.tracking import tables
from workbench.tracking.store import open_store
from workbench.tracking.tables import log_tables

PARAMS = {
    "scale": "smoke",
    "train": {"model": {"project": "toys"}},
    "segment": {"model": {"checkpoint": "model"}},
    "evaluate": {
        "T__one": {"table": "T", "row": "one", "predictions": "entities/model", "dataset": "w"},
        "T__two": {"table": "T", "row": "two", "predictions": "entities/model", "dataset": "w"},
    },
}


def made(seed: int, value: float) -> dict[str, Any]:
    letter = str(seed)
    hashes = ("config_sha256", "data_sha256", "code_sha256", "predictions_sha256")
    return {
        "part": None, "seed": seed, "run_id": None, "git_commit": "c" * 40, "git_dirty": False,
        **{name: letter * 64 for name in hashes}, "checkpoint_sha256": letter * 64,
        "device": "cpu", "values": {"APe": value},
    }  # fmt: skip


def row(name: str, runs: list[dict[str, Any]], status: str = "reproduced") -> dict[str, Any]:
    values = [run["values"]["APe"] for run in runs]
    mean = sum(values) / len(values) if values else None
    cell = {"printed": 41.0, "reproduced": mean, "std": None, "n": len(values)}
    cell["difference"] = None if mean is None else mean - 41.0
    return {
        "id": name, "label": f"Row {name}", "status": status, "values": {"APe": cell},
        "provenance": {"runs": runs},
    }  # fmt: skip


@pytest.fixture
def project(root: Path) -> Path:
    """A checkout with a table of a row with one seed, one with two, and one that waits."""
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    manifest = root / "artifacts" / "smoke" / "data" / "w" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    write(root, [row("one", [made(0, 40.0)]), row("two", [made(0, 42.0), made(1, 44.0)])])
    return root


def write(root: Path, rows: list[dict[str, Any]]) -> None:
    claims = [{"verdict": "supported"}]
    content = {"table": "T", "scale": "smoke", "title": "Toys", "rows": rows, "claims": claims}
    content["rows"] = [*rows, row("three", [], "waits")]
    path = root / "reports" / "smoke" / "tables" / "T.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def log(root: Path) -> list[str]:
    return log_tables(open_store(root), root, root)


def runs_of(root: Path) -> dict[str, list[Any]]:
    """The runs of the table's experiment by level."""
    client = open_store(root)
    experiment = client.get_experiment_by_name("esg/other tables").experiment_id
    found: dict[str, list[Any]] = {}
    for run in client.search_runs([experiment], order_by=["attributes.run_name ASC"]):
        found.setdefault(run.data.tags["esg.level"], []).append(run)
    return found


def test_rows_are_below_their_table_and_named_as_in_it(project: Path) -> None:
    assert log(project) == ["T"]
    found = runs_of(project)
    (table,), rows, seeds = found["table"], found["row"], found["seed"]
    assert [run.info.run_name for run in rows] == ["Row one", "Row two"]
    assert {run.data.tags["mlflow.parentRunId"] for run in rows} == {table.info.run_id}
    assert [run.info.run_name for run in seeds] == ["Row two, seed 0", "Row two, seed 1"]
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds} == {rows[1].info.run_id}
    assert rows[0].info.start_time > rows[1].info.start_time  # listed in the table's order
    keys = {"APe/here", "APe/printed", "APe/difference"}
    assert [set(run.data.metrics) for run in rows] == [keys, keys]
    assert [run.data.metrics["APe/here"] for run in (*rows, *seeds)] == [40.0, 43.0, 42.0, 44.0]
    assert {run.info.status for level in found.values() for run in level} == {"FINISHED"}
    note = table.data.tags["mlflow.note.content"]
    assert "#/compare-runs?" in note and "1 supported" in note
    assert f"[Row one](#/experiments/{table.info.experiment_id}/runs/{rows[0].info.run_id})" in note


def test_tags_lead_from_a_row_to_what_made_it(project: Path) -> None:
    log(project)
    one, two = runs_of(project)["row"]
    expected = {
        "esg.table": "T", "esg.row": "one", "esg.scale": "smoke", "esg.stage": "evaluate",
        "esg.seed": "0", "esg.git_commit": "c" * 40, "esg.git_dirty": "false",
        "esg.data_sha256": "0" * 64, "esg.config_sha256": "0" * 64,
    }  # fmt: skip
    assert expected.items() <= one.data.tags.items()
    assert two.data.tags["esg.seed"] == "0, 1"
    assert one.data.params["training"] == "model"
    assert "seed 0 (run unknown, not in this store)" in one.data.tags["mlflow.note.content"]
    assert one.inputs.dataset_inputs[0].dataset.name == "w, val"


def test_what_parts_share_is_of_the_row(project: Path) -> None:
    """A mean over data sets: each part has its share of it, under the same name."""
    parts = [made(0, value) | {"part": f"set-{value:.0f}"} for value in (30.0, 50.0)]
    write(project, [row("one", parts)])
    log(project)
    (one,) = [run for run in runs_of(project)["row"] if run.data.tags["esg.row"] == "one"]
    assert one.data.metrics["APe/here"] == 40.0


def test_table_that_is_there_is_not_logged_again(project: Path) -> None:
    log(project)
    assert log(project) == []
    assert len(runs_of(project)["table"]) == 1


def test_changed_table_is_logged_beside_the_old_one(project: Path) -> None:
    before, after = [row("one", [made(0, 40.0)])], [row("one", [made(0, 41.0)])]
    current = []
    for rows in (before, after, before):
        write(project, rows)
        log(project)
        there = runs_of(project)["table"]
        current += [run.info.run_id for run in there if run.data.tags["esg.current"] == "true"]
    assert len(there) == 2
    assert current[0] == current[2] != current[1]


def test_interrupted_log_is_finished_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tables.TableLog, "_log_seed", cut)
    with pytest.raises(KeyboardInterrupt):
        log(project)
    monkeypatch.undo()
    assert log(project) == ["T"]
    found = runs_of(project)
    assert {level: len(runs) for level, runs in found.items()} == {"table": 1, "row": 2, "seed": 2}
    client = open_store(project)
    assert len(client.get_metric_history(found["row"][0].info.run_id, "APe/here")) == 1


def test_models_are_registered_once_by_reference_with_their_scores(project: Path) -> None:
    log(project)
    client = open_store(project)
    versions = client.search_model_versions("name = 'model-smoke'")
    assert len(versions) == 2
    version = client.get_model_version_by_alias("model-smoke", "T-two-s1")
    assert version.tags["T-two-s1"] == "APe 44"
    assert version.tags["esg.checkpoint_sha256"] == "1" * 64
    experiment = client.get_experiment_by_name("esg/other tables").experiment_id
    (model,) = [
        model
        for model in client.search_logged_models([experiment])
        if model.artifact_location == version.source
    ]
    assert [(metric.key, metric.value) for metric in model.metrics] == [("APe/here", 44.0)]
    folder = Path(unquote(version.source.removeprefix("file://")))
    files = [path.name for path in folder.iterdir()]
    assert files == ["checkpoint.json"]


@pytest.mark.parametrize("recorded", [True, False])
def test_restored_training_is_linked_and_not_made_again(project: Path, recorded: bool) -> None:
    """By the run's id or, where the store was away when it ended, by its checkpoint's hash."""
    client = open_store(project)
    experiment = client.create_experiment("esg/other tables")
    tags = {"esg.level": "training", "esg.checkpoint_sha256": "0" * 64}
    training = client.create_run(experiment, tags=tags).info.run_id
    client.log_param(training, "lr", 0.1)
    write(project, [row("one", [made(0, 40.0) | {"run_id": training if recorded else None}])])
    log(project)
    assert len(runs_of(project)["training"]) == 1
    (row_run,) = runs_of(project)["row"]
    assert row_run.data.params["lr"] == "0.1"
    link = f"[seed 0](#/experiments/{experiment}/runs/{training})"
    assert row_run.data.tags["mlflow.note.content"] == f"Weights of `model`: {link}."
    (model,) = client.get_run(row_run.info.run_id).inputs.model_inputs
    assert client.get_logged_model(model.model_id).source_run_id == training
    assert client.get_run(training).outputs.model_outputs[0].model_id == model.model_id
