"""What a change makes DVC run again: the real dvc.yaml and params.yaml with stages that only copy.

One project is made once; each test changes one thing and restores it.
"""

import os
import re
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.stub_project import dvc, make
from workbench.pipeline.changes import Workspace, find_changes
from workbench.pipeline.stages import read_pipeline
from workbench.planning import plan

pytestmark = pytest.mark.slow


def ran(folder: Path, target: str = "table@VI") -> set[str]:
    """Reproduce a target and return the stages that were run."""
    return set(re.findall(r"Running stage '([^']+)'", dvc(folder, "repro", target)))


def rows(*names: str) -> set[str]:
    return {f"evaluate@VI__{name}" for name in names} | {"table@VI"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The project with stub stages, reproduced once."""
    folder = tmp_path_factory.mktemp("project")
    make(folder)
    first = ran(folder)
    assert {"prep@entityseg", "train@cropformer", "table@VI"} <= first
    assert "prep@coco" not in first, "Table VI needs no COCO"
    return folder


@pytest.fixture
def change(project):
    """Return a function that edits a file for the time of one test."""
    before: dict[Path, str] = {}

    def edit(name: str, edited) -> None:
        path = project / name
        before.setdefault(path, path.read_text())
        path.write_text(edited(path.read_text()))

    yield edit
    for path, text in before.items():
        path.write_text(text)
    ran(project)


def edit_params(**new):
    """Return an edit of params.yaml that sets ``train.cropformer.<field>`` and the like."""

    def edited(text: str) -> str:
        params = yaml.safe_load(text)
        for dotted, value in new.items():
            stage, key, field = dotted.split("__")
            params[stage][key.replace("_", "-")][field] = value
        return yaml.safe_dump(params)

    return edited


def test_nothing_changed_runs_nothing(project):
    assert ran(project) == set()
    os.utime(project / "params.yaml")
    assert ran(project) == set()


def test_parameters_of_one_run(project, change):
    change("params.yaml", edit_params(train__vita__seeds=[0, 1]))
    assert ran(project) == {"train@vita", "segment@vita"} | rows("vita")


def test_a_run_behind_two_rows(project, change):
    change("params.yaml", edit_params(train__cropformer__overrides={"lr": 1}))
    assert ran(project) == {
        "resolve@cropformer",
        "train@cropformer",
        "segment@cropformer",
        "segment@cropformer-crops",
    } | rows("cropformer", "cropformer-crops")


def test_config_of_one_row(project, change):
    change("configs/mini/baselines/vita.py", lambda text: text + "x = 1\n")
    expected = {"resolve@vita", "train@vita", "segment@vita"} | rows("vita")
    assert ran(project) == expected


def test_config_that_resolves_to_the_same(project, change):
    change("configs/mini/baselines/vita.py", lambda text: text + "# a remark\n")
    assert ran(project) == {"resolve@vita"}


def test_code_of_one_project(project, change):
    change("projects/baselines/__init__.py", lambda text: text + "x = 1\n")
    assert ran(project) == {"train@vita", "segment@vita", "segment@mask2former-hungarian"}


def test_code_of_a_metric(project, change):
    change("workbench/metrics/__init__.py", lambda text: text + "x = 1\n")
    assert {name.split("@")[0] for name in ran(project)} == {"evaluate"}


def test_unrelated_files(project, change):
    compiled = project / "workbench" / "engine" / "__pycache__" / "x.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_text("x")
    (project / "projects" / "README.md").write_text("x")
    change("configs/mini/worlds.yaml", lambda text: text.replace("coco:", "coco:\n  more: 1"))
    assert ran(project) == set()


def test_own_data_is_watched_where_it_is(project, change, tmp_path):
    (tmp_path / "train.json").write_text("1")
    own = {"street": {"root": str(tmp_path), "format": "coco_instances", "splits": {}}}
    change("params.yaml", lambda text: yaml.safe_dump(yaml.safe_load(text) | {"own_data": own}))
    assert ran(project, "own_data@street") == {"own_data@street"}
    assert ran(project, "own_data@street") == set()
    (tmp_path / "train.json").write_text("2")
    assert ran(project, "own_data@street") == {"own_data@street"}


def test_changes_are_those_that_dvc_finds(project, change):
    """Of all stages: inputs, outputs, parameters, never run."""
    change("params.yaml", edit_params(train__vita__seeds=[0, 1]))
    change("projects/baselines/__init__.py", lambda text: text + "x = 1\n")
    change("artifacts/mini/checkpoints/cropformer/train.json", lambda text: text + " ")
    change("artifacts/mini/entities/vita/segment.json", lambda text: text + " ")
    with Repo(str(project)) as repo:
        pipeline = read_pipeline(repo)
        found = find_changes(pipeline, Workspace(repo), list(pipeline.stages))
        assert set(found) == set(repo.status())
        graph = repo.index.graph
        edges = {s.addressing: {u.addressing for u in graph.successors(s)} for s in graph}
    assert {name: set(before) for name, before in pipeline.upstream.items()} == edges
    seen: set[str] = set()
    for name in pipeline.stages:
        assert edges[name] <= seen, name
        seen.add(name)


def test_plan_says_what_would_run(project, change, monkeypatch):
    monkeypatch.chdir(project)
    assert plan("table@VI").stages == ()
    change("params.yaml", edit_params(segment__vita__overrides={"x": 1}))
    planned = plan("table@VI")
    names = [stage.name for stage in planned.stages]
    assert names == ["segment@vita", "evaluate@VI__vita", "table@VI"]
    assert planned.stages[1].reason == "after segment@vita"
    assert planned.unknown == tuple(names)
    assert "unknown: no run is recorded" in planned.render()
