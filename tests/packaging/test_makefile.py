"""What a newcomer sees: `make help`, and one line that names what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def make(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess:
    environment = {"PATH": str(path) if path else os.environ["PATH"], "HOME": str(folder)}
    command = [MAKE, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, folder)
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    return folder


@pytest.fixture
def tools(tmp_path):
    """A PATH with git and a python3.11 that answers all questions with yes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "sed", "touch"):
        (folder / name).symlink_to(shutil.which(name))
    script(folder / "python3.11", "echo yes")
    return folder


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def one_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("target", ["repro", "test", "smoke"])
def test_missing_python_is_named(checkout, tools, target):
    (tools / "python3.11").unlink()
    line = one_line(make(checkout, target, path=tools))
    assert "python3.11 not found: install Python 3.11" in line


def test_other_python_is_refused(checkout, tools):
    script(tools / "python3.11", 'case "$2" in *version_info*) echo;; *) echo yes;; esac')
    assert "is not Python 3.11" in one_line(make(checkout, "test", path=tools))


def test_missing_venv_module_is_named(checkout, tools):
    script(tools / "python3.11", 'case "$2" in *ensurepip*) exit 1;; *) echo yes;; esac')
    assert "has no venv module" in one_line(make(checkout, "test", path=tools))


def test_missing_git_is_named(checkout, tools):
    (tools / "git").unlink()
    assert "git not found: install git" in one_line(make(checkout, "repro", path=tools))


def test_an_archive_is_refused(checkout, tools):
    shutil.rmtree(checkout / ".git")
    assert "not a git repository" in one_line(make(checkout, "repro", path=tools))


def test_help_is_the_default_and_lists_every_target(checkout):
    done = make(checkout)
    assert done.returncode == 0, done.stderr
    for target in ("repro", "test", "smoke", "all", "ui", "ops", "lint"):
        assert f"{target} " in done.stdout


def test_finished_setup_is_not_repeated(checkout):
    stamps = checkout / ".venv"
    (stamps / "bin").mkdir(parents=True)
    (stamps / "bin" / "python").touch()
    for name in (".installed", ".installed-dev"):
        (stamps / name).touch()
    assert " install " not in make(checkout, "--dry-run", "test").stdout
    os.utime(stamps / ".installed", (0, 0))
    assert " install " in make(checkout, "--dry-run", "test").stdout


@pytest.mark.parametrize("target", ["repro", "all"])
def test_number_of_jobs_is_passed_on(checkout, target):
    assert "--jobs 3" in make(checkout, "--dry-run", target, "JOBS=3").stdout
    assert "--jobs" not in make(checkout, "--dry-run", target).stdout


def test_ops_builds_with_torch_in_sight_and_past_the_cache(checkout):
    plan = make(checkout, "--dry-run", "ops").stdout
    for option in ("--no-build-isolation", "--no-cache-dir", "--force-reinstall", "--no-deps"):
        assert option in plan


def test_continuous_integration_runs_the_users_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("make test")
