"""Commit of the code that makes a result."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GitState:
    """Commit hash, None without any commit, and whether there are uncommitted changes."""

    commit: str | None
    dirty: bool


def git_state(folder: Path) -> GitState:
    """Return the state of the repository that holds ``folder``.

    Outputs of the pipeline that are kept in git (``dvc.lock``, ``reports``) do not count as
    changes: a run writes them itself.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    ignored = (":(exclude)dvc.lock", ":(exclude)reports")
    changes = _git(folder, "status", "--porcelain", "--", ".", *ignored)
    return GitState(commit or None, bool(changes))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
