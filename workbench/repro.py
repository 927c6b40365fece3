"""Reproduce targets, independent stages side by side: ``python -m workbench.repro TARGET...``.

Each stage is what ``dvc repro --single-item STAGE`` would run, in a process group of its own. DVC's
locks keep stages from writing ``dvc.lock`` at once; it is written aside and moved, so whoever reads
it meanwhile, or ends a stage, finds it whole. What is done, running and left is said in a line that
stays, or every 30 s where there is no terminal. A stage that fails stops those that need it and no
others. On Ctrl-C or SIGTERM the stages are asked to stop: trainings save, and the same command
resumes them.

Each stage gets its share of the cores as threads, however many run: the number of threads changes
the last digits of a training, so it must not change when the training is resumed.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from workbench.cli.output import StatusLine, positive, say_error
from workbench.errors import EsgError, Interrupted
from workbench.files import write_text
from workbench.paths import project_root
from workbench.planning import Plan, plan
from workbench.processes import cores, die_with_parent
from workbench.progress import UNKNOWN_SECONDS, Progress
from workbench.schedule import Schedule

FAILED = 1
POLL_S = 0.05
PIPE_BYTES = 65536
# A stage that was just being started may not have heard the first request to stop.
REPEAT_STOP_S = 3.0
# What these parts of DVC say after every stage, about dvc.lock and git, helps nobody here.
QUIET = ("dvc.dvcfile", "dvc.repo.scm_context")


def reproduce(targets: Sequence[str], jobs: int | None = None) -> int:
    """Bring targets up to date and return the exit code.

    Args:
        targets: Stages; all of the pipeline without one.
        jobs: Stages at once, at most (default: `workbench.processes.default_jobs`).

    Returns:
        0; 1 if a stage failed; 75 if asked to stop, after which the same call resumes.

    Raises:
        BadInput: No such target, or a pipeline file that DVC cannot read.
    """
    os.chdir(project_root())
    made = plan(*targets, jobs=jobs)
    print(made.render(), flush=True)
    if not made.stages:
        return 0
    os.environ["OMP_NUM_THREADS"] = str(_threads(made.jobs))
    return _Runner(made).run()


def _threads(jobs: int) -> int:
    """Return each stage's share of the cores, or what the user allows if that is less."""
    share = max(1, cores() // jobs)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(asked)) if asked.isdecimal() and int(asked) else share


@dataclass
class _Running:
    """A stage's process, whose group has the same number.

    Attributes:
        name: Of the stage.
        process: Number of the process and of its group.
        stream: File descriptor of what the group prints.
        screen: Where it is printed to, above the status line.
        rest: What was read of a line that has not ended.
        status: Exit status; None while it runs.
    """

    name: str
    process: int
    stream: int
    screen: StatusLine
    rest: bytes = b""
    status: int | None = None

    def read(self) -> None:
        """Print the whole lines that have come, each after the stage's name."""
        with contextlib.suppress(BlockingIOError):
            while got := os.read(self.stream, PIPE_BYTES):
                self.rest += got
        *lines, self.rest = self.rest.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self.say(line.decode(errors="replace"))

    def say(self, line: str) -> None:
        if line.strip():
            self.screen.clear()
            print(f"{self.name} | {line}", flush=True)

    def close(self) -> None:
        """Print the last line, ended or not."""
        self.read()
        self.say(self.rest.decode(errors="replace"))
        os.close(self.stream)

    def signal(self, number: int) -> bool:
        """Send a signal to the group; returns whether any process of it is left."""
        try:
            os.killpg(self.process, number)
        except ProcessLookupError:
            return False
        return True


@dataclass
class _Stop:
    """How often the user asked to stop, and when the stages were told last."""

    asked: int = 0
    told_at: float = field(default=float("-inf"))

    def receive(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        self.told_at = float("-inf")


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[_Stop]:
    stop = _Stop()
    before = {n: signal.signal(n, stop.receive) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Runner:
    """Starts the stages of a plan, at most ``plan.jobs`` at once, and waits for them."""

    def __init__(self, made: Plan) -> None:
        seconds = {stage.name: stage.seconds or UNKNOWN_SECONDS for stage in made.stages}
        self.schedule = Schedule(seconds, made.upstream)
        self.jobs = made.jobs
        self.progress = Progress(made)
        self.screen = StatusLine()
        self.running: dict[int, _Running] = {}
        self.failed: list[str] = []
        self.skipped: list[str] = []
        self.selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Run all; returns the exit code."""
        with _stop_on_signals() as stop:
            while self._start_ready(stop) or self.running:
                for key, _ in self.selector.select(POLL_S):
                    key.data.read()
                self._collect(stop)
                self._pass_on(stop)
                if self.screen.due:
                    self.screen.show(self.progress.render(time.monotonic()))
        self.screen.clear()
        if stop.asked:
            return Interrupted.exit_code
        if self.failed:
            say_error(f"failed: {', '.join(self.failed)}")
            if self.skipped:
                say_error(f"not run because of that: {', '.join(self.skipped)}")
            return FAILED
        return 0

    def _start_ready(self, stop: _Stop) -> bool:
        """Start what may start; returns whether anything was."""
        started = False
        while not stop.asked and len(self.running) < self.jobs:
            name = self.schedule.take()
            if name is None:
                break
            stage = _start(name, self.screen)
            self.progress.begin(name, time.monotonic())
            self.running[stage.process] = stage
            self.selector.register(stage.stream, selectors.EVENT_READ, stage)
            started = True
        return started

    def _collect(self, stop: _Stop) -> None:
        """Take note of the stages that ended; of one asked to stop, when nothing is left of it."""
        for stage in list(self.running.values()):
            if stage.status is None:
                ended, status = os.waitpid(stage.process, os.WNOHANG)
                stage.status = status if ended else None
            if stage.status is None or (stop.asked and stage.signal(0)):
                continue
            self.selector.unregister(stage.stream)
            stage.close()
            del self.running[stage.process]
            if stage.status == 0:
                self.progress.end(stage.name, time.monotonic())
                self.schedule.finish(stage.name)
            else:
                dependents = self.schedule.give_up(stage.name)
                self.progress.give_up(stage.name, dependents)
                self.failed.append(stage.name)
                self.skipped += dependents

    def _pass_on(self, stop: _Stop) -> None:
        """Tell the stages to stop if asked to, and to end at once if asked again."""
        now = time.monotonic()
        if not stop.asked or now - stop.told_at < REPEAT_STOP_S:
            return
        stop.told_at = now
        for stage in self.running.values():
            stage.signal(signal.SIGTERM if stop.asked == 1 else signal.SIGKILL)


def _start(name: str, screen: StatusLine) -> _Running:
    """Fork a process for a stage; what it and its children print comes through a pipe."""
    stream, sink = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os.close(stream)
        _become_stage(name, sink)
    os.close(sink)
    with contextlib.suppress(OSError):  # the child does it too; whoever comes first
        os.setpgid(process, process)
    os.set_blocking(stream, False)
    return _Running(name, process, stream, screen)


def _become_stage(name: str, sink: int) -> NoReturn:
    """Run a stage in this process, a fork, and end it."""
    code = FAILED
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _pass_to_group)
        die_with_parent()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, stream in enumerate((nothing, sink, sink)):
            os.dup2(stream, number)
        os.close(nothing)
        os.close(sink)
        code = _reproduce_one(name)
    except KeyboardInterrupt:
        code = Interrupted.exit_code
    except Exception:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _pass_to_group(number: int, frame: FrameType | None) -> None:
    """Hand SIGTERM to the stage's processes; DVC itself waits for them.

    DVC ignores SIGINT, not SIGTERM, while its command runs; at other times it is to end.
    """
    signal.signal(signal.SIGTERM, _heard)
    os.killpg(0, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)


def _heard(number: int, frame: FrameType | None) -> None:
    """Do nothing. Unlike a signal that is ignored, this does not go over to new processes."""


def _reproduce_one(name: str) -> int:
    """Run one stage if it changed, as ``dvc repro --single-item`` does; returns the exit code."""
    from dvc import lock
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.utils.serialize import _common

    _common._dump_data = _dump_whole
    for part in QUIET:
        logging.getLogger(part).setLevel(logging.WARNING)
    # DVC looks six times as often; its lock is held for a second at most, by turns.
    lock.DEFAULT_TIMEOUT = 6 * POLL_S
    try:
        with Repo(_wait_for_lock=True) as repo:
            repo.reproduce([name], single_item=True)
    except DvcException as error:
        print(f"{error}: {error.__cause__}" if error.__cause__ else error, flush=True)
        return FAILED
    return 0


def _dump_whole(
    path: str, data: Any, dumper: Callable[[Any, TextIO], Any], fs: object = None
) -> None:
    """Write ``dvc.lock`` in place of DVC, which empties the file and then dumps for seconds."""
    text = StringIO()
    dumper(data, text)
    write_text(Path(path), text.getvalue())


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, reproduce, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.repro",
        description="Bring stages and all that they need up to date, several at a time.",
        epilog="Exit codes: 0 done, 1 a stage failed, 2 wrong usage, 75 interrupted and resumable.",
        allow_abbrev=False,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: every stage")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="stages at once (default: one a core)"
    )
    parsed = parser.parse_args(arguments)
    try:
        code = reproduce(parsed.targets, parsed.jobs)
        if code == Interrupted.exit_code:
            raise Interrupted("interrupted; the same command resumes")
        return code
    except EsgError as error:
        say_error(str(error))
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
