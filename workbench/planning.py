"""What reproducing a target would run, how long it would take and what it would need.

Times, sizes and memory come from the last run on this machine where there is one, else from the
reference in ``configs/<scale>/expected_times.yaml``; where neither knows, the plan says so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from workbench.errors import BadInput
from workbench.params import TRAININGS, load_params
from workbench.paths import Layout, project_root
from workbench.schedule import makespan

GIB = 2**30
# What one stage may take of the machine's memory, libraries included, before fewer run at once.
GIB_A_STAGE = 2.0
# DVC keeps each output twice where the file system cannot link: in its place and in the cache.
COPIES = 2


@dataclass(frozen=True)
class PlannedStage:
    """One stage that would run.

    Attributes:
        name: As DVC addresses it, e.g. ``train@cropformer``.
        reason: What changed, or the stage that it comes after.
        seconds: Expected wall time, null if unknown.
        source: Where the time comes from: ``recorded``, ``reference`` or ``unknown``.
        disk_gib: Size of its outputs at their last run (workspace and cache), null if unknown.
        memory_gib: Peak memory, null if unknown.
    """

    name: str
    reason: str
    seconds: float | None
    source: str
    disk_gib: float | None
    memory_gib: float | None

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
        upstream: The stages that each directly comes after.
        jobs: Stages that run at once, at most.
    """

    target: str | None
    scale: str
    stages: tuple[PlannedStage, ...]
    num_stages: int
    disk_free_gib: float
    memory_total_gib: float
    upstream: Mapping[str, Sequence[str]] = field(default_factory=dict)
    jobs: int = 1

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
        return _sum(nlargest(self.jobs, _known(stage.memory_gib for stage in self.stages)))

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
            "stages": [asdict(stage) for stage in self.stages],
            "seconds": self.seconds,
            "jobs": self.jobs,
            "elapsed_seconds": self.elapsed_seconds,
            "unknown": list(self.unknown),
            "disk_gib": _sum(stage.disk_gib for stage in self.stages),
            "disk_free_gib": self.disk_free_gib,
            "memory_gib": self.memory_gib,
            "memory_total_gib": self.memory_total_gib,
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
        return "\n".join([*lines, *self._render_needs()])

    def _render_kind(self, kind: str, width: int) -> str:
        stages = [stage for stage in self.stages if stage.kind == kind]
        keys = ", ".join(stage.name.partition("@")[2] for stage in stages if "@" in stage.name)
        known = [stage.seconds for stage in stages if stage.seconds is not None]
        time = format_seconds(sum(known)) if known else "unknown"
        if known and len(known) < len(stages):
            time = f"over {time}"
        return f"  {kind:<{width}} {time:>12}  {keys}".rstrip()

    def _render_needs(self) -> list[str]:
        total = format_seconds(self.elapsed_seconds)
        if len(self.unknown) == len(self.stages):
            time = "unknown: no run is recorded and no reference time is given"
        elif self.unknown:
            time = f"over {total}: {len(self.unknown)} stages of unknown length"
        else:
            time = f"about {total}"
        sources = {stage.source for stage in self.stages if stage.seconds is not None}
        basis = {"recorded": "this machine's last runs", "reference": "the reference machine"}
        if sources:
            time += f" (from {' and '.join(basis[source] for source in sorted(sources))})"
            if self.jobs > 1:
                one = format_seconds(self.seconds)
                time += f", {self.jobs} stages at a time; {one} one after the other"
        disk = _sum(stage.disk_gib for stage in self.stages)
        memory = self.memory_gib
        return [
            f"Expected time: {time}",
            f"Disk: {_gib(disk)} needed, {_gib(self.disk_free_gib)} free",
            f"Memory: {_gib(memory)} at the peak, {_gib(self.memory_total_gib)} in the machine",
        ]


def plan(*targets: str, jobs: int | None = None) -> Plan:
    """Return what reproducing targets would run.

    Args:
        *targets: Stages (``headline``, ``table@VI``, ``train@cropformer``); all without one.
        jobs: Stages that run at once, at most (default: `default_jobs`).

    Raises:
        BadInput: No such target, or a pipeline file that DVC cannot read.
    """
    root = project_root()
    params = load_params(root)
    changed, order = _pipeline(root, targets)
    records = _Records(root, params)
    stages = tuple(records.planned(name, reason) for name, reason in _stale(changed, order))
    free = shutil.disk_usage(root).free / GIB
    return Plan(
        " ".join(targets) or None,
        params["scale"],
        stages,
        len(order),
        free,
        _machine_memory_gib(),
        order,
        jobs or default_jobs(params["scale"]),
    )


def default_jobs(scale: str) -> int:
    """Return how many stages to run at once: one a core, as far as memory goes.

    At paper scale it is one, as a training there has the machine's GPUs to itself.
    """
    if scale == "paper":
        return 1
    return max(1, min(num_cores(), int(_machine_memory_gib() / GIB_A_STAGE)))


def num_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _machine_memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


