"""Stages side by side, with the real DVC on a pipeline of stages that only wait."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from workbench.processes import cores
from workbench.warm import warm_python

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

# Notes when it began and ended and with how many threads; asked to stop, says so and exits by 75.
STUB = """
import json, os, signal, sys, time
name, *needed = sys.argv[1:]
params = json.load(open("settings.json"))

def note(what):
    with open("events.txt", "a") as file:
        file.write(json.dumps([what, name, time.time(), os.environ.get("OMP_NUM_THREADS")]) + "\\n")

def stop(number, frame):
    note("stopped")
    sys.exit(75)

signal.signal(signal.SIGTERM, stop)
note("begin")
print("half a line", end="", flush=True)
time.sleep(params["seconds"].get(name, 0.3))
print(", the rest")
if name == params["failing"]:
    sys.exit("this stage fails")
open(f"{name}.out", "w").write("".join(open(f"{each}.out").read() for each in needed) + name)
note("end")
"""
NEEDED = {"a": [], "b": [], "c": [], "d": ["a", "b"], "e": ["d"], "all": ["c", "e"]}


@pytest.fixture
def project(tmp_path) -> Path:
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "params.yaml").write_text("scale: mini\n")
    (folder / "stub.py").write_text(STUB)
    stages = {
        name: {
            "cmd": " ".join(["python stub.py", name, *needed]),
            "deps": ["stub.py", *(f"{each}.out" for each in needed)],
            "outs": [f"{name}.out"],
        }
        for name, needed in NEEDED.items()
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    settle(folder)
    return folder


def settle(folder: Path, failing: str | None = None, **seconds: float) -> None:
    """Say how long stages take and which one fails; not a dependency of any."""
    (folder / "settings.json").write_text(json.dumps({"failing": failing, "seconds": seconds}))


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ours = {"PATH": path, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": ""}
    return os.environ | ours


def start(
    folder: Path, *arguments: str, module: str = "workbench.repro", python: str = sys.executable
) -> subprocess.Popen:
    return start_process(folder, python, "-m", module, *arguments)


def start_script(folder: Path, script: str, *arguments: str) -> subprocess.Popen:
    return start_process(folder, sys.executable, "-c", script, *arguments)


def start_process(folder: Path, *command: str) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def repro(folder: Path, *arguments: str) -> tuple[int, str]:
    process = start(folder, *arguments)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def events(folder: Path, what: str) -> dict[str, float]:
    path = folder / "events.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: at for kind, name, at, _ in map(json.loads, lines) if kind == what}


def wait_for(folder: Path, what: str, *names: str) -> None:
    until = time.monotonic() + 120
    while not set(names) <= set(events(folder, what)):
        assert time.monotonic() < until, f"{names} did not {what}"
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes whose working directory is the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder:
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [command for command in found if command]


def test_order_number_at_once_and_lock_file(project, tmp_path):
    settle(project, a=1.5, b=1.5)
    code, output = repro(project, "all", "--jobs", "2")
    assert code == 0, output
    begin, end = events(project, "begin"), events(project, "end")
    assert set(begin) == set(NEEDED)
    for name, needed in NEEDED.items():
        assert all(end[each] <= begin[name] for each in needed), name
    at_once = [sum(begin[n] <= at < end[n] for n in begin) for at in begin.values()]
    assert max(at_once) == 2
    assert "a | half a line, the rest\n" in output
    assert "all at scale mini: 6 of 6 stages to run" in output
    threads = {json.loads(line)[3] for line in (project / "events.txt").open()}
    assert threads == {str(max(1, cores() // 2))}

    serial = make_project(tmp_path / "serial")
    process = start(serial, "repro", "all", module="dvc")
    assert process.wait(60) == 0
    assert lock(project) == lock(serial)

    (project / "events.txt").unlink()
    code, output = repro(project, "all")
    assert (code, events(project, "begin")) == (0, {})
    assert "up to date, nothing to run" in output


def lock(folder: Path) -> dict:
    return yaml.safe_load((folder / "dvc.lock").read_text())


def test_a_failure_stops_what_needs_it_and_no_more(project):
    settle(project, failing="b")
    code, output = repro(project, "--jobs", "2")
    assert code == 1
    assert set(events(project, "end")) == {"a", "c"}
    assert "b | this stage fails\n" in output
    assert "error: failed: b\nerror: not run because of that: d, e, all\n" in output
    settle(project)
    (project / "events.txt").unlink()
    assert repro(project, "--jobs", "2")[0] == 0
    assert set(events(project, "end")) == {"b", "d", "e", "all"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_lets_stages_save(project, number):
    settle(project, a=60, b=60)
    process = start(project, "e", "--jobs", "2")
    wait_for(project, "begin", "a", "b")
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 75, output
    assert output.endswith("error: interrupted; the same command resumes\n")
    assert set(events(project, "stopped")) == {"a", "b"}
    assert processes_in(project) == []
    settle(project)
    assert repro(project, "e", "--jobs", "2")[0] == 0


def test_signals_and_exit_codes_pass_through_a_warm_process(project, tmp_path):
    settle(project, a=60, b=60)
    with warm_python(tmp_path / "warm") as path:
        shim = str(Path(path.split(os.pathsep)[0]) / "python")
        process = start(project, "e", "--jobs", "2", python=shim)
        wait_for(project, "begin", "a", "b")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 75, output
    assert set(events(project, "stopped")) == {"a", "b"}


# Ends the stage's process in the middle of writing dvc.lock, by the signal of the first argument.
ENDED_WHILE_WRITING = """
import io, os, sys
from dvc.utils.serialize import _yaml
from workbench import repro
whole = _yaml._dump

