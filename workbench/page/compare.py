"""What changed between two sets of tables: cells, rows' states and verdicts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.page.collect import parse_table, place
from workbench.paths import Layout

Tables = Mapping[str, Mapping[str, Any]]
NOT_MADE = "not made"
# Numbers that agree to so many digits are the same: JSON keeps them all.
DIGITS = 9


def tables_at(root: Path, revision: str, scale: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return a revision's commit and, by name, the tables of a scale that it holds.

    Args:
        root: The project.
        revision: As git names commits, e.g. ``HEAD~1``, ``v0.1`` or ``origin/main``.
        scale: Scale of the tables.

    Raises:
        BadInput: No git repository, no such revision, or a table that cannot be read.
    """
    commit = _git(root, revision, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    folder = Layout(scale).table("any", "json").parent.as_posix()
    listed = _git(root, revision, "ls-tree", "--name-only", commit.strip(), f"{folder}/")
    tables = {}
    for name in listed.splitlines():
        if name.endswith(".json"):
            text = _git(root, revision, "show", f"{commit.strip()}:./{name}")
            tables[Path(name).stem] = parse_table(text, f"{revision}:{name}")
    return commit.strip(), tables


def _git(root: Path, revision: str, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BadInput(
            "--against", revision, f"git cannot be run ({error})", "install git"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or "no such revision"
        raise BadInput(
            "--against", revision, said, "name a commit, branch or tag of this repository"
        )
    return done.stdout


def compare(before: Tables, after: Tables) -> dict[str, list[dict[str, Any]]]:
    """Return what changed, in the order of the tables.

    Returns:
        ``tables``: those that only one side has; ``cells``: reproduced values that differ, each
        ``table``, ``row``, ``metric`` and, ``before`` and ``after``, ``reproduced``, ``std`` and
        ``n``; ``claims``: verdicts that differ, ``table``, ``id``, ``before``, ``after``.
    """
    names = sorted({*before, *after}, key=place)
    return {
        "tables": [
            {"table": name, "before": name in before, "after": name in after}
            for name in names
            if (name in before) != (name in after)
        ],
        "cells": [c for name in names for c in _cells(name, before.get(name), after.get(name))],
        "claims": [c for name in names for c in _claims(name, before.get(name), after.get(name))],
    }


def _cells(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    old, new = _values(before), _values(after)
    for row, metric in dict.fromkeys([*old, *new]):
        was, now = old.get((row, metric)), new.get((row, metric))
        if _rounded(was) != _rounded(now):
            yield {"table": name, "row": row, "metric": metric, "before": was, "after": now}


def _values(table: Mapping[str, Any] | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Return reproduced values by row and metric."""
    return {
        (row["id"], metric): {key: value.get(key) for key in ("reproduced", "std", "n")}
        for row in (table or {}).get("rows", ())
        for metric, value in row["values"].items()
        if value.get("reproduced") is not None
    }


def _rounded(value: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    if value is None:
        return None
    numbers = (value["reproduced"], value["std"])
    return (*(n if n is None else f"{n:.{DIGITS}g}" for n in numbers), value["n"])


def _claims(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    old, new = _verdicts(before), _verdicts(after)
    for claim in dict.fromkeys([*old, *new]):
        was, now = old.get(claim, NOT_MADE), new.get(claim, NOT_MADE)
        if was != now:
            yield {"table": name, "id": claim, "before": was, "after": now}


def _verdicts(table: Mapping[str, Any] | None) -> dict[str, str]:
    return {claim["id"]: claim["verdict"] for claim in (table or {}).get("claims", ())}
