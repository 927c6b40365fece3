"""Shell shared by the stages: one key on the command line, one line for an error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from workbench.errors import AlreadyReported, EsgError
from workbench.paths import project_root


def run_stage(stage: Callable[[str], object], argv: list[str]) -> int:
    """Run ``stage(key)`` for ``python -m workbench.stages.NAME KEY`` and return its exit code.

    The stage runs in the project's root, wherever in the project it was started.
    """
    name = stage.__name__
    if len(argv) != 2 or argv[1].startswith("-"):
        print(f"usage: python -m workbench.stages.{name} KEY", file=sys.stderr)
        return 2
    try:
        os.chdir(project_root())
        stage(argv[1])
    except AlreadyReported as error:
        return error.exit_code
    except EsgError as error:
        print(f"{name} {argv[1]}: {error}", file=sys.stderr)
        return error.exit_code
    return 0
