"""Training one seed of one config, resumably: `train` and the process that runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mmengine.config import Config

from workbench.engine.checkpoint import discard, newest_valid, resumable
from workbench.engine.fingerprint import Fingerprint, claim_work_dir, compute_fingerprint
from workbench.errors import BadInput, EsgError, Interrupted
from workbench.files import sha256_file, write_json
from workbench.overrides import merge_options
from workbench.paths import project_root, store_root
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
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    owner = {"key": job.key, "scale": job.scale, "project": job.project}
    fingerprint = compute_fingerprint(config, job.seed, world_size, owner)
    if int(os.environ.get("RANK", "0")) != 0:
        work_dir = store_root() / "work_dirs" / fingerprint.digest[:16]
        return _train_locked(job, config, fingerprint, work_dir, _silent)
    work_dir, news = claim_work_dir(store_root() / "work_dirs", fingerprint)
    if news:
        say(f"{job.key} seed {job.seed}: {news}")
    try:
        with FileLock(work_dir / ".lock", timeout=LOCK_TIMEOUT_S):
            return _train_locked(job, config, fingerprint, work_dir, say)
    except Timeout as error:
        raise EsgError(f"{work_dir}: another process trains here; wait for it or end it") from error


def _silent(line: str) -> None:
    """Say nothing: the first process of a distributed run speaks for all."""


def _train_locked(
    job: TrainJob,
    config: Config,
    fingerprint: Fingerprint,
    work_dir: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Reuse, resume or start, with the work folder to ourselves."""
    if job.resume:
        finished = _finished(work_dir)
        if finished:
            say(f"{job.key} seed {job.seed}: finished before, reused from {work_dir}")
            return finished
    elif int(os.environ.get("RANK", "0")) == 0:
        _forget(work_dir)
    # MMDetection takes seconds to import: not for a finished run.
    from workbench.engine.session import Session

    state = newest_valid(work_dir, say) if job.resume else None
    if state:
        done = state["meta"]["iteration"]
        say(f"{job.key} seed {job.seed}: resuming after iteration {done} from {work_dir}")
    result = Session(job, config, fingerprint, work_dir, say).run(state)
    return {**result, "weights": str(work_dir / WEIGHTS_FILE)}


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
    """Train the job of a request file and write its result beside the request.

    Returns:
        Exit code; errors of the user end in one line.
    """
    path = Path(request)
    os.chdir(project_root())
    try:
        result = train(TrainJob(**json.loads(path.read_text(encoding="utf-8"))))
    except EsgError as error:
        print(f"error: {error}" if error.exit_code != Interrupted.exit_code else error, flush=True)
        return error.exit_code
    if int(os.environ.get("RANK", "0")) == 0:
        write_json(path.with_suffix(".result.json"), result)
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1]))
