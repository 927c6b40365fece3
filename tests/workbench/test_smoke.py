"""The trial of the whole flow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workbench.smoke import _alone, prepare

ROOT = Path(__file__).parents[2]


def test_copy_has_its_own_scale_and_leaves_the_project_as_it_was(tmp_path):
    before = (ROOT / "params.yaml").read_bytes()
    copy = tmp_path / "smoke"
    copy.mkdir()
    (copy / "old").touch()
    prepare(ROOT, copy)
    assert (ROOT / "params.yaml").read_bytes() == before
    params = yaml.safe_load((copy / "params.yaml").read_text())
    assert (params["scale"], params["own_data"]) == ("smoke", {})
    assert all(item["seeds"] == [0] for item in params["train"].values())
    assert not (copy / "old").exists()
    assert not list(copy.rglob("__pycache__"))
    assert (copy / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()


HOLD = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(0.5)
"""


def test_a_second_run_waits_for_the_first(tmp_path, capsys):
    copy = tmp_path / "work_dirs" / "smoke"
    copy.parent.mkdir()
    command = [sys.executable, "-c", HOLD, str(copy.with_suffix(".lock"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with _alone(copy):
            assert first.wait(5) == 0
    assert "waiting for its end" in capsys.readouterr().out


@pytest.mark.slow
def test_whole_flow_at_smoke_scale():
    """Every stage of Table VI runs and the table has a value in each row that is reproduced."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "workbench.smoke"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.findall(r"Running stage '(\w+)@?.*'", done.stdout).count("train") == 6
    assert "numbers mean nothing" in done.stdout
    copy = ROOT / "work_dirs" / "smoke"
    table = yaml.safe_load((copy / "reports/smoke/tables/VI.json").read_text())
    done_rows = {row["id"] for row in table["rows"] if row["status"] == "reproduced"}
    evaluated = yaml.safe_load((copy / "params.yaml").read_text())["evaluate"].values()
    assert done_rows == {item["row"] for item in evaluated if item["table"] == "VI"}
    assert (copy / "reports/smoke/headline.md").is_file()
    page = (copy / "reports/smoke/index.html").read_text()
    assert "These numbers mean nothing" in page
    assert "Not drawn" not in page, "a training curve or a picture is missing"
