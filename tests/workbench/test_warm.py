"""Stages in processes that start with MMDetection imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.warm import warm_python

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_warm_process_is_like_a_cold_one(tmp_path):
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    with warm_python(tmp_path / "warm") as path:
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "WORD": "said"}

        def run(*command):
            where = {"cwd": tmp_path, "env": environment}
            return subprocess.run(command, **where, capture_output=True, text=True)

        usage = run("python", "-m", "workbench.stages.table")
        assert usage.returncode == 2 and usage.stderr.startswith("usage: python -m workbench")
        other = run("python", "-c", "import os, sys; print(os.environ['WORD'], sys.executable)")
        assert other.stdout.split() == ["said", sys.executable]
        assert (
            run("sh", "-c", "python -m workbench.stages.table 2>&1 | wc -l").stdout.strip() == "1"
        )
