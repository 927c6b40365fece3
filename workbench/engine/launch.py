"""Training one seed of one config, resumably: `train` and the process that runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mmengine.config import Config

from workbench.engine.checkpoint import (
    checkpoint_path,
    discard,
    newest_valid,
    read_weights_only,
    resumable,
)
from workbench.engine.fingerprint import Fingerprint, claim_work_dir, compute_fingerprint
from workbench.engine.ranks import batch_of_process, from_first, join_ranks, rank, world_size
from workbench.errors import BadInput, EsgError
from workbench.files import sha256_file
from workbench.jobs import answer_job
from workbench.overrides import merge_options
from workbench.paths import store_root
from workbench.tracking.mlflow_run import RUN_FILE

RESULT_FILE = "result.json"
WEIGHTS_FILE = "weights.pth"
LOCK_TIMEOUT_S = 60


@dataclass(frozen=True)
class TrainJob:
    """One seed of one training.

    Attributes:
        config: File of the MMEngine config.
        key: Instance in ``params.yaml`` or the config's name.
        project: Project whose experiment the run belongs to.
        scale: mini, smoke or paper.
        seed: Non-negative.
        resume: Whether to continue from a checkpoint, or a finished result, of the same
            fingerprint.
        options: Dotted config keys to values, over the config file.
    """

    config: str
    key: str
    project: str
    scale: str
    seed: int
    resume: bool
    options: dict[str, Any]

    @property
    def title(self) -> str:
        return f"{self.key} seed {self.seed}"


@dataclass(frozen=True)
class _Start:
    """What the first process tells the others of the run.

    Attributes:
        fingerprint: What the weights depend on.
        work_dir: Folder of the fingerprint.
        iteration: Of the checkpoint to resume from; None to begin.
    """

    fingerprint: Fingerprint
    work_dir: Path
    iteration: int | None


def load_config(job: TrainJob) -> Config:
    """Read a job's config with its options.

    Raises:
        BadInput: Not readable, or without what training needs.
    """
    try:
        config = Config.fromfile(job.config, import_custom_modules=False)
        merge_options(config, job.options, "--cfg-options")
    except EsgError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(job.config, "config", reason, "correct the config") from error
    for name in ("model", "train_dataloader", "train_cfg", "optim_wrapper"):
        if config.get(name) is None:
            raise BadInput(job.config, name, "missing", "give an MMEngine training config")
    if not config.train_cfg.get("max_iters"):
        problem = "no number of iterations"
        raise BadInput(
            job.config, "train_cfg.max_iters", problem, "train by iterations, not epochs"
        )
    return config


def train(job: TrainJob, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Train one seed, or return the finished result of the same fingerprint.

    Returns:
        Fields of the run in ``train.json``, with ``weights`` and ``work_dir`` (paths).

    Raises:
        BadInput, MissingInput: The config or what it names cannot be used.
        Interrupted: Stopped by a signal; the same call resumes.
    """
    config = load_config(job)
    batch_of_process(config, job.config)
    join_ranks()
    if rank() != 0:
        return _follow(job, config)
    owner = {"key": job.key, "scale": job.scale, "project": job.project}
    fingerprint = compute_fingerprint(config, job.seed, world_size(), owner)
    work_dir, news = claim_work_dir(store_root() / "work_dirs", fingerprint)
    if news:
        say(f"{job.title}: {news}")
    try:
        with FileLock(work_dir / ".lock", timeout=LOCK_TIMEOUT_S):
            return _train_locked(job, config, fingerprint, work_dir, say)
    except Timeout as error:
        raise EsgError(f"{work_dir}: another process trains here; wait for it or end it") from error


def _train_locked(
    job: TrainJob,
    config: Config,
    fingerprint: Fingerprint,
    work_dir: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Reuse, resume or start, with the work folder to ourselves, and tell the other processes."""
    finished = _finished(work_dir) if job.resume else None
    if finished:
        say(f"{job.title}: finished before, reused from {work_dir}")
        from_first(None)
        return finished
    if not job.resume:
        _forget(work_dir)
    # MMDetection takes seconds to import: not for a finished run.
    from workbench.engine.session import Session

    state = newest_valid(work_dir, say) if job.resume else None
    done = state["meta"]["iteration"] if state else None
    if state:
        say(f"{job.title}: resuming after iteration {done} from {work_dir}")
    from_first(_Start(fingerprint, work_dir, done))
    result = Session(job, config, fingerprint, work_dir, say).run(state)
    return {**result, "weights": str(work_dir / WEIGHTS_FILE)}


def _follow(job: TrainJob, config: Config) -> dict[str, Any]:
    """Train as the first process of the run says."""
    start: _Start | None = from_first(None)
    if start is None:
        return {}
    from workbench.engine.session import Session

    state = None
    if start.iteration is not None:
        state = read_weights_only(checkpoint_path(start.work_dir, start.iteration))
    return Session(job, config, start.fingerprint, start.work_dir, lambda line: None).run(state)


def _forget(work_dir: Path) -> None:
    """Remove a work folder's checkpoints, result and tracked run, to start anew."""
    for path in resumable(work_dir):
        discard(path)
    for name in (RESULT_FILE, RUN_FILE):
        (work_dir / name).unlink(missing_ok=True)


def _finished(work_dir: Path) -> dict[str, Any] | None:
    """Return a work folder's finished result if its weights are whole."""
    try:
        result: dict[str, Any] = json.loads((work_dir / RESULT_FILE).read_text(encoding="utf-8"))
        whole = sha256_file(work_dir / WEIGHTS_FILE) == result["checkpoint_sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return {**result, "weights": str(work_dir / WEIGHTS_FILE)} if whole else None


def main(request: str) -> int:
    """Train the job of a request file; returns the exit code."""
    return answer_job([request], TrainJob, train)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
