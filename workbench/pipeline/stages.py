"""The stages of ``dvc.yaml`` with their templates filled, and how they hang together.

DVC fills the templates; its index is not used, which reads ``params.yaml`` anew for each of some
300 stages (5 s). What comes after what is taken from the paths, as DVC does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput

if TYPE_CHECKING:
    from dvc.repo import Repo

PIPELINE, PARAMS = "dvc.yaml", "params.yaml"
_OUTPUTS = ("outs", "metrics", "plots")


@dataclass(frozen=True)
class Stage:
    """One stage instance.

    Attributes:
        name: As DVC addresses it, e.g. ``train@cropformer``.
        cmd: What it runs.
        deps: Files and folders it reads, relative to the project's root.
        params: Dotted keys that it reads, by file; None for the whole file.
        outs: Files and folders it writes, and whether DVC keeps them in its cache.
        always: Whether it is made anew each time, of whatever there is.
    """

    name: str
    cmd: Any
    deps: tuple[str, ...]
    params: Mapping[str, Sequence[str] | None]
    outs: Mapping[str, bool]
    always: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition("@")[0]

    @property
    def key(self) -> str:
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Pipeline:
    """All stages.

    Attributes:
        stages: By name, in an order in which they can run.
        upstream: The stages that each directly comes after.
    """

    stages: Mapping[str, Stage]
    upstream: Mapping[str, Sequence[str]]

    def needed_for(self, targets: Sequence[str]) -> list[str]:
        """Return targets and all that they come after, in running order; everything for none.

        Args:
            targets: Stages (``headline``, ``table@VI``), all instances of one (``table``) or
                paths of outputs.

        Raises:
            BadInput: No such target.
        """
        if not targets:
            return list(self.stages)
        found = {name for target in targets for name in self._named(target)}
        return self._closure(found, self.upstream)

    def makers(self, path: str) -> list[str]:
        """Return the stages that write a path, a folder that it is in, or something in it."""
        return list(self._makers(path))

    @cached_property
    def _makers(self) -> _Makers:
        return _Makers(self.stages.values())

    def downstream_of(self, names: Iterable[str]) -> list[str]:
        """Return the stages that come after some, directly or not, in running order."""
        names = set(names)
        after: dict[str, list[str]] = {name: [] for name in self.stages}
        for name, before in self.upstream.items():
            for each in before:
                after[each].append(name)
        return [name for name in self._closure(names, after) if name not in names]

    def _closure(self, names: set[str], edges: Mapping[str, Sequence[str]]) -> list[str]:
        seen, waiting = set(names), list(names)
        while waiting:
            new = [each for each in edges[waiting.pop()] if each not in seen]
            seen.update(new)
            waiting += new
        return [name for name in self.stages if name in seen]

    def _named(self, target: str) -> list[str]:
        stages = self.stages.values()
        found = [s.name for s in stages if target in (s.name, s.kind) or target in s.outs]
        if not found:
            fix = "use `headline`, `table@<ID>` or another stage that `dvc stage list` names"
            raise BadInput(PIPELINE, target, "no such target", fix)
        return found


def read_pipeline(repo: Repo, scale: str | None = None) -> Pipeline:
    """Read ``dvc.yaml`` and ``params.yaml``.

    Args:
        repo: The project's.
        scale: Instead of the one in ``params.yaml``.

    Raises:
        BadInput: DVC cannot read one of them, or stages come after each other in a circle.
    """
    from dvc.dvcfile import ProjectFile
    from dvc.exceptions import DvcException
    from dvc.parsing import DataResolver

    try:
        resolver = DataResolver(repo, repo.root_dir, ProjectFile(repo, PIPELINE).contents)
        if scale is not None:
            resolver.context.merge_update({"scale": scale}, overwrite=True)
        filled = resolver.resolve()["stages"]
    except DvcException as error:
        problem = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise BadInput(PIPELINE, "pipeline", " ".join(problem.split()), "correct it") from error
    stages = {name: _stage(name, content) for name, content in filled.items()}
    upstream = _edges(stages.values())
    # What is made anew each time is made of what the others have made by then.
    order = sorted(_order(upstream), key=lambda name: stages[name].always)
    return Pipeline({name: stages[name] for name in order}, upstream)


def _order(upstream: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield stages in an order in which they can run, as far as possible that of ``dvc.yaml``."""
    place = {name: number for number, name in enumerate(upstream)}
    sorter = TopologicalSorter(upstream)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise BadInput(PIPELINE, "pipeline", f"a circle: {circle}", "break it") from error
    ready: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, (place[name], name))
        _, name = heappop(ready)
        yield name
        sorter.done(name)


def _stage(name: str, content: Mapping[str, Any]) -> Stage:
    params: dict[str, list[str] | None] = {}
    for entry in content.get("params") or ():
        named = entry if isinstance(entry, dict) else {PARAMS: [entry]}
        for path, keys in named.items():
            before = params.get(path) or []
            params[path] = [*before, *keys] if keys else None
    outs = [entry for field in _OUTPUTS for entry in content.get(field) or ()]
    return Stage(
        name,
        content.get("cmd"),
        tuple(dict.fromkeys(path for path, _ in map(_entry, content.get("deps") or ()))),
        params,
        {path: bool(options.get("cache", True)) for path, options in map(_entry, outs)},
        bool(content.get("always_changed")),
    )


def _entry(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """Return path and options of an entry, which is a path or a map of one."""
    path, options = next(iter(entry.items())) if isinstance(entry, dict) else (entry, None)
    return PurePosixPath(path).as_posix(), options or {}


def _edges(stages: Iterable[Stage]) -> dict[str, list[str]]:
    """Return the stages that each comes after: the makers of what it reads."""
    stages = list(stages)
    makers = _Makers(stages)
    return {s.name: list(dict.fromkeys(n for path in s.deps for n in makers(path))) for s in stages}


class _Makers:
    """Finds the stages that write a path, a folder that it is in, or something in it."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self.by_path = {path: stage.name for stage in stages for path in stage.outs}
        self.sorted = sorted(self.by_path)

    def __call__(self, path: str) -> Iterator[str]:
        for each in (path, *(parent.as_posix() for parent in PurePosixPath(path).parents)):
            if each in self.by_path:
                yield self.by_path[each]
        for each in self.sorted[bisect_left(self.sorted, f"{path}/") :]:
            if not each.startswith(f"{path}/"):
                break
            yield self.by_path[each]
