from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.tracking.liveness import (
    BOOT,
    HOST,
    NAMESPACE,
    PID,
    STARTED,
    close_dead_runs,
    is_dead,
    process_tags,
    reap,
)
from workbench.tracking.store import open_store


def dead_tags() -> dict[str, str]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process_tags() | {PID: str(process.pid), STARTED: "1"}


def test_process_that_lives_is_not_dead() -> None:
    assert not is_dead(process_tags())


def test_process_that_ended_is_dead() -> None:
    assert is_dead(dead_tags())


def test_process_that_waits_to_be_collected_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(process_tags() | {PID: str(process.pid)})
    process.wait()


def test_number_given_to_another_process_is_dead() -> None:
    assert is_dead(process_tags() | {STARTED: "1"})


def test_run_from_before_the_machine_started_is_dead() -> None:
    assert is_dead(process_tags() | {BOOT: "another"})


def test_what_is_not_known_is_left_alone() -> None:
    assert not is_dead(dead_tags() | {HOST: "another"})
    assert not is_dead(dead_tags() | {BOOT: "unknown"})
    assert not is_dead({})


def test_process_of_another_container_is_left_alone() -> None:
    assert not is_dead(dead_tags() | {NAMESPACE: "another"})
    assert not is_dead(dead_tags() | {NAMESPACE: "another", BOOT: "another"})
    before = {name: value for name, value in dead_tags().items() if name != NAMESPACE}
    assert not is_dead(before)


def test_process_that_is_hidden_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = dead_tags()

    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (int(tags[PID]), 0)
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert not is_dead(tags)


def test_only_dead_runs_of_this_host_are_closed(root: Path) -> None:
    client = open_store(root)
    experiment = client.create_experiment("toys")
    tags = {"dead": dead_tags(), "live": process_tags(), "far": dead_tags() | {HOST: "another"}}
    runs = {
        name: client.create_run(experiment, start_time=1000, tags=of, run_name=name).info.run_id
        for name, of in tags.items()
    }
    client.log_metric(runs["dead"], "train/loss", 1.0, timestamp=2000)
    (closed,) = close_dead_runs(client)
    assert (closed.name, closed.id) == ("dead", runs["dead"])
    assert reap(root) == []
    status = {name: client.get_run(run).info for name, run in runs.items()}
    assert [status[name].status for name in tags] == ["KILLED", "RUNNING", "RUNNING"]
    assert status["dead"].end_time == 2000
