"""Errors a user can cause, each with the exit code that the command line returns.

Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 claim contradicted or cell out of
tolerance, 4 data or weights missing, 75 interrupted and resumable.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

MOST_SHOWN = 160


class EsgError(Exception):
    """Base of all errors that end a command with one line and no traceback."""

    exit_code = 1


def shown(value: Any) -> str:
    """Return a text or number that a file holds as one line, and the type of what is neither."""
    text = str(value) if isinstance(value, str | int) else type(value).__name__
    return "".join(char if char.isprintable() else "?" for char in text)[:MOST_SHOWN]


class AlreadyReported(EsgError):
    """A process of ours ended with an error and has said its line; nothing is left to say.

    Args:
        exit_code: What that process returned.
    """

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(f"a process ended with exit code {exit_code}; see the lines above")


class BadInput(EsgError):
    """A file, field or argument that cannot be used as it is.

    Args:
        where: File, command-line argument or parameter that holds the fault.
        field: Part of it that is wrong, e.g. ``annotations[3].id``.
        problem: What is wrong with it, with the offending value.
        fix: What the user should do.
    """

    exit_code = 2

    def __init__(self, where: str | PathLike[str], field: str, problem: str, fix: str) -> None:
        self.where, self.field, self.problem, self.fix = str(where), field, problem, fix
        super().__init__(f"{self.where}: {field}: {problem}; {fix}")


class MissingInput(EsgError):
    """Data, weights or the output of an earlier stage is not there.

    Args:
        path: What was looked for.
        fix: The stage that makes it or the place to get it.
    """

    exit_code = 4

    def __init__(self, path: str | PathLike[str], fix: str) -> None:
        self.path, self.fix = str(path), fix
        super().__init__(f"{self.path}: not found; {fix}")


class Interrupted(EsgError):
    """A run stopped early and can be resumed by the same command."""

    exit_code = 75
