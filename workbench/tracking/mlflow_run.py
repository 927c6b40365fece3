"""One MLflow run for one (stage, key, seed), which never stops or slows the work it records.

Points are written by a thread in batches. What the database does not take (locked, gone, broken)
goes to ``undelivered.jsonl`` in the work folder, which is said once and can be delivered later.
"""

from __future__ import annotations

import json
import math
import os
import queue
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import EsgError
from workbench.files import write_json
from workbench.tracking.git import git_state
from workbench.tracking.store import experiment_id, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_FILE = "mlflow_run.json"
SPOOL_FILE = "undelivered.jsonl"
DIGEST_LIMIT = 36
BATCH_LIMIT = 1000
POINTS_TOGETHER = 50


@dataclass(frozen=True)
class RunIdentity:
    """What names a run and makes it findable.

    Args:
        stage: Stage of the pipeline, e.g. "train".
        key: Instance of the stage.
        seed: Seed, or None for a stage without.
        project: Experiment ``esg/<project>``.
        fingerprint: Hexadecimal hash of what the run depends on.
        tags: Further tags.
    """

    stage: str
    key: str
    seed: int | None
    project: str
    fingerprint: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        seed = "" if self.seed is None else f"-s{self.seed}"
        mark = f"-{self.fingerprint[:8]}" if self.fingerprint else ""
        return f"{self.stage}@{self.key}{seed}{mark}"

    def all_tags(self, root: Path) -> dict[str, str]:
        """Return the run's tags, with the code's commit and the process that makes it."""
        git = git_state(root)
        tags = {
            "esg.stage": self.stage,
            "esg.key": self.key,
            "esg.fingerprint": self.fingerprint,
            "esg.git_dirty": str(git.dirty).lower(),
            "mlflow.source.git.commit": git.commit or "",
            "esg.git_commit": git.commit or "",
            "mlflow.source.name": f"python -m workbench.stages.{self.stage} {self.key}",
            **process_tags(),
            **self.tags,
        }
        if self.seed is not None:
            tags["esg.seed"] = str(self.seed)
        return {name: value for name, value in tags.items() if value}


