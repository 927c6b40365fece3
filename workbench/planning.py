"""What reproducing a target would run, how long it would take and what it needs (``esg plan``).

What a stage takes comes from `workbench.pipeline.records` or, at paper scale, is estimated from
counted FLOPs (`workbench.estimates`); what is not known, the plan says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.params import load_params
from workbench.paths import PAPER, project_root
from workbench.pipeline.changes import Change, Workspace, find_changes, stale_stages
from workbench.pipeline.missing import Missing, find_missing
from workbench.pipeline.records import GIB, Expected, Records, known, total
from workbench.pipeline.stages import Pipeline, read_pipeline
from workbench.processes import default_jobs, memory_gib
from workbench.schedule import makespan

if TYPE_CHECKING:
    from workbench.estimates.stages import Estimates
    from workbench.estimates.tables import PaperEstimate

# What an expected time is from.
BASIS = {
    "recorded": "this machine's last runs",
    "reference": "the reference machine",
    "estimated": "counted FLOPs",
}


@dataclass(frozen=True)
class PlannedStage:
    """One stage that would run.

    Attributes:
        name: As DVC addresses it, e.g. ``train@cropformer``.
        reason: What changed, or the stage that it comes after.
        expected: What it takes.
        cmd: What it runs.
    """

    name: str
    reason: str
    expected: Expected
    cmd: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as JSON-able values."""
        about = {"name": self.name, "reason": self.reason, "cmd": self.cmd}
        return {**about, **asdict(self.expected)}

    @property
    def seconds(self) -> float | None:
        return self.expected.seconds

    @property
    def kind(self) -> str:
        return self.name.split("@", 1)[0]


