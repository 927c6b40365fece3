"""A small pipeline in git that was reproduced once; each test gets a copy of it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

DVC_YAML = """
stages:
  prep:
    foreach: ${prep}
    do:
      cmd: mkdir -p artifacts/mini/data/${key} && cp code/prep.txt artifacts/mini/data/${key}/
      deps: [code/prep.txt]
      outs: ["artifacts/mini/data/${key}"]
  train:
    foreach: ${train}
    do:
      cmd: mkdir -p artifacts/mini/checkpoints && cat params.yaml code/model/* > ${item.to}
      deps: [code/model, "artifacts/mini/data/${item.dataset}/prep.txt"]
      params: ["train.${key}.overrides", "train.${key}.seeds"]
      outs: ["${item.to}"]
  table:
    foreach: [VI, X]
    do:
      cmd: mkdir -p reports && cat artifacts/mini/checkpoints/${item}-* > reports/${item}.md
      deps: ["artifacts/mini/checkpoints/${item}-a"]
      outs: [{"reports/${item}.md": {cache: false}}]
  headline:
    cmd: cat reports/VI.md reports/X.md > reports/headline.md
    deps: [reports/VI.md, reports/X.md]
    outs: [reports/headline.md]
"""
PARAMS = """
scale: mini
prep: {world: {}}
train:
  VI-a:
    dataset: world
    to: artifacts/mini/checkpoints/VI-a
    seeds: [0]
    overrides: {optimizer: {lr: 1e-4, decay: 0.05}}
  X-a: {dataset: world, to: artifacts/mini/checkpoints/X-a, seeds: [0], overrides: {}}
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "project"
    (folder / "code/model").mkdir(parents=True)
    git(folder, "init")
    Repo.init(str(folder)).close()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "code/prep.txt").write_text("a\n")
    (folder / "code/model/head.py").write_text("queries = 20\nwidth = 64\n")
    (folder / "code/model/body.py").write_text("depth = 18\n")
    (folder / ".gitignore").write_text("/artifacts/\n__pycache__/\n")
    (folder / ".dvcignore").write_text("__pycache__\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with Repo() as repo:
            repo.reproduce()
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "all")
    return folder


@pytest.fixture
def project(reproduced, tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(reproduced, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def edit(project):
    """Return a function that replaces text in a file of the project."""

    def replace(name: str, old: str, new: str) -> None:
        path = project / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return replace