def format_seconds(seconds: float) -> str:
    """Return a duration for people: ``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _pipeline(root: Path, targets: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Ask DVC which stages of targets changed, and in which order they depend on each other.

    Returns:
        Changed stages with what changed; and all stages of the targets in an order in which
        they can run, each with the stages that it directly comes after.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from networkx import topological_sort

    try:
        with Repo(str(root)) as repo:
            status = repo.status(targets=list(targets) or None, with_deps=bool(targets))
            graph = repo.index.graph
            collect = repo.stage.collect
            stages = [stage for target in targets for stage in collect(target, with_deps=True)]
            wanted = {stage.addressing for stage in (stages if targets else graph)}
    except DvcException as error:
        problem = str(error).replace("\n", " ")
        target = next((each for each in targets if f"'{each}'" in problem), None)
        if target and "does not exist" in problem:
            fix = "use `headline`, `table@<ID>` or another stage that `dvc stage list` names"
            raise BadInput("dvc.yaml", target, "no such target", fix) from error
        raise BadInput("dvc.yaml", "pipeline", problem, "correct it") from error
    order = {
        stage.addressing: [upstream.addressing for upstream in graph.successors(stage)]
        for stage in reversed(list(topological_sort(graph)))
        if stage.addressing in wanted
    }
    return {name: _reason(changes) for name, changes in status.items() if name in wanted}, order


def _reason(changes: list[Any]) -> str:
    """Return the first things that DVC says have changed, as one line."""
    found = []
    for change in changes:
        if isinstance(change, str):
            found.append(change)
            continue
        for what, paths in change.items():
            for path, state in paths.items():
                detail = ", ".join(state) if isinstance(state, dict) else state
                found.append(f"{what.removeprefix('changed ')}: {path} {detail}")
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return "; ".join(found[:2]) + more


def _stale(changed: dict[str, str], order: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the changed stages and all that come after one, in running order."""
    stale: dict[str, str] = {}
    for name, upstream in order.items():
        after = [before for before in upstream if before in stale]
        if name in changed or after:
            stale[name] = changed.get(name) or f"after {after[0]}"
    return list(stale.items())


class _Records:
    """What is known of earlier runs of the stages.

    Args:
        root: The project.
        params: Content of ``params.yaml``.
    """

    def __init__(self, root: Path, params: dict[str, Any]) -> None:
        self.root, self.params = root, params
        self.layout = Layout(params["scale"])
        reference = root / "configs" / self.layout.scale / "expected_times.yaml"
        self.reference = _read_yaml(reference)
        self.lock = _read_yaml(root / "dvc.lock").get("stages") or {}

    def planned(self, name: str, reason: str) -> PlannedStage:
        kind, _, key = name.partition("@")
        runs = self._runs(kind, key)
        recorded = [time for run in runs if (time := _wall_time(run)) is not None]
        num_seeds = self._num_seeds(kind, key)
        reference = _lookup(self.reference.get("seconds"), kind, key)
        if recorded:
            seconds, source = fmean(recorded) * num_seeds, "recorded"
        elif reference is not None:
            seconds, source = reference * num_seeds, "reference"
        else:
            seconds, source = None, "unknown"
        memory = _max(run.get("peak_memory_gib") for run in runs)
        if memory is None:
            memory = _lookup(self.reference.get("memory_gib"), kind, key)
        return PlannedStage(name, reason, seconds, source, self._disk_gib(name), memory)

    def _runs(self, kind: str, key: str) -> list[dict[str, Any]]:
        layout = self.layout
        places = {
            "train": layout.checkpoints(key) / "train.json",
            "finetune": layout.checkpoints(key) / "train.json",
            "transfer": layout.checkpoints(key) / "train.json",
            "pretrain": layout.pretrained(key) / "pretrain.json",
            "pretrain_joint": layout.pretrained(key) / "pretrain.json",
            "segment": layout.entities(key) / "segment.json",
            "sam": layout.entities(key) / "segment.json",
            "rebuild": layout.entities(key) / "segment.json",
            "ground": layout.groundings(key) / "groundings.json",
            "refer": layout.referrings(key) / "refer.json",
            "label": layout.labels(key) / "label.json",
            "paint": layout.maps(key) / "predictions.json",
        }
        if kind not in places:
            return []
        path = self.root / places[kind]
        try:
            return list(json.loads(path.read_text(encoding="utf-8"))["runs"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _num_seeds(self, kind: str, key: str) -> int:
        """Return the runs of a stage: its seeds, or those of the training that it uses."""
        if kind in TRAININGS:
            kinds: tuple[str, ...] = (kind,)
        elif kind in ("segment", "ground", "refer", "label", "paint", "rebuild"):
            kinds, key = TRAININGS, self._instance(kind, key).get("checkpoint", key)
        else:
            return 1
        return max(len(self._instance(each, key).get("seeds", [0])) for each in kinds)

    def _instance(self, kind: str, key: str) -> dict[str, Any]:
        return (self.params.get(kind) or {}).get(key) or {}

    def _disk_gib(self, name: str) -> float | None:
        outputs = self.lock.get(name, {}).get("outs", [])
        ours = [out for out in outputs if f"/{self.layout.scale}/" in out["path"]]
        return _sum(COPIES * out.get("size", 0) / GIB for out in ours)


def _wall_time(run: dict[str, Any]) -> float | None:
    value = run.get("wall_time_s")
    return float(value) if value is not None else None


def _lookup(table: Any, kind: str, key: str) -> float | None:
    """Return a reference value: a map by stage of one number or of a map by instance."""
    value = (table or {}).get(kind)
    if isinstance(value, dict):
        value = value.get(key)
    return float(value) if value is not None else None


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        problem = str(error).replace("\n", " ")
        raise BadInput(path, "YAML", problem, "correct the syntax") from error
    return dict(content)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _sum(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) if known else None


def _max(values: Iterable[float | None]) -> float | None:
    return max(_known(values), default=None)


def _gib(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} GiB"
