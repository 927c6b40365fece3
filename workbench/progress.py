"""How far a run of the pipeline is: what is done, what is running, what is left (``esg progress``).

Time left comes from the plan's expected times, corrected by how long the finished stages really
took: one that ran twice as long as expected makes all others twice as long.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.paths import project_root
from workbench.planning import Plan, format_seconds, plan
from workbench.schedule import makespan

# Expected time of a stage of which nothing is known, in s.
UNKNOWN_SECONDS = 5.0
# A stage that takes less than this share of its expected time was skipped, its inputs were equal.
SKIPPED_SHARE = 0.1
# A stage that takes longer than expected is taken to need this share of what it has had.
OVERDUE_SHARE = 0.1
# Shorter ones say nothing about the machine.
MIN_SECONDS = 5.0


@dataclass
class Progress:
    """State of a run.

    Attributes:
        plan: What was to be run when it began.
        running: When each running stage began, in s of `time.monotonic`.
        took: How long each finished stage took, in s.
        lost: Those that failed, or will not run because another one did.
    """

    plan: Plan
    running: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def begin(self, name: str, now: float) -> None:
        """Take note that a stage began."""
        self.running[name] = now

    def end(self, name: str, now: float) -> None:
        """Take note that a stage ended well."""
        self.took[name] = now - self.running.pop(name)

    def give_up(self, name: str, dependents: Iterable[str]) -> None:
        """Take note that a stage failed, and what will not run because of that."""
        self.running.pop(name)
        self.lost |= {name, *dependents}

    @property
    def num_done(self) -> int:
        """Stages done, those that were up to date before included."""
        return self.plan.num_stages - len(self.plan.stages) + len(self.took)

    def pace(self) -> float:
        """Return how much longer than expected stages take here; 1 as long as nothing is known."""
        measured = expected = 0.0
        for stage in self.plan.stages:
            took, planned = self.took.get(stage.name), stage.seconds
            if took and planned and planned >= MIN_SECONDS and took > SKIPPED_SHARE * planned:
                measured, expected = measured + took, expected + planned
        return measured / expected if expected else 1.0

    def seconds_left(self, now: float) -> float:
        """Return the expected time to the end in s."""
        pace, left = self.pace(), {}
        for stage in self.plan.stages:
            if stage.name in self.took or stage.name in self.lost:
                continue
            seconds = pace * (stage.seconds or UNKNOWN_SECONDS)
            if stage.name in self.running:
                elapsed = now - self.running[stage.name]
                seconds = max(seconds - elapsed, OVERDUE_SHARE * elapsed)
            left[stage.name] = seconds
        return makespan(left, self.plan.upstream, self.plan.jobs)

    def to_dict(self, now: float) -> dict[str, Any]:
        """Return the state as JSON-able values."""
        expected = {stage.name: stage.seconds for stage in self.plan.stages}
        return {
            "target": self.plan.target,
            "num_stages": self.plan.num_stages,
            "num_done": self.num_done,
            "running": [
                {"name": name, "seconds": now - began, "expected_seconds": expected.get(name)}
                for name, began in self.running.items()
            ],
            "seconds_left": self.seconds_left(now),
        }

    def render(self, now: float) -> str:
        """Return the state as one line."""
        expected = {stage.name: stage.seconds for stage in self.plan.stages}
        running = [
            _running(name, now - at, expected.get(name)) for name, at in self.running.items()
        ]
        left = format_seconds(self.seconds_left(now))
        return (
            f"{self.num_done} of {self.plan.num_stages} stages done; "
            f"running: {', '.join(running) or 'none'}; about {left} left"
        )


def _running(name: str, seconds: float, expected: float | None) -> str:
    about = f" of about {format_seconds(expected)}" if expected else ""
    return f"{name} ({format_seconds(seconds)}{about})"


def look(*targets: str) -> Progress:
    """Find out how far a run in another terminal is, of ``make repro`` or of a plain ``dvc repro``.

    What is left is what is stale now; what is running, the processes tell.

    Args:
        *targets: What is reproduced; by default what the command line of that run names.

    Raises:
        BadInput: No such target.
    """
    root = project_root()
    processes = list(_processes_in(root))
    made = plan(*(targets or _targets(command for command, _ in processes)))
    state = Progress(made)
    started = time.monotonic() - time.time()
    for command, began in processes:
        name = next((stage.name for stage in made.stages if _runs(command, stage.cmd)), None)
        if name is not None:
            state.begin(name, began + started)
    return state


def _processes_in(root: Path) -> Iterator[tuple[list[str], float]]:
    """Yield command line and time of start of the processes that work in a folder."""
    import psutil

    for process in psutil.process_iter(["cmdline", "cwd", "create_time"]):
        about = process.info
        if about["cmdline"] and about["cwd"] == str(root):
            yield about["cmdline"], about["create_time"]


def _targets(commands: Iterable[Sequence[str]]) -> list[str]:
    """Return what the first ``dvc repro`` or ``workbench.repro`` is asked for, without options."""
    for command in commands:
        for word in ("repro", "workbench.repro"):
            if word in command[1:]:
                asked = command[command.index(word) + 1 :]
                return [each for each in asked if not each.startswith("-") and not each.isdigit()]
    return []


def _runs(command: Sequence[str], cmd: str) -> bool:
    """Tell whether a process is a stage's, whichever Python or shell it is started by."""
    return cmd in command or list(command[1:]) == shlex.split(cmd)[1:]