@dataclass(frozen=True)
class Plan:
    """The stages that a target would run, at most: one whose inputs come out equal is skipped.

    Attributes:
        target: The targets, with spaces between; null for everything.
        scale: That of ``params.yaml``.
        stages: In an order in which they can run.
        num_stages: Of the target, with those that are up to date.
        disk_free_gib: Where the project is.
        memory_total_gib: Of the machine.
        missing: Data and weights that no stage makes and that are not there.
        upstream: The stages that each directly comes after.
        jobs: Stages that run at once, at most.
        estimate: GPU-hours, memory and disk by training and table, of the paper's scale.
    """

    target: str | None
    scale: str
    stages: tuple[PlannedStage, ...]
    num_stages: int
    disk_free_gib: float
    memory_total_gib: float
    missing: tuple[Missing, ...] = ()
    upstream: Mapping[str, Sequence[str]] = field(default_factory=dict)
    jobs: int = 1
    estimate: PaperEstimate | None = None

    @property
    def seconds(self) -> float:
        """Expected time in s, one after the other, of those stages whose time is known."""
        return sum(stage.seconds or 0.0 for stage in self.stages)

    @property
    def elapsed_seconds(self) -> float:
        """Expected wall time in s with ``jobs`` at once; a stage of unknown time counts nothing."""
        seconds = {stage.name: stage.seconds or 0.0 for stage in self.stages}
        return makespan(seconds, self.upstream, self.jobs)

    @property
    def memory_gib(self) -> float | None:
        """Sum of the ``jobs`` highest peaks; None if none is known."""
        return total(nlargest(self.jobs, known(stage.expected.memory_gib for stage in self.stages)))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the stages whose time is not known."""
        return tuple(stage.name for stage in self.stages if stage.seconds is None)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return {
            "target": self.target,
            "scale": self.scale,
            "num_stages": self.num_stages,
            "stages": [stage.to_dict() for stage in self.stages],
            "seconds": self.seconds,
            "jobs": self.jobs,
            "elapsed_seconds": self.elapsed_seconds,
            "unknown": list(self.unknown),
            "disk_gib": total(stage.expected.disk_gib for stage in self.stages),
            "disk_free_gib": self.disk_free_gib,
            "memory_gib": self.memory_gib,
            "memory_total_gib": self.memory_total_gib,
            "missing": [asdict(each) for each in self.missing],
            "estimate": self.estimate and self.estimate.to_dict(),
        }

    def render(self) -> str:
        """Return the plan as text, one line for each kind of stage."""
        name = self.target or "everything"
        if not self.stages:
            return f"{name} at scale {self.scale}: up to date, nothing to run"
        head = f"{name} at scale {self.scale}: {len(self.stages)} of {self.num_stages} stages"
        lines = [f"{head} to run (fewer where an input comes out as it was)"]
        kinds = dict.fromkeys(stage.kind for stage in self.stages)
        width = max(map(len, kinds))
        lines += [self._render_kind(kind, width) for kind in kinds]
        return "\n".join([*lines, *self._render_needs(), *self._render_estimate()])

    def _render_estimate(self) -> list[str]:
        if self.estimate is None:
            return []
        from workbench.estimates.render import render

        return render(self.estimate)

    def _render_kind(self, kind: str, width: int) -> str:
        stages = [stage for stage in self.stages if stage.kind == kind]
        keys = ", ".join(stage.name.partition("@")[2] for stage in stages if "@" in stage.name)
        known = [stage.seconds for stage in stages if stage.seconds is not None]
        time = format_seconds(sum(known)) if known else "unknown"
        if known and len(known) < len(stages):
            time = f"over {time}"
        return f"  {kind:<{width}} {time:>12}  {keys}".rstrip()

    def _render_needs(self) -> list[str]:
        elapsed = format_seconds(self.elapsed_seconds)
        if len(self.unknown) == len(self.stages):
            time = "unknown: no run is recorded and no reference time is given"
        elif self.unknown:
            time = f"over {elapsed}: {len(self.unknown)} stages of unknown length"
        else:
            time = f"about {elapsed}"
        sources = {stage.expected.source for stage in self.stages if stage.seconds is not None}
        if sources:
            time += f" (from {' and '.join(BASIS[source] for source in sorted(sources))})"
            if self.jobs > 1:
                one = format_seconds(self.seconds)
                time += f", {self.jobs} stages at a time; {one} one after the other"
        disk = total(stage.expected.disk_gib for stage in self.stages)
        memory = self.memory_gib
        return [
            f"Expected time: {time}",
            f"Disk: {_gib(disk)} needed, {_gib(self.disk_free_gib)} free",
            f"Memory: {_gib(memory)} at the peak, {_gib(self.memory_total_gib)} in the machine",
            *(f"Missing: {each}" for each in self.missing),
        ]


def plan(
    *targets: str,
    jobs: int | None = None,
    scale: str | None = None,
    device: str | None = None,
    estimated: bool = False,
) -> Plan:
    """Return what reproducing targets would run.

    Args:
        *targets: Stages (``headline``, ``table@VI``, ``train@cropformer``); all without one.
        jobs: Stages that run at once, at most (default: `workbench.processes.default_jobs`).
        scale: Instead of the one in ``params.yaml``.
        device: That the paper's scale is estimated for, see ``configs/paper/plan.py``.
        estimated: Whether to estimate that scale, which takes minutes the first time.

    Raises:
        BadInput: No such target, device or scale, or a file that cannot be read.
    """
    from dvc.repo import Repo

    root = project_root()
    params = load_params(root, scale)
    if device is not None and params["scale"] != PAPER:
        problem = f"scale {params['scale']} is not estimated for a device"
        raise BadInput("--device", device, problem, f"add --scale {PAPER}")
    with Repo(str(root)) as repo:
        pipeline, workspace = read_pipeline(repo, scale), Workspace(repo)
        names = pipeline.needed_for(targets)
        changes = find_changes(pipeline, workspace, names)
        locked = workspace.locked
    stale = stale_stages(pipeline, changes, names)
    # What is made anew each time is made of what the others have made by then.
    always = [name for name in stale if pipeline.stages[name].always]
    last = {name: [each for each in stale if each not in always] for name in always}
    records = Records(root, params, locked)
    stages = tuple(
        PlannedStage(
            name,
            _reason(changes.get(name), after),
            records.expected(name),
            str(pipeline.stages[name].cmd),
        )
        for name, after in stale.items()
    )
    estimate = None
    if estimated and params["scale"] == PAPER:
        from workbench.estimates.stages import Estimates

        stages, estimate = _estimated(Estimates(root, params, device), pipeline, stages)
    return Plan(
        " ".join(targets) or None,
        params["scale"],
        stages,
        len(names),
        shutil.disk_usage(root).free / GIB,
        memory_gib(),
        find_missing(root, params, pipeline, list(stale), changes),
        {**pipeline.upstream, **last},
        jobs or default_jobs(params["scale"]),
        estimate,
    )


def _estimated(
    estimates: Estimates, pipeline: Pipeline, stages: Sequence[PlannedStage]
) -> tuple[tuple[PlannedStage, ...], PaperEstimate]:
    """Return stages with the estimates of what no run is recorded of, and these by table."""
    from workbench.estimates.tables import estimate_tables

    filled = []
    for stage in stages:
        found, expected = estimates.stage(stage.name), stage.expected
        if expected.seconds is None and found.gpu_hours is not None:
            seconds = found.gpu_hours / estimates.machine.count * 3600
            expected = replace(expected, seconds=seconds, source="estimated")
        if expected.disk_gib is None:
            expected = replace(expected, disk_gib=found.disk_gib)
        filled.append(replace(stage, expected=expected))
    made = estimate_tables(estimates, pipeline, [each.name for each in stages])
    estimates.counted.status.clear()
    return tuple(filled), made


def _reason(changes: Sequence[Change] | None, after: str | None) -> str:
    """Return the first things that changed, as one line."""
    if not changes:
        return f"after {after}"
    more = f" and {len(changes) - 2} more" if len(changes) > 2 else ""
    return "; ".join(map(str, changes[:2])) + more


def format_seconds(seconds: float) -> str:
    """Return a duration for people: ``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _gib(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} GiB"
