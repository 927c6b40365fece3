"""What made a target stale: which parameter, file or code, and what hangs on it (``esg why``)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.params import load_params
from workbench.paths import project_root
from workbench.pipeline.changes import (
    COMMAND,
    INPUT,
    MISSING,
    MODIFIED,
    NEVER_RUN,
    OUTPUT,
    PARAMETER,
    Change,
    Workspace,
    find_changes,
    stale_stages,
)
from workbench.pipeline.history import History, Since
from workbench.pipeline.stages import Pipeline, Stage, read_pipeline

MAX_NAMED = 2
MAX_FILES = 6
MAX_VALUE = 60
MAX_LINE = 100
# Causes are told in this order: what the user did comes first.
ORDER = (PARAMETER, COMMAND, INPUT, OUTPUT, NEVER_RUN)
TABLE = "table"


@dataclass(frozen=True)
class Cause:
    """One reason.

    Attributes:
        change: What changed; of outputs and of stages that never ran, the first of several.
        stages: The stages that it makes stale by itself, in running order.
        effects: The stages that come after these, in running order, tables included.
        maker: The stage whose output changed, for an input that is one.
        since: The files of a folder of code that changed; None where git cannot tell.
        restorable: Whether DVC's cache has all that is missing.
    """

    change: Change
    stages: tuple[str, ...]
    effects: tuple[str, ...]
    maker: str | None = None
    since: Since | None = None
    restorable: bool = False

    @property
    def tables(self) -> list[str]:
        """Ids of the tables that hang on it."""
        names = (*self.stages, *self.effects)
        return [name.partition("@")[2] for name in names if name.startswith(f"{TABLE}@")]

    def to_dict(self) -> dict[str, Any]:
        """Return the cause as JSON-able values."""
        about = asdict(self)
        return {**about.pop("change"), **about, "tables": self.tables}

    def render(self) -> list[str]:
        """Return the cause as lines."""
        lines = [self._title(), *(f"    {line}" for line in self._files())]
        kinds: dict[str, list[str]] = {}
        for name in self.effects:
            kinds.setdefault(name.partition("@")[0], []).append(name)
        ways = " -> ".join([_names(self.stages), *(_names(names) for names in kinds.values())])
        return [*lines, f"  makes stale: {ways}"]

    def _title(self) -> str:
        change = self.change
        if change.kind == NEVER_RUN:
            return "never run"
        if change.kind == COMMAND:
            return f"dvc.yaml: command {_short(change.old)} -> {_short(change.new)}"
        if change.kind == PARAMETER:
            return _parameter(change)
        if change.kind == OUTPUT:
            more = f" and {len(self.stages) - 1} more" if len(self.stages) > 1 else ""
            return f"output {change.state}: {change.where}{more}{self._remedy()}"
        if self.maker:
            return f"{change.where}: made anew by {self.maker}"
        return f"{change.where}: {change.state}{self._when()}"

    def _remedy(self) -> str:
        if self.restorable:
            return " (DVC's cache has it: `dvc checkout`)"
        if self.change.state == MISSING:
            return " (not in DVC's cache; `dvc pull` fetches what a remote has)"
        return ""

    def _when(self) -> str:
        if self.since is not None:
            return f" since commit {self.since.commit[:8]}"
        if self.change.state == MODIFIED:
            return " (what in it cannot be told: no commit holds it as it was)"
        return ""

    def _files(self) -> list[str]:
        files = self.since.files if self.since else ()
        lines = []
        for file in files[:MAX_FILES]:
            lines += [str(file), *(f"  {_short(line, MAX_LINE)}" for line in file.lines)]
        return lines + ([f"and {len(files) - MAX_FILES} more"] if len(files) > MAX_FILES else [])


@dataclass(frozen=True)
class Why:
    """Why targets are stale.

    Attributes:
        target: They, with spaces between; None for everything.
        scale: That of ``params.yaml``.
        num_stages: Of the targets and all that they need.
        stages: Those that are stale, in running order.
        causes: What made them so; empty if the targets are up to date.
    """

    target: str | None
    scale: str
    num_stages: int
    stages: tuple[str, ...]
    causes: tuple[Cause, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-able values."""
        causes = [cause.to_dict() for cause in self.causes]
        return {**asdict(self), "stale": bool(self.stages), "causes": causes}

    def render(self) -> str:
        """Return the answer as text, one paragraph a cause."""
        head = f"{self.target or 'everything'} at scale {self.scale}"
        if not self.causes:
            return f"{head}: up to date"
        stale = f"{len(self.stages)} of {self.num_stages} stages are stale"
        return "\n".join([f"{head}: {stale}", *(ln for c in self.causes for ln in c.render())])


