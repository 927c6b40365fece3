"""``esg convert``: released checkpoints to ours, and back."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.output import add_json_option, print_json
from workbench.conversion.kinds import KINDS, TASKED, TASKS
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.conversion.release import Converted


def add_verbs(verbs: Any) -> None:
    """Add ``convert``."""
    parser = verbs.add_parser(
        "convert",
        help="released checkpoints to ours",
        description="Read a released checkpoint (.pth or .pkl) and write it as this project's, "
        "with its config inside, so that `esg segment --checkpoint` takes it. Every tensor is "
        "carried over or named as unused. Nothing in the file can run code.",
        allow_abbrev=False,
    )
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("source", type=Path, metavar="IN", help="released file")
    parser.add_argument("target", type=Path, metavar="OUT", help="file to write")
    parser.add_argument("--task", choices=TASKS, help=f"of a Mask2Former (default: {TASKS[0]})")
    parser.add_argument(
        "--back", action="store_true", help="IN is ours: write it as the released code reads it"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert one file and say what became of its tensors."""
    from workbench.conversion.kinds import open_kind
    from workbench.paths import project_root

    source, target = arguments.source, arguments.target
    if target.is_dir() or target.resolve() == source.resolve():
        raise BadInput(target, "OUT", "is a folder or IN itself", "name a file to write")
    task = _task(arguments)
    release, config = open_kind(project_root(), arguments.kind, task)
    from workbench.conversion.release import convert, convert_back

    if arguments.back:
        converted = convert_back(release, config, source, target)
    else:
        converted = convert(release, config, source, target)
    if arguments.json:
        print_json({"kind": arguments.kind, "task": task, **converted.as_json()})
    else:
        _print(converted)
    return 0


def _task(arguments: argparse.Namespace) -> str | None:
    """Return the task of a kind that has several, else None.

    Raises:
        BadInput: One is given for another kind.
    """
    if arguments.kind == TASKED:
        return str(arguments.task or TASKS[0])
    if arguments.task:
        problem = f"{arguments.kind} has no tasks"
        raise BadInput("--task", arguments.task, problem, f"leave it out, or convert a {TASKED}")
    return None


def _print(converted: Converted) -> None:
    print(
        f"{converted.source}: {converted.mapped} tensors, {converted.parameters:,} numbers"
        f" -> {converted.target}"
    )
    for title, names in (
        ("unused", converted.unused),
        ("not in the file", converted.missing),
        ("left out, no weights", converted.beside),
        ("settings that the file does not carry", converted.settings),
    ):
        if names:
            print(f"{title} ({len(names)}): {', '.join(names)}")
