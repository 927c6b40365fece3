"""One MLflow run for one (stage, key, seed), which never stops or slows the work it records.

What is logged goes to a journal on disk (`workbench.tracking.journal`); a thread delivers it to the
store every few seconds. While the store does not answer it is asked more and more rarely; what is
left in the end is delivered by ``esg sync``.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.errors import EsgError
from workbench.files import sha256_file
from workbench.params import load_params, stage_of
from workbench.paths import Layout
from workbench.tracking.delivery import Delivery
from workbench.tracking.git import git_state
from workbench.tracking.journal import RUN_FILE, Journal, Record
from workbench.tracking.liveness import close_dead_runs, process_tags
from workbench.tracking.store import Opening, reason
from workbench.tracking.system import SystemMeter
from workbench.tracking.tasks import rows_of_training, task_of_training

__all__ = ["RUN_FILE", "RunIdentity", "TrackedRun", "open_run"]

DELIVER_EVERY_S = 2.0
LONGEST_PAUSE_S = 60.0
CLOSING_S = 30.0
CLOSING_ATTEMPTS = 3
CLOSING_PAUSE_S = 1.0
# `esg sync` may be delivering the journal of the run that is to be resumed.
CLAIM_S = 60.0
# Stage of a sweep, whose trials' runs lie under its own.
SWEEP = "sweep"


@dataclass(frozen=True)
class RunIdentity:
    """What names a run and makes it findable.

    Args:
        stage: "sweep", or "train" for whichever stage has the key.
        key: Instance of the stage.
        seed: Seed, or None for a stage without.
        project: Name of the experiment of what serves no table: a sweep, some trainings.
        fingerprint: Hexadecimal hash of what the run depends on.
        tags: Further tags.
    """

    stage: str
    key: str
    seed: int | None
    project: str
    fingerprint: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def opening(self, root: Path, run: str) -> Opening:
        """Return what the run is made of: its place among the others, its name, its tags.

        Args:
            root: Checkout.
            run: Identifies the run in any store.
        """
        if self.stage == SWEEP:
            tags = {"esg.level": SWEEP, "mlflow.source.name": f"esg sweep {self.key}"}
            return self._opening(root, run, self.project, SWEEP, tags)
        params = _params(root)
        stage = stage_of(params, self.key)
        scale = self.tags.get("esg.scale", "")
        rows = rows_of_training(params, self.key)
        tags = {
            "esg.level": "training",
            "esg.config_sha256": _sha256(Layout(scale).resolved_config(self.key)),
            "esg.table": ", ".join(dict.fromkeys(table for table, _ in rows)),
            "esg.row": ", ".join(f"{table}:{row}" for table, row in rows),
            "mlflow.source.name": f"dvc repro {stage}@{self.key}",
        }
        task = task_of_training(params, self.key, self.project)
        return replace(self._opening(root, run, task, stage, tags), group=_trainings(scale))

    def _opening(
        self, root: Path, run: str, task: str, stage: str, tags: Mapping[str, str]
    ) -> Opening:
        """Return an opening with the tags that all runs have, beside their own."""
        all_tags = {
            **tags,
            "esg.stage": stage,
            "esg.key": self.key,
            "esg.seed": "" if self.seed is None else str(self.seed),
            "esg.fingerprint": self.fingerprint,
            **git_tags(root),
            **process_tags(),
            **self.tags,
        }
        suffix = "" if self.seed is None else f", seed {self.seed}"
        return Opening(
            id=run,
            task=task,
            name=f"{stage}@{self.key}{suffix}",
            time_ms=_now_ms(),
            tags={name: value for name, value in all_tags.items() if value},
        )


def _trainings(scale: str) -> dict[str, str]:
    """Return the parent run of an experiment's trainings of one scale."""
    name = f"Trainings ({scale})" if scale else "Trainings"
    tags = {"esg.level": "trainings", "esg.scale": scale}
    return {"id": name, "name": name} | {tag: value for tag, value in tags.items() if value}


def _params(root: Path) -> dict[str, Any]:
    """Return the parameters; nothing where they cannot be read: a run is logged all the same."""
    try:
        return load_params(root)
    except (EsgError, OSError):
        return {}


def git_tags(root: Path) -> dict[str, str]:
    """Return the commit of the code, ours and under MLflow's own name."""
    git = git_state(root)
    commit = git.commit or ""
    return {
        "esg.git_commit": commit,
        "esg.git_dirty": str(git.dirty).lower(),
        "mlflow.source.git.commit": commit,
    }


