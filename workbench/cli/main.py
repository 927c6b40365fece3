"""Entry of ``esg``: parses the command line, runs a verb, turns errors into exit codes.

Modules imported here must stay light: a verb imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from workbench.cli import (
    convert,
    data,
    doctor,
    ground,
    report,
    reports,
    runs,
    segment,
    store,
    sweep,
)
from workbench.cli.output import say_error
from workbench.errors import AlreadyReported, EsgError

USAGE_ERROR = 2
INTERRUPTED_BY_USER = 130
GROUPS = (segment, ground, convert, runs, data, reports, report, store, sweep, doctor)


class OneLineParser(argparse.ArgumentParser):
    """Parser whose errors are one line, as all errors of this command are."""

    def error(self, message: str) -> NoReturn:
        say_error(f"{message.replace(chr(10), ' ')}; see `{self.prog} --help`")
        sys.exit(USAGE_ERROR)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; each sets ``run``, a function of the parsed arguments."""
    parser = OneLineParser(
        prog="esg",
        description="Reproducibility workbench for the CropFormer and GELLA paper.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 a check did not hold, "
        "4 data or weights missing, 75 interrupted and resumable. `dvc repro table@VI` makes a "
        "table.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for group in GROUPS:
        group.add_verbs(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``esg`` and return its exit code."""
    parsed = build_parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except AlreadyReported as error:
        return error.exit_code
    except EsgError as error:
        say_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say_error("interrupted")
        return INTERRUPTED_BY_USER
    except BrokenPipeError:
        # The reader, e.g. `head`, has what it wanted; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
