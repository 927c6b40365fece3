from __future__ import annotations

import subprocess
from pathlib import Path

from workbench.tracking.git import GitState, git_state


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_commit_and_changes(tmp_path: Path) -> None:
    assert git_state(tmp_path) == GitState(None, False)
    git(tmp_path, "init")
    (tmp_path / "a.py").write_text("1")
    assert git_state(tmp_path) == GitState(None, True)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    clean = git_state(tmp_path)
    assert clean.commit is not None and len(clean.commit) == 40 and not clean.dirty
    (tmp_path / "dvc.lock").write_text("made by a run")
    assert not git_state(tmp_path).dirty
    (tmp_path / "a.py").write_text("2")
    assert git_state(tmp_path).dirty
