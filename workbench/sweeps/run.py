"""Running a sweep: workers on this machine until the study has all its trials."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, EsgError, Interrupted, MissingInput
from workbench.files import write_json
from workbench.paths import store_root
from workbench.processes import cores, default_jobs, die_with_parent, gpus
from workbench.sweeps.prepare import Sweep, prepare
from workbench.sweeps.results import Standing, standing, trial_line, write_results
from workbench.sweeps.study import Place, away_errors, open_study, patiently
from workbench.tracking.mlflow_run import RunIdentity, TrackedRun, open_run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from workbench.sweeps.worker import WorkerJob

POLL_S = 0.5
LOOK_EVERY_S = 3.0
TOLD_AGAIN_S = 5.0
HEARTBEAT_S = 30


class WorkerRefused(EsgError):
    """A worker could not use what it was given; the message is its own."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def run_sweep(
    name: str,
    n_trials: int | None = None,
    workers: int | None = None,
    storage: str | None = None,
    heartbeat_s: int = HEARTBEAT_S,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run a sweep to its number of trials and write its results.

    Args:
        name: Of ``configs/sweeps/NAME.yaml``.
        n_trials: Trials of the whole study, earlier calls included (default: the spec's).
        workers: Processes on this machine; by default see `default_workers`.
        storage: See `workbench.sweeps.study.checked_url` (default: a file in ``work_dirs``).
        heartbeat_s: Seconds between signs of life; a worker silent for four of them is dead.
        say: Receives lines for the user.

    Returns:
        The study's standing, see `workbench.sweeps.results.Standing.to_dict`.

    Raises:
        BadInput, MissingInput: The sweep cannot be run.
        Interrupted: A signal came; the same call goes on.
        EsgError: All workers died, no trial was completed, or the same sweep runs in this
            ``work_dirs``.
    """
    from workbench.engine.fingerprint import claim_work_dir
    from workbench.sweeps.worker import WorkerJob

    sweep = prepare(name)
    spec, total = sweep.spec, sweep.total(n_trials)
    _, news = claim_work_dir(sweep.folder.parent, sweep.fingerprint)
    if news:
        say(f"{name}: a new study, {news}")
    place = sweep.place(storage, heartbeat_s)
    study, _ = open_study(place, spec)
    workers = workers or default_workers(sweep.layout.scale)
    _say_start(standing(study), total, workers, place, say)
    timeout = spec.budget.timeout_min
    with _tracked(sweep, study, total) as run:
        deadline = time.time() + 60 * timeout if timeout else None
        job = WorkerJob(name, place.url, heartbeat_s, total, deadline, run.run_id)
        _Crew(sweep, study, job, workers, say).work()
        found = patiently(lambda: standing(study))
        if found.best is None:
            raise EsgError(f"{name}: no trial was completed; see {sweep.folder}/*.log")
        for path in write_results(sweep, study, place):
            run.log_artifact(path, "results")
        best = {f"best/{spec.metric}": found.best.value, "trials/completed": found.completed}
        run.log_metrics({**best, "trials/pruned": found.pruned}, found.begun)
    _say_end(found, total, place, say)
    return found.to_dict(sweep, place)


def default_workers(scale: str) -> int:
    """Return how many trials to train at once: one a GPU or, without any, a core; one at paper."""
    return default_jobs(scale) if scale == "paper" else len(gpus()) or default_jobs(scale)


def _say_start(
    found: Standing, total: int, workers: int, place: Place, say: Callable[[str], None]
) -> None:
    before = f", {found.finished} finished before" if found.begun else ""
    say(f"study {place.study}: {total} trials{before}, {workers} workers")
    if not place.recovers:
        say("a journal file does not show dead workers: their trials stay marked as running")


def _say_end(found: Standing, total: int, place: Place, say: Callable[[str], None]) -> None:
    if found.finished < total:
        where = "" if place.recovers else "; a journal file does not tell running from dead"
        say(f"{found.finished} of {total} trials finished, {found.running} running, "
            f"{total - found.begun} not begun{where}; the same command goes on")  # fmt: skip
    say(found.text())


@contextmanager
def _tracked(sweep: Sweep, study: Study, total: int) -> Iterator[TrackedRun]:
    """Keep the study's MLflow run open, the parent of its trials' runs."""
    spec = sweep.spec
    tags = {"esg.scale": sweep.layout.scale, "esg.sweep": spec.name, "esg.study": study.study_name}
    identity = RunIdentity("sweep", spec.name, None, "sweeps", sweep.fingerprint.digest, tags)
    try:
        run = open_run(store_root(), identity, sweep.folder)
    except EsgError as error:
        fix = f"end it and give `esg sweep {spec.name} --workers N`, or use a work_dirs of your own"
        problem = f"another `esg sweep` works on it in {sweep.folder}"
        raise EsgError(f"{spec.name}: {problem}; {fix}") from error
    run.log_params(
        {
            "training": spec.training,
            "metric": spec.metric,
            "direction": spec.direction,
            "sampler": spec.sampler.name,
            "pruner": spec.pruner.name,
            "iterations": spec.budget.iterations,
        }
    )
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except (Interrupted, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        run.close(status)


class _Crew:
    """The workers of one call.

    Args:
        sweep: What they work on.
        study: Read to say which trials end.
        job: What each is told.
        count: How many.
        say: Receives lines for the user.
    """

    def __init__(
        self, sweep: Sweep, study: Study, job: WorkerJob, count: int, say: Callable[[str], None]
    ) -> None:
        self.sweep, self.study, self.job, self.say = sweep, study, job, say
        self.count, self.gpus = count, gpus()
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.codes: list[int] = []
        self.stopping: str | None = None
        self.error: WorkerRefused | None = None
        self.told = 0.0
        self.said = {trial.number for trial in study.get_trials(deepcopy=False)
                     if trial.state.is_finished()}  # fmt: skip

    def work(self) -> None:
        """Start the workers and wait for them.

        Raises:
            Interrupted, EsgError: See `run_sweep`.
        """
        with tempfile.TemporaryDirectory(prefix="esg-sweep-") as folder, self._signals():
            request = Path(folder) / "job.json"
            write_json(request, asdict(self.job))
            for index in range(self.count):
                self.running[index] = self._start(index, request)
            looked = 0.0
            while self.running:
                time.sleep(POLL_S)
                if time.monotonic() - looked > LOOK_EVERY_S:
                    self._say_finished()
                    looked = time.monotonic()
                self._pass_on()
                for index, process in list(self.running.items()):
                    if process.poll() is not None:
                        del self.running[index]
                        self._ended(index, process.returncode)
        self._say_finished()
        if self.stopping == "a signal":
            raise Interrupted(f"{self.job.name}: interrupted; the same command goes on")
        if self.error:
            raise self.error
        if all(self.codes):
            fix = f"see {self.sweep.folder}/*.log; the same command goes on"
            raise EsgError(f"{self.job.name}: no worker is left; {fix}")

    def _start(self, index: int, request: Path) -> subprocess.Popen[bytes]:
        share = max(1, cores() // self.count)
        asked = os.environ.get("OMP_NUM_THREADS", "")
        threads = min(share, int(asked)) if asked.isdecimal() and int(asked) else share
        command = [sys.executable, "-m", "workbench.sweeps.worker", str(request)]
        device = self.gpus[index % len(self.gpus)] if self.gpus else None
        of_gpu = {"CUDA_VISIBLE_DEVICES": device} if device else {}
        with self._log(index).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **of_gpu, "OMP_NUM_THREADS": str(threads)},
                preexec_fn=_in_own_group,
            )

    def _log(self, index: int) -> Path:
        return self.sweep.folder / f"worker-{socket.gethostname()}-{index}.log"

    def _ended(self, index: int, code: int) -> None:
        """Say why a worker ended early; one with bad input stops them all."""
        self.codes.append(code)
        if code == 0 or self.stopping:
            return
        log = self._log(index)
        if code in (BadInput.exit_code, MissingInput.exit_code):
            self.error = self.error or WorkerRefused(_last_line(log), code)
            self.stopping = "an error"
            return
        cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        left = "the others go on with its trial" if self.running else "none is left"
        self.say(f"worker {index} was {cause} (see {log}); {left}")

    def _say_finished(self) -> None:
        """Say which trials ended since; later, if the database is away."""
        trials: list[FrozenTrial] = []
        with suppress(*away_errors()):
            trials = self.study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state.is_finished() and trial.number not in self.said:
                self.said.add(trial.number)
                self.say(trial_line(trial, self.sweep.spec.metric))

    def _pass_on(self) -> None:
        """Tell the workers to stop, and again: one may just be between two trials."""
        now = time.monotonic()
        if self.stopping and now - self.told > TOLD_AGAIN_S:
            self.told = now
            for process in self.running.values():
                process.send_signal(signal.SIGTERM)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def receive(number: int, frame: FrameType | None) -> None:
            self.stopping = "a signal"

        before = {n: signal.signal(n, receive) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _in_own_group() -> None:
    """Keep the terminal's Ctrl-C from the workers: the parent passes it on once."""
    os.setpgid(0, 0)
    die_with_parent()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return re.sub(r"^error: ", "", lines[-1]) if lines else f"see {log}"
