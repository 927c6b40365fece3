"""What one clone pushes, another pulls, and nothing is made again; what DVC shows of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.stub_project import commit, dvc, git, make
from workbench.paths import Layout
from workbench.trace import trace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pushed(tmp_path_factory) -> Path:
    """The project in git, reproduced, with a folder as its remote."""
    folder = tmp_path_factory.mktemp("pushed") / "project"
    folder.mkdir()
    make(folder, in_git=True)
    dvc(folder, "repro", "table@VI")
    dvc(folder, "remote", "add", "--default", "store", str(folder.with_name("store")))
    dvc(folder, "push")
    _write_curve(folder, 0.5)
    commit(folder)
    return folder


def _write_curve(folder: Path, last: float) -> None:
    path = folder / Layout("mini").curves("loss") / "vita.seed-0.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"iteration,loss\n10,1.0\n20,{last}\n")


@pytest.fixture
def clone(pushed, tmp_path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(pushed), str(folder)], check=True)
    return folder


def test_a_clone_that_pulled_runs_nothing(clone):
    dvc(clone, "pull", "--with-deps", "table@VI")
    assert (clone / "artifacts/mini/checkpoints/cropformer/train.json").is_file()
    assert (clone / "artifacts/mini/scores/VI/cropformer.json").is_file()
    assert "Running stage" not in dvc(clone, "repro", "table@VI")


def test_a_table_and_its_cells_need_no_data(clone, monkeypatch):
    dvc(clone, "pull", "table@VI")
    assert not (clone / "artifacts").exists()
    monkeypatch.chdir(clone)
    found = trace("VI:cropformer:size")
    assert found["runs"][0]["checkpoint"] == "artifacts/mini/checkpoints/cropformer/seed-0.pth"


def test_what_dvc_shows_of_a_change(pushed, tmp_path):
    """An experiment in a copy; its numbers against those in git, in DVC's own tables."""
    folder = tmp_path / "project"
    shutil.copytree(pushed, folder, symlinks=True)
    dvc(folder, "exp", "run", "-S", "train.vita.seeds=[0,1,2]", "table@VI")
    shown = dvc(folder, "metrics", "show", "reports/mini/metrics/VI")
    assert re.search(r"metrics/VI/cropformer\.json +\d+\n", shown)
    assert re.search(r"VI/vita\.json +size +\d+ +\d+ +6\n", dvc(folder, "metrics", "diff"))
    assert "cropformer" not in dvc(folder, "metrics", "diff")
    assert re.search(r"train\.vita\.seeds +\[0\] +\[0, 1, 2\]", dvc(folder, "params", "diff"))
    _write_curve(folder, 0.25)
    dvc(folder, "plots", "diff", "HEAD")
    page = (folder / "dvc_plots/index.html").read_text()
    assert "bars" in page and '"vita"' in page and '"workspace"' in page and '"HEAD"' in page
    assert '"loss": "0.5", "rev": "HEAD"' in page and '"loss": "0.25", "rev": "workspace"' in page
    varying = dvc(folder, "exp", "show", "--only-changed", "--csv").splitlines()[0]
    assert "train.vita.seeds" in varying and "train.cropformer" not in varying
    assert git(folder, "status", "--porcelain", "params.yaml").strip() == "M params.yaml"