def _sha256(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""


def _now_ms() -> int:
    return int(time.time() * 1000)


class TrackedRun:
    """An open run. What is logged is on disk when a method returns, and later in the store.

    Use `open_run`.

    Args:
        root: Checkout.
        journal: Claimed by this process.
        say: Receives the one line that is said if the store does not answer.
    """

    def __init__(self, root: Path, journal: Journal, say: Callable[[str], None]) -> None:
        self.root, self.journal, self.say = root, journal, say
        self.delivery = Delivery(root, journal)
        self.last_step, last_reading = _last_steps(journal.records())
        self.system = SystemMeter(last_reading)
        self.pause_s = 0.0
        self._retry_at = 0.0
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._keep_delivering, name="tracking", daemon=True)

    @property
    def run_id(self) -> str | None:
        """MLflow's id; None as long as the store has not answered."""
        return self.delivery.state.run_id

    def start(self) -> None:
        """Deliver what there is, close what dead processes left open, and go on in a thread."""
        self._try()
        if self.delivery.client is not None:
            self._attempt(lambda: close_dead_runs(self.delivery.client))
        self._writer.start()

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.journal.append({"params": {name: str(value) for name, value in params.items()}})

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log a point. Steps that an interrupted segment already logged are left out.

        NaN and infinity, which charts cannot show, are left out too.
        """
        if step <= self.last_step and all(name.startswith("train/") for name in metrics):
            return
        finite = {name: float(v) for name, v in metrics.items() if math.isfinite(v)}
        if finite:
            self.journal.append({"metrics": finite, "step": step, "time_ms": _now_ms()})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file, which stays where it is until it is delivered."""
        self.journal.append({"artifact": str(path.resolve()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.journal.append({"tags": dict(tags)})

    def log_dataset(self, name: str, source: str, sha256: str) -> None:
        """Record the data a run read."""
        about = {"name": name, "source": source, "sha256": sha256, "context": "training"}
        self.journal.append({"dataset": about})

    def close(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED, and deliver what is left if that is quick."""
        self.journal.append({"status": status, "time_ms": _now_ms()})
        self._closing.set()
        self._writer.join(timeout=CLOSING_S)
        if not self._writer.is_alive():
            self.journal.release()

    def _keep_delivering(self) -> None:
        while not self._closing.wait(DELIVER_EVERY_S):
            if reading := self.system.due():
                self.log_metrics(reading, self.system.step)
            if time.monotonic() >= self._retry_at:
                self._try()
        self._deliver_last()

    def _deliver_last(self) -> None:
        """Deliver what is left: a store that answered so far may only be busy."""
        attempts = 1 if self.pause_s else CLOSING_ATTEMPTS
        for _ in range(attempts):
            self._try()
            if not self.pause_s:
                return
            time.sleep(CLOSING_PAUSE_S)

    def _try(self) -> None:
        self._attempt(self._deliver)

    def _deliver(self) -> None:
        self.journal.sync()
        self.delivery.deliver()

    def _attempt(self, action: Callable[[], object]) -> None:
        """Do something with the store; whatever is wrong with it, the work goes on without it."""
        try:
            action()
            self.pause_s = 0.0
        except Exception as error:
            if not self.pause_s:
                self.say(
                    f"MLflow does not answer ({reason(error)}); the work goes on, "
                    f"`esg sync` delivers {self.journal.path} later"
                )
            self.pause_s = min(LONGEST_PAUSE_S, 2 * self.pause_s or DELIVER_EVERY_S)
        self._retry_at = time.monotonic() + self.pause_s


def _last_steps(records: Iterable[Record]) -> tuple[int, int]:
    """Return the last steps logged of the training and of the system's metrics; -1 for none."""
    last = {"train/": -1, "system/": -1}
    for record in records:
        for prefix in last:
            if any(name.startswith(prefix) for name in record.get("metrics", ())):
                last[prefix] = max(last[prefix], record["step"])
    return last["train/"], last["system/"]


def open_run(
    root: Path, identity: RunIdentity, folder: Path, say: Callable[[str], None] = print
) -> TrackedRun:
    """Open the run of a work folder, or a new one that is then kept there.

    Args:
        root: Checkout whose store is used (`workbench.paths.store_root`).
        identity: Name and tags of the run.
        folder: Keeps the run's journal.
        say: Receives the one line that is said if the store does not answer.

    Raises:
        EsgError: Another process keeps the folder's journal.
    """
    journal = Journal.of_folder(folder)
    if not journal.claim(CLAIM_S):
        raise EsgError(f"{journal.path}: another process logs here; wait for it or end it")
    if journal.is_begun():
        journal.append({"tags": git_tags(root) | process_tags(), "status": "RUNNING"})
    else:
        journal.append({"open": asdict(identity.opening(root, journal.id))})
    run = TrackedRun(root, journal, say)
    run.start()
    return run