def process_tags() -> dict[str, str]:
    """Return the tags by which a later process sees whether a run's process still lives."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = "unknown"
    return {"esg.pid": str(os.getpid()), "esg.host": socket.gethostname(), "esg.boot_id": boot}


class TrackedRun:
    """An open run. Every method returns at once or fails silently into the spool.

    Use `open_run`.

    Attributes:
        run_id: MLflow's id; None if the store could not be opened.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say
        self.client: MlflowClient | None = None
        self.run_id: str | None = None
        self.last_step = -1
        self.failed = False
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None

    def connect(self, root: Path, identity: RunIdentity) -> None:
        """Open the store and the run: that of the work folder if there is one, else a new one."""
        try:
            self.client = open_store(root)
            self.run_id = self.reopen() or self.create(root, identity)
            deliver(self.client, self.run_id, [{"tags": identity.all_tags(root)}])
        # Whatever is wrong with the tracking store, training goes on without it.
        except Exception as error:
            self.client = None
            self._fail(error)
            self._spool([{"identity": asdict(identity), "tags": identity.all_tags(root)}])

    def known_run(self) -> Any | None:
        """Return MLflow's record of the work folder's run; None if there is none."""
        assert self.client is not None
        try:
            run_id = str(json.loads((self.folder / RUN_FILE).read_text())["run_id"])
            return self.client.get_run(run_id)
        # A deleted run or a fresh database is no reason to lose the new one.
        except Exception:
            return None

    def reopen(self) -> str | None:
        """Return the work folder's run, set to running again; None if there is none."""
        run = self.known_run()
        if run is None:
            return None
        assert self.client is not None
        run_id = str(run.info.run_id)
        self.client.update_run(run_id, status="RUNNING")
        if "train/loss" in run.data.metrics:
            history = self.client.get_metric_history(run_id, "train/loss")
            self.last_step = max(point.step for point in history)
        return run_id

    def create(self, root: Path, identity: RunIdentity) -> str:
        """Make a run and keep its id in the work folder."""
        assert self.client is not None
        experiment = experiment_id(self.client, root, f"esg/{identity.project}")
        run = self.client.create_run(experiment, run_name=identity.name)
        write_json(self.folder / RUN_FILE, {"run_id": run.info.run_id, "name": identity.name})
        return str(run.info.run_id)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._put({"params": {name: str(value) for name, value in params.items()}})

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Queue a point. Steps that an interrupted segment already logged are left out.

        NaN and infinity, which charts cannot show, are left out too.
        """
        if step <= self.last_step and all(name.startswith("train/") for name in metrics):
            return
        finite = {name: float(v) for name, v in metrics.items() if math.isfinite(v)}
        self._put({"metrics": finite, "step": step, "time_ms": int(time.time() * 1000)})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._put({"artifact": str(path), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._put({"tags": dict(tags)})

    def log_dataset(self, name: str, source: str, sha256: str) -> None:
        """Record the data a run read; MLflow keeps 36 characters of its hash."""
        self._put({"dataset": name, "source": source, "digest": sha256[:DIGEST_LIMIT]})

    def _put(self, record: dict[str, Any]) -> None:
        if self.client is None:
            self._spool([record])
            return
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="tracking", daemon=True)
            self._writer.start()
        self._queue.put(record)

    def _write_all(self) -> None:
        """Deliver queued records until the closing None; neighbouring points go together."""
        record = self._queue.get()
        while record is not None:
            batch, following = self._gather(record)
            try:
                assert self.client is not None and self.run_id is not None
                deliver(self.client, self.run_id, batch)
            except Exception as error:
                self._fail(error)
                self._spool(batch)
            record = self._queue.get() if following is _NOTHING else following

    def _gather(self, first: dict[str, Any]) -> tuple[list[dict[str, Any]], Any]:
        """Return ``first`` with the points queued behind it, and the record that ended them."""
        batch = [first]
        while "metrics" in batch[-1] and len(batch) < POINTS_TOGETHER:
            try:
                record = self._queue.get_nowait()
            except queue.Empty:
                break
            if record is None or "metrics" not in record:
                return batch, record
            batch.append(record)
        return batch, _NOTHING

    def close(self, status: str) -> None:
        """Deliver what is queued and end the run as FINISHED, FAILED or KILLED."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join(timeout=60)
        if self.client is None or self.run_id is None:
            self._spool([{"status": status}])
            return
        try:
            self.client.set_terminated(self.run_id, status=status)
        except Exception as error:
            self._fail(error)
            self._spool([{"status": status}])

    def _fail(self, error: Exception) -> None:
        if not self.failed:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            kept = self.folder / SPOOL_FILE
            self.say(f"MLflow does not answer ({reason}); training goes on, records go to {kept}")
        self.failed = True

    def _spool(self, records: list[dict[str, Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / SPOOL_FILE).open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(record) + "\n" for record in records)


_NOTHING: Any = object()


def deliver(client: MlflowClient, run_id: str, records: list[dict[str, Any]]) -> None:
    """Write records to a run: all points in one transaction, the rest one by one."""
    from mlflow.entities import Metric, Param, RunTag

    points = [
        Metric(name, value, record["time_ms"], record["step"])
        for record in records
        for name, value in record.get("metrics", {}).items()
    ]
    for start in range(0, len(points), BATCH_LIMIT):
        client.log_batch(run_id, metrics=points[start : start + BATCH_LIMIT])
    for record in records:
        if "params" in record or "tags" in record:
            params = [Param(name, value) for name, value in record.get("params", {}).items()]
            tags = [RunTag(name, value) for name, value in record.get("tags", {}).items()]
            client.log_batch(run_id, params=params, tags=tags)
        elif "artifact" in record:
            client.log_artifact(run_id, record["artifact"], record["folder"] or None)
        elif "dataset" in record:
            _log_dataset(client, run_id, record)
        elif "status" in record:
            client.set_terminated(run_id, status=record["status"])


def _log_dataset(client: MlflowClient, run_id: str, record: dict[str, Any]) -> None:
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.data.sources import LocalArtifactDatasetSource
    from mlflow.entities import DatasetInput, InputTag

    source = LocalArtifactDatasetSource(record["source"])
    dataset = MetaDataset(source, name=record["dataset"], digest=record["digest"])
    entry = DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", "data")])
    client.log_inputs(run_id, [entry])


def open_run(
    root: Path, identity: RunIdentity, folder: Path, say: Callable[[str], None] = print
) -> TrackedRun:
    """Open the run of a work folder, or a new one that is then kept there.

    Args:
        root: Checkout that holds the store (`workbench.paths.store_root`).
        identity: Name and tags of the run.
        folder: Keeps the run's id, and what could not be delivered.
        say: Receives the one line that is said if MLflow cannot be used.
    """
    run = TrackedRun(folder, say)
    run.connect(root, identity)
    return run


def deliver_spooled(root: Path, say: Callable[[str], None] = print) -> int:
    """Deliver what earlier runs could not (``esg sync``); a spool is removed once delivered.

    Returns:
        Number of records delivered.

    Raises:
        EsgError: MLflow still does not take them; the spool is kept.
    """
    count = 0
    for spool in sorted(root.glob(f"work_dirs/**/{SPOOL_FILE}")):
        records = [json.loads(line) for line in spool.read_text(encoding="utf-8").splitlines()]
        run = TrackedRun(spool.parent, say)
        try:
            run.client = open_store(root)
            known = run.known_run()
            run_id = known.info.run_id if known else run.create(root, _spooled_identity(records))
            deliver(run.client, run_id, records)
        except Exception as error:
            raise EsgError(f"{spool}: not delivered ({error})") from error
        spool.unlink()
        count += len(records)
    return count


def _spooled_identity(records: list[dict[str, Any]]) -> RunIdentity:
    found = [record["identity"] for record in records if "identity" in record]
    return RunIdentity(**found[0]) if found else RunIdentity("unknown", "unknown", None, "unknown")


def log_stage_run(
    root: Path,
    identity: RunIdentity,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    artifacts: list[Path],
) -> str | None:
    """Record a finished stage instance as one run.

    Returns:
        MLflow's run id, None if the store could not be used.
    """
    folder = root / "work_dirs" / "stages" / f"{identity.name}-{os.getpid()}"
    run = open_run(root, identity, folder)
    run.log_params(params)
    run.log_metrics(metrics, step=0)
    for path in artifacts:
        run.log_artifact(path)
    run.close("FINISHED")
    if not (folder / SPOOL_FILE).is_file():
        shutil.rmtree(folder, ignore_errors=True)
    return run.run_id