def half(data, stream):
    text = io.StringIO()
    whole(data, text)
    if "stages" not in data:  # an entry of DVC's run cache
        return stream.write(text.getvalue())
    stream.write(text.getvalue()[:len(text.getvalue()) // 2])
    stream.flush()
    os.kill(os.getpid(), int(sys.argv[1]))

_yaml._dump = half
sys.exit(repro.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ended_while_it_writes_dvc_lock_it_leaves_the_old_one(project, number):
    assert repro(project, "a")[0] == 0
    before = (project / "dvc.lock").read_text()
    process = start_script(project, ENDED_WHILE_WRITING, str(int(number)), "b")
    output, _ = process.communicate(timeout=60)
    assert "b" in events(project, "end") and process.returncode != 0, output
    assert (project / "dvc.lock").read_text() == before
    code, output = repro(project, "b")
    assert code == 0 and set(lock(project)["stages"]) == {"a", "b"}, output


def test_what_dvc_did_not_expect_is_shown(project):
    script = """
import sys
from workbench import repro
repro._reproduce_one = lambda name: {}["odd"]
sys.exit(repro.main(["a"]))
"""
    process = start_script(project, script)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "a | KeyError: 'odd'" in output


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's death")
def test_killed_it_leaves_no_process(project):
    settle(project, a=60, b=60)
    process = start(project, "e", "--jobs", "2")
    wait_for(project, "begin", "a", "b")
    process.kill()
    process.communicate()
    wait_for(project, "stopped", "a", "b")
    until = time.monotonic() + 20
    while processes_in(project) and time.monotonic() < until:
        time.sleep(0.1)
    assert processes_in(project) == []


def test_one_at_a_time(project):
    code, output = repro(project, "d", "--jobs", "1")
    assert code == 0, output
    begin, end = events(project, "begin"), events(project, "end")
    order = sorted(begin, key=begin.__getitem__)
    assert (set(order), order[-1]) == ({"a", "b", "d"}, "d")
    assert all(end[before] <= begin[after] for before, after in pairwise(order))


def test_what_is_done_and_left_is_said_in_place_on_a_terminal(project):
    settle(project, a=2.0)
    terminal, side = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.repro", "d", "--jobs", "2"],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=side,
    )
    os.close(side)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the process ends
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert process.wait(30) == 0
    assert re.search(rb"\r\x1b\[K[012] of 3 stages done; running: a \(\d s\)", shown)
    assert shown.endswith(b"\r\x1b[K")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["moon"], "error: dvc.yaml: moon: no such target; use"),
        (["--jobs", "0"], "error: argument --jobs: '0' is not a positive integer"),
    ],
)
def test_wrong_usage(project, arguments, line):
    code, output = repro(project, *arguments)
    assert code == 2
    assert line in output
