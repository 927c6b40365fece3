"""What is different of each stage from what ``dvc.lock`` recorded when it last ran."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.files import read_yaml
from workbench.pipeline.stages import Pipeline, Stage

if TYPE_CHECKING:
    from dvc.repo import Repo

LOCK = "dvc.lock"
NEVER_RUN, COMMAND, PARAMETER = "never run", "command", "parameter"
INPUT, OUTPUT, ALWAYS = "input", "output", "always"
MODIFIED, ADDED, REMOVED, MISSING = "modified", "added", "removed", "missing"
NOT_CACHED = "not in DVC's cache"
# What DVC may take to write ``dvc.lock``.
WRITING_S = 3.0
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: Of what: one of the six above.
        where: File or folder; empty for a command.
        field: Dotted key of a parameter; empty for anything else.
        state: What became of it.
        old: What ``dvc.lock`` has: a parameter's value, a command, the MD5 of a file or folder.
        new: What is there now, likewise; None if it is missing.
    """

    kind: str
    where: str = ""
    field: str = ""
    state: str = MODIFIED
    old: Any = None
    new: Any = None

    def __str__(self) -> str:
        if self.kind == NEVER_RUN:
            return NEVER_RUN
        if self.kind == ALWAYS:
            return "made anew each time"
        if self.kind == COMMAND:
            return f"command {self.old} -> {self.new}"
        if self.kind != PARAMETER:
            return f"{self.where} {self.state}"
        values = (
            f"{self.old} -> {self.new}"
            if self.state == MODIFIED
            else f"{self.state} ({self.new if self.state == ADDED else self.old})"
        )
        return f"{self.where}:{self.field} {values}" if self.field else f"{self.where} {self.state}"


class Workspace:
    """Files as they are now and as DVC keeps them; each is looked at once."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.root = Path(repo.root_dir)
        self.hash_of = cache(self._hash_of)
        self.in_cache = cache(self._in_cache)
        self.content = cache(self._content)

    @property
    def locked(self) -> dict[str, Any]:
        """What ``dvc.lock`` has of each stage."""
        return self.content(LOCK).get("stages") or {}

    def _hash_of(self, path: str) -> str | None:
        """Return the MD5 that DVC gives a file or folder; None if it is not there."""
        from dvc.fs import localfs
        from dvc_data.hashfile.build import build

        place = self.root / path
        if not place.exists():
            return None
        database, ignored = self.repo.cache.local, self.repo.dvcignore
        _, _, found = build(database, str(place), localfs, "md5", dry_run=True, ignore=ignored)
        return str(found.hash_info.value)

    def _in_cache(self, md5: str) -> bool:
        """Tell whether DVC's cache has a file, or a folder with all its files."""
        from dvc_data.hashfile import check, load
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_objects.errors import ObjectFormatError

        database = self.repo.cache.local
        try:
            check(database, load(database, HashInfo("md5", md5)))
        except (FileNotFoundError, ObjectFormatError):
            return False
        return True

    def _content(self, path: str) -> dict[str, Any]:
        place = self.root / path
        try:
            return read_yaml(place) if place.is_file() else {}
        except BadInput:
            if path != LOCK:
                raise
            # A plain ``dvc repro`` may be writing it.
            time.sleep(WRITING_S)
            return read_yaml(place)


def find_changes(
    pipeline: Pipeline, workspace: Workspace, names: Sequence[str]
) -> dict[str, list[Change]]:
    """Return what is different, for those stages of which something is.

    As for ``dvc status``, an output of a stage above that is different, or gone, is a difference of
    both. Without a difference of its own a stage may still be run, after one above it.

    Args:
        pipeline: All stages.
        workspace: Where its files are.
        names: Stages to look at.
    """
    found = {}
    for name in names:
        stage = pipeline.stages[name]
        entry = workspace.locked.get(name)
        changes = [Change(NEVER_RUN)] if entry is None else list(_compare(stage, entry, workspace))
        changes += [Change(ALWAYS)] * stage.always
        if changes:
            found[name] = changes
    return found


def stale_stages(
    pipeline: Pipeline, changed: Mapping[str, Any], names: Sequence[str]
) -> dict[str, str | None]:
    """Return the stages that changed or come after one that did, in running order.

    Args:
        pipeline: All stages.
        changed: Those that differ by themselves.
        names: Stages to look at, in running order, each with all that it needs.

    Returns:
        By name, the stage that it comes after; None if it changed itself.
    """
    stale: dict[str, str | None] = {}
    for name in names:
        after = next((before for before in pipeline.upstream[name] if before in stale), None)
        if name in changed or after:
            stale[name] = None if name in changed else after
    return stale


def _compare(stage: Stage, entry: Mapping[str, Any], workspace: Workspace) -> Iterator[Change]:
    if stage.cmd != entry.get("cmd"):
        yield Change(COMMAND, old=entry.get("cmd"), new=stage.cmd)
    for path, keys in stage.params.items():
        yield from _parameters(path, keys, (entry.get("params") or {}).get(path) or {}, workspace)
    deps = {each["path"]: each.get("md5") for each in entry.get("deps") or ()}
    for path in stage.deps:
        yield from _file(INPUT, path, deps.get(path), workspace)
    outs = {each["path"]: each.get("md5") for each in entry.get("outs") or ()}
    for path, cached in stage.outs.items():
        changes = list(_file(OUTPUT, path, outs.get(path), workspace))
        yield from changes
        if not changes and cached and not workspace.in_cache(outs[path]):
            yield Change(OUTPUT, path, state=NOT_CACHED, old=outs[path], new=outs[path])


def _file(kind: str, path: str, old: str | None, workspace: Workspace) -> Iterator[Change]:
    new = workspace.hash_of(path)
    if new is None:
        yield Change(kind, path, state=MISSING, old=old)
    elif new != old:
        yield Change(kind, path, state=MODIFIED if old else ADDED, old=old, new=new)


def _parameters(
    path: str, keys: Sequence[str] | None, old: Mapping[str, Any], workspace: Workspace
) -> Iterator[Change]:
    content = workspace.content(path)
    for key in keys if keys is not None else dict.fromkeys([*content, *old]):
        yield from _values(path, key, old.get(key, _ABSENT), _look_up(content, key))


def _look_up(content: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(content, dict) or name not in content:
            return _ABSENT
        content = content[name]
    return content


def _values(path: str, key: str, old: Any, new: Any) -> Iterator[Change]:
    """Compare a parameter; of two mappings, what is in them."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _values(
                path, f"{key}.{name}", old.get(name, _ABSENT), new.get(name, _ABSENT)
            )
    elif old is _ABSENT and new is _ABSENT:
        yield Change(PARAMETER, path, key, MISSING)
    elif old is _ABSENT:
        yield Change(PARAMETER, path, key, ADDED, new=new)
    elif new is _ABSENT:
        yield Change(PARAMETER, path, key, REMOVED, old=old)
    elif old != new:
        yield Change(PARAMETER, path, key, MODIFIED, old, new)
