"""The real dvc.yaml and params.yaml with stages that only copy, and the commands to run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STAGES = ("prep", "resolve", "train", "segment", "evaluate", "table")
CONFIG = "[core]\n    analytics = false\n"


def dvc(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(folder)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def make(folder: Path, in_git: bool = False) -> None:
    """Lay out the project; nothing is reproduced yet."""
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy2(ROOT / name, folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text(CONFIG + ("" if in_git else "    no_scm = true\n"))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    code = ["engine", "datasets", "layers", "metrics", "reporting", "scoring", "segmentation"]
    needed = [f"workbench/{name}/__init__.py" for name in code]
    needed += ["workbench/photos.py", "workbench/overrides.py"]
    needed += ["configs/_base_/base.py", "projects/cropformer/__init__.py"]
    needed += ["projects/baselines/__init__.py", "reports/tables/VI.yaml"]
    needed += [f"configs/mini/{item['config']}.py" for item in params["train"].values()]
    for name in needed:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    worlds = {name: {"seed": 0} for name in params["prep"]}
    (folder / "configs/mini/worlds.yaml").write_text(yaml.safe_dump(worlds))
    for stage in STAGES:
        target = folder / "workbench" / "stages" / f"{stage}.py"
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(Path(__file__).with_name("stub_stage.py"), target)
    if in_git:
        shutil.copy2(ROOT / ".gitignore", folder)
        git(folder, "init")
        commit(folder)


def commit(folder: Path) -> None:
    """Commit all."""
    git(folder, "add", "-A")
    git(folder, "commit", "--allow-empty", "-m", "all")