def why(*targets: str) -> Why:
    """Find out why targets are stale; what is made anew each time never is.

    Args:
        *targets: Stages, groups of stages or outputs; everything without one.

    Raises:
        BadInput: No such target, or a pipeline file that cannot be read.
    """
    from dvc.repo import Repo

    root = project_root()
    scale = load_params(root)["scale"]
    with Repo(str(root)) as repo:
        pipeline, workspace = read_pipeline(repo), Workspace(repo)
        history = History(root, lambda path: repo.dvcignore.is_ignored_file(str(root / path)))
        names = [n for n in pipeline.needed_for(targets) if not pipeline.stages[n].always]
        changes = find_changes(pipeline, workspace, names)
        stale = stale_stages(pipeline, changes, names)
        causes = _causes(pipeline, changes, stale, workspace, history)
    return Why(" ".join(targets) or None, scale, len(names), tuple(stale), tuple(causes))


def _causes(
    pipeline: Pipeline,
    changes: Mapping[str, list[Change]],
    stale: Mapping[str, Any],
    workspace: Workspace,
    history: History,
) -> list[Cause]:
    groups: dict[Hashable, list[tuple[str, Change]]] = {}
    for name, found in changes.items():
        for change in found:
            made_anew = change.kind == INPUT and set(pipeline.makers(change.where)) & set(stale)
            if not made_anew:
                groups.setdefault(_group(name, change), []).append((name, change))
    causes = []
    for members in groups.values():
        stages, change = tuple(dict.fromkeys(name for name, _ in members)), members[0][1]
        makers = pipeline.makers(change.where) if change.kind == INPUT else []
        code = change.kind == INPUT and change.state == MODIFIED and not makers
        causes.append(
            Cause(
                change,
                stages,
                tuple(pipeline.downstream_of(stages)),
                next(iter(makers), None),
                history.since(change.where, change.old) if code else None,
                all(_restorable(pipeline.stages[n], c, workspace) for n, c in members),
            )
        )
    return sorted(causes, key=lambda cause: ORDER.index(cause.change.kind))


def _group(name: str, change: Change) -> Hashable:
    """Return what changes must have in common to be one cause."""
    if change.kind == NEVER_RUN:
        return change.kind
    if change.kind == COMMAND:
        return change.kind, name
    if change.kind == OUTPUT:
        return change.kind, change.state
    return change.kind, change.where, change.field, repr(change.old)


def _restorable(stage: Stage, change: Change, workspace: Workspace) -> bool:
    lost = change.kind == OUTPUT and change.state in (MISSING, MODIFIED)
    return lost and stage.outs[change.where] and bool(change.old and workspace.in_cache(change.old))


def _parameter(change: Change) -> str:
    where = f"{change.where}:{change.field}"
    if change.state == MODIFIED:
        return f"{where} {_short(change.old)} -> {_short(change.new)}"
    value = change.old if change.new is None else change.new
    return f"{where} {change.state}, {_short(value)}"


def _short(value: Any, length: int = MAX_VALUE) -> str:
    text = str(value)
    return text if len(text) <= length else f"{text[:length]}..."


def _names(names: Sequence[str]) -> str:
    """Return instances of a stage as text; tables, which are what counts, all of them."""
    if names[0].startswith(f"{TABLE}@"):
        return f"Table{'s' * (len(names) > 1)} {', '.join(n.partition('@')[2] for n in names)}"
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
