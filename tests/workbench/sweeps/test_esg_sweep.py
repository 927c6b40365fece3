"""``esg sweep`` on a toy: search with pruning, resume to a greater total, results, apply."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml

from tests.workbench.sweeps.conftest import PARAMS, SweepProject
from workbench.errors import BadInput, EsgError
from workbench.sweeps.prepare import prepare


def rows(project: SweepProject) -> list[dict[str, str]]:
    with (project.outputs / "trials.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def inside(project, monkeypatch) -> SweepProject:
    monkeypatch.chdir(project.root)
    return project


@pytest.mark.slow
def test_a_sweep_from_search_to_apply(project):
    project.declare(pruner={"name": "median", "n_startup_trials": 1})
    code, out, err = project.run("toy", "--n-trials", "4", "--workers", "1", "--json")
    assert code == 0, out + err
    first = json.loads(out)
    assert (first["begun"], first["completed"] + first["pruned"]) == (4, 4)

    code, out, err = project.run("toy", "--n-trials", "6", "--workers", "2")
    assert code == 0 and "6 trials, 4 finished before, 2 workers" in out, out + err
    table = rows(project)
    assert [row["trial"] for row in table] == [str(number) for number in range(6)]
    assert {row["state"] for row in table} == {"complete", "pruned"}
    assert {row["last_iteration"] for row in table if row["state"] == "pruned"} == {"10"}
    assert {row["last_iteration"] for row in table if row["state"] == "complete"} == {"20"}
    check_files(project, table)
    check_runs(project, table)
    assert not list(project.root.glob("work_dirs/*/*.pth")), "weights of trials are kept"
    check_applied(project)


def check_files(project: SweepProject, table: list[dict[str, str]]) -> None:
    best = yaml.safe_load((project.outputs / "best.yaml").read_text())
    completed = [float(row["value"]) for row in table if row["state"] == "complete"]
    assert best["value"] == max(completed)
    names = {path.name for path in project.outputs.iterdir()}
    plots = {"history.png", "parallel_coordinates.png", "importance.png"}
    assert names - {"importance.png"} == {"best.yaml", "trials.csv", "sweep.json"} | plots - {
        "importance.png"
    }
    assert ("importance.png" in names) == (len(set(completed)) > 1)


def check_runs(project: SweepProject, table: list[dict[str, str]]) -> None:
    """Each trial is a run below the study's, found by the id in the table."""
    from workbench.tracking.store import open_store

    client = open_store(project.root)
    runs = {row["mlflow_run_id"]: client.get_run(row["mlflow_run_id"]) for row in table}
    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in runs.values()}
    assert len(runs) == len(table) and parent not in runs
    assert client.get_run(parent).data.tags["esg.sweep"] == "toy"
    (experiment,) = {client.get_run(each).info.experiment_id for each in (parent, *runs)}
    assert experiment != "0"
    for row in table:
        run = runs[row["mlflow_run_id"]]
        assert run.info.run_name == f"toy trial {row['trial']}"
        assert run.info.status == ("FINISHED" if row["state"] == "complete" else "KILLED")
        value = run.data.params["val_evaluator.value"]
        assert float(value) == float(row["val_evaluator.value"])
        assert "val/score" in run.data.metrics


def check_applied(project: SweepProject) -> None:
    code, out, err = project.run("apply", "toy")
    assert code == 0 and "+" in out, out + err
    text = (project.root / "params.yaml").read_text()
    best = yaml.safe_load((project.outputs / "best.yaml").read_text())["params"]
    assert yaml.safe_load(text)["train"]["toy"]["overrides"] == best["train"]["toy"]["overrides"]
    assert "  # the only one" in text and text.startswith("# What is run.")


def test_what_changes_results_is_another_study(inside):
    before = prepare("toy")
    inside.declare(budget={"n_trials": 9, "iterations": 20, "validate_every": 10})
    assert prepare("toy").folder == before.folder, "the number of trials may change"
    inside.declare(budget={"n_trials": 4, "iterations": 30, "validate_every": 10})
    assert prepare("toy").folder != before.folder
    inside.declare(objective={"metric": "score", "direction": "minimize"})
    assert prepare("toy").folder != before.folder
    inside.declare()
    data = inside.root / "artifacts" / "smoke" / "data" / "toy" / "train.json"
    data.write_text("[0.5]")
    assert prepare("toy").study_name != before.study_name


def test_overrides_of_the_training_do_not_change_its_sweep(inside):
    before = prepare("toy").folder
    path = inside.root / "params.yaml"
    path.write_text(PARAMS.replace("overrides: {}", "overrides: {model: {width: 4}}"))
    assert prepare("toy").folder == before


def test_a_name_that_is_no_path(inside):
    space = {"model.depth": {"type": "int", "low": 1, "high": 2}}
    inside.declare(space=space)
    with pytest.raises(BadInput, match="space.model.depth: the config has no model.depth"):
        prepare("toy")


def test_more_trials_than_the_grid_has(inside):
    space = {"model.width": {"type": "int", "low": 1, "high": 3}}
    inside.declare(space=space, sampler="grid")
    assert prepare("toy").total(3) == 3
    with pytest.raises(BadInput, match="--n-trials: TOTAL: 4; give at most the grid's 3 points"):
        prepare("toy").total(4)


def test_where_the_study_is(inside, monkeypatch):
    sweep = prepare("toy")
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    assert sweep.place(None, 30).url == f"sqlite:///{sweep.folder / 'study.db'}"
    monkeypatch.setenv("OPTUNA_STORAGE", "journal:log")
    assert sweep.place(None, 30).url == "journal:log"
    assert sweep.place("sqlite:///a.db", 30).url == "sqlite:///a.db"


def test_showing_a_study_that_is_not_there(inside):
    from workbench.sweeps.study import open_study

    sweep = prepare("toy")
    with pytest.raises(EsgError, match="no study of this space, config and code"):
        open_study(sweep.place(None, 30), sweep.spec, create=False)
    assert not sweep.folder.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "configs/sweeps/show.yaml: not found"),
        (["a", "b"], "give one name, after show or apply"),
        (["show", "toy", "--dry-run"], "use it with `esg sweep apply NAME`"),
        (["toy", "--storage", "mysql://x"], "--storage: URL: 'mysql'"),
    ],
)
def test_wrong_usage_is_one_line(inside, capsys, words, said):
    from workbench.cli.main import main

    assert main(["sweep", *words]) in (2, 4)
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_the_page_names_both_ready_sweeps():
    root = Path(__file__).parents[3]
    page = (root / "docs" / "sweeps.md").read_text()
    for path in (root / "configs" / "sweeps").glob("*.yaml"):
        assert f"`{path.stem}`" in page
