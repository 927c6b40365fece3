"""What all stages share: where they run, how they end."""

import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import EsgError
from workbench.stages.cli import run_stage

ROOT = Path(__file__).parents[3]
STAGES = sorted(path.stem for path in (ROOT / "workbench/stages").glob("*.py"))


def test_a_stage_runs_in_the_root_wherever_it_is_started(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("scale: mini\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    seen = []
    assert run_stage(lambda key: seen.append((key, Path.cwd())), ["x", "a"]) == 0
    assert seen == [("a", tmp_path)]


def test_errors_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def stage(key):
        raise EsgError(f"{key} is wrong")

    assert run_stage(stage, ["x", "a"]) == 4
    assert capsys.readouterr().err == (
        f"stage a: {tmp_path}/params.yaml: not found; run the command inside a checkout of the "
        "project\n"
    )
    (tmp_path / "params.yaml").write_text("scale: mini\n")
    assert run_stage(stage, ["x", "a"]) == 1
    assert capsys.readouterr().err == "stage a: a is wrong\n"
    assert run_stage(stage, ["x"]) == 2


@pytest.mark.slow
def test_no_stage_ends_in_a_traceback_outside_a_checkout(tmp_path):
    code = (
        "import runpy, sys\nfor name in sys.argv[1:]:\n    sys.argv = [name, 'key']\n"
        "    try:\n        runpy.run_module(f'workbench.stages.{name}', run_name='__main__')\n"
        "    except SystemExit as end:\n        print(name, end.code)\n"
    )
    names = [name for name in STAGES if name not in ("__init__", "cli", "asking", "headline")]
    command = [sys.executable, "-c", code, *names]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"{name} 4" for name in names], done.stderr
    said = [line for line in done.stderr.splitlines() if "params.yaml: not found; run" in line]
    assert len(said) == len(names) and "Traceback" not in done.stderr
