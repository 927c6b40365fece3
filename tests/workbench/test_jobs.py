"""Jobs of several processes, started by torchrun and by (a stand-in for) Slurm."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.workbench.rank_job import Wish
from workbench.errors import AlreadyReported, BadInput, Interrupted
from workbench.jobs import run_job
from workbench.launching import Launch, environment, launch_of
from workbench.processes import cores
from workbench.rank import from_slurm

MODULE = "tests.workbench.rank_job"
TORCHRUN = Launch("torchrun", 2)
SLURM = Launch("slurm", 2, ("--gpus-per-task=1",))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with a stand-in for srun on the PATH."""
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    (tmp_path / "bin").mkdir()
    shutil.copy(Path(__file__).parent / "fake_srun.py", tmp_path / "bin" / "srun")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("SRUN_LOG", str(tmp_path / "srun.txt"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("launch", [TORCHRUN, SLURM], ids=["torchrun", "slurm"])
def test_processes_share_items_and_cores(
    project: Path, launch: Launch, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run_job(MODULE, Wish("wish", "work"), launch)
    assert result == {"parts": [[0, 2, 4], [1, 3]], "threads": max(1, cores() // 2)}
    said = capfd.readouterr()
    assert said.out == "working\n" and said.err == ""
    if launch is SLURM:
        options = (project / "srun.txt").read_text().split()
        assert options == ["--ntasks=2", "--kill-on-bad-exit=1", "--gpus-per-task=1"]


@pytest.mark.slow
@pytest.mark.parametrize("launch", [TORCHRUN, SLURM], ids=["torchrun", "slurm"])
@pytest.mark.parametrize(
    ("second", "code", "line"),
    [
        ("refuse", 2, "error: wish: a.yaml: b: wrong; correct it"),
        ("break", 1, "error: wish: process 1: ArithmeticError: broke; the traceback is in "),
    ],
)
def test_error_of_one_ends_both_in_one_line(
    project: Path, launch: Launch, second: str, code: int, line: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(AlreadyReported) as raised:
        run_job(MODULE, Wish("wish", second), launch)
    assert raised.value.exit_code == code
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(line)
    if second == "break":
        assert "for good" in Path(said.rpartition(" ")[2]).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("launch", [TORCHRUN, SLURM], ids=["torchrun", "slurm"])
def test_end_of_one_by_a_signal_ends_both(
    launch: Launch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Slurm tells of the highest exit code, which may be that of a process ended in consequence.
    with pytest.raises(Interrupted, match="ended by signal (9|15)"):
        run_job(MODULE, Wish("wish", str(int(signal.SIGKILL))), launch)
    assert capfd.readouterr().err == ""


def test_torchrun_leaves_a_process_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.launching.cores", lambda: 9)
    assert environment(TORCHRUN)["OMP_NUM_THREADS"] == "4"
    assert "OMP_NUM_THREADS" not in environment(SLURM)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert environment(TORCHRUN)["OMP_NUM_THREADS"] == "2"


def test_launch_of_params() -> None:
    assert launch_of({}) == Launch()
    given = {"launcher": "slurm", "processes": 8, "srun": ["--partition=gpu"]}
    assert launch_of({"launch": given}) == Launch("slurm", 8, ("--partition=gpu",))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"launcher": "mpi"}, "launch.launcher"),
        ({"launcher": "torchrun", "processes": 0}, "launch.processes"),
        ({"launcher": "torchrun", "processes": "two"}, "launch.processes"),
        ({"processes": 2}, "launch.processes: 2 without launcher"),
        ({"launcher": "slurm", "srun": "--partition=gpu"}, "launch.srun"),
        ({"gpus": 8}, "launch: "),
        ("torchrun", "launch: "),
    ],
)
def test_unusable_launch_is_refused(given: object, field: str) -> None:
    with pytest.raises(BadInput, match=field):
        launch_of({"launch": given})


def test_variables_of_a_slurm_task_on_two_nodes(project: Path) -> None:
    scontrol = project / "bin" / "scontrol"
    scontrol.write_text("#!/bin/sh\n[ \"$3\" = 'gpu[1-2]' ] && printf 'gpu1\\ngpu2\\n'\n")
    scontrol.chmod(0o755)
    slurm = {
        "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NTASKS": "8", "SLURM_NNODES": "2",
        "SLURM_NODELIST": "gpu[1-2]", "SLURM_STEP_TASKS_PER_NODE": "4(x2)", "SLURM_JOB_ID": "7",
    }  # fmt: skip
    found = from_slurm(slurm)
    assert (found["RANK"], found["LOCAL_RANK"], found["WORLD_SIZE"]) == ("5", "1", "8")
    assert (found["LOCAL_WORLD_SIZE"], found["MASTER_ADDR"]) == ("4", "gpu1")
    same = {**slurm, "SLURM_PROCID": "0"}
    other = {**slurm, "SLURM_STEP_ID": "1"}
    assert from_slurm(same)["MASTER_PORT"] == found["MASTER_PORT"]
    assert from_slurm(other)["MASTER_PORT"] != found["MASTER_PORT"]
