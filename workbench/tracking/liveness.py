"""Telling whether the process that made a run still lives: tags it leaves, and runs left open."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.tracking.store import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOST, BOOT, PID, STARTED = "esg.host", "esg.boot_id", "esg.pid", "esg.pid_started"
NAMESPACE = "esg.pid_namespace"
_START_FIELD = 21  # of /proc/<pid>/stat, counted from 0; clock ticks since boot


@dataclass(frozen=True)
class Closed:
    """A run or trial that a kill had left open: its name and its id in the store."""

    name: str
    id: str


def process_tags() -> dict[str, str]:
    """Return the tags by which a later process sees whether this one still lives."""
    return {
        HOST: socket.gethostname(),
        BOOT: _boot(),
        NAMESPACE: _namespace(),
        PID: str(os.getpid()),
        STARTED: _started(os.getpid()) or "unknown",
    }


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _namespace() -> str:
    """Return where this process's number counts: containers number their processes alone."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "unknown"


def _started(pid: int) -> str | None:
    """Return when a process started; None if there is none or it only waits to be collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may hold spaces.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[_START_FIELD - 3]


def _hidden(pid: int) -> bool:
    """Whether there is a process of another user, whose ``/proc`` may be hidden (``hidepid``)."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the process of these tags is known to have ended.

    Never of another host or container, nor where the tags do not say enough.
    """
    if tags.get(HOST) != socket.gethostname() or not tags.get(PID, "").isdigit():
        return False
    if "unknown" in (_boot(), tags.get(BOOT, "unknown"), _namespace()):
        return False
    if tags.get(NAMESPACE) != _namespace():
        return False
    if tags[BOOT] != _boot():
        return True
    pid = int(tags[PID])
    started = _started(pid)
    if started is None:
        return not _hidden(pid)
    return tags.get(STARTED, started) != started


def close_dead_runs(client: MlflowClient) -> list[Closed]:
    """End as KILLED the runs of this host whose process has ended without ending them."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    query = f"attributes.status = 'RUNNING' AND tags.`{HOST}` = '{socket.gethostname()}'"
    closed = []
    for run in client.search_runs(experiments, query) if experiments else ():
        if is_dead(run.data.tags):
            client.set_terminated(run.info.run_id, "KILLED", end_time=_last_sign(client, run))
            closed.append(Closed(run.info.run_name, run.info.run_id))
    return closed


def _last_sign(client: MlflowClient, run: Any) -> int:
    """Return when a run logged last, in ms since 1970, so that it does not seem to have gone on."""
    names = [name for name in run.data.metrics if name.startswith(("train/", "val/"))]
    points = [p for name in names[:1] for p in client.get_metric_history(run.info.run_id, name)]
    return max([run.info.start_time, *(point.timestamp for point in points)])


def reap(root: Path) -> list[Closed]:
    """Close the store's dead runs.

    Raises:
        Exception: Whatever MLflow's client raises where the store does not answer.
    """
    return close_dead_runs(open_store(root))
