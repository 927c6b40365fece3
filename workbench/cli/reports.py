"""``esg plan``, ``why``, ``progress`` and ``trace``: before, during and after a run."""

from __future__ import annotations

import argparse
import time
from typing import Any

from workbench.cli.output import add_json_option, duration, positive, print_json, say_error
from workbench.paths import SCALES

OVER_BUDGET = 3


def add_verbs(verbs: Any) -> None:
    """Add ``plan``, ``why``, ``progress`` and ``trace``."""
    plan = verbs.add_parser(
        "plan",
        help="stages, time, disk and memory before a run",
        description="Say what reproducing a target would run, what it would take and what is "
        "missing for it. Exit code 3: more than the budget.",
        allow_abbrev=False,
    )
    plan.add_argument(
        "targets", nargs="*", metavar="TARGET", help="e.g. headline, table@VI (default: everything)"
    )
    plan.add_argument(
        "--jobs", type=positive, metavar="N", help="stages at once (default: as `make repro` runs)"
    )
    plan.add_argument(
        "--budget", type=duration, metavar="TIME", help="e.g. 8h, 90min: fail if it takes longer"
    )
    plan.add_argument("--scale", choices=SCALES, help="(default: that of params.yaml)")
    plan.add_argument(
        "--device",
        metavar="NAME",
        help="GPU that paper scale is estimated for, of configs/paper/plan.py, e.g. a100-80g",
    )
    add_json_option(plan)
    plan.set_defaults(run=run_plan)
    why = verbs.add_parser(
        "why",
        help="which parameter, file or code made a target stale",
        description="Say what changed since a target was made, from what to what, and which tables "
        "hang on it.",
        allow_abbrev=False,
    )
    why.add_argument(
        "targets", nargs="*", metavar="TARGET", help="e.g. table@VI, train (default: everything)"
    )
    add_json_option(why)
    why.set_defaults(run=run_why)
    progress = verbs.add_parser(
        "progress",
        help="how far a run in another terminal is",
        description="Say what of a running `dvc repro` or `make repro` is done, running and left.",
        allow_abbrev=False,
    )
    progress.add_argument(
        "targets", nargs="*", metavar="TARGET", help="what it makes (default: as it was started)"
    )
    add_json_option(progress)
    progress.set_defaults(run=run_progress)
    trace = verbs.add_parser(
        "trace",
        help="a table's cell back to run, commit, data and checkpoint",
        allow_abbrev=False,
    )
    trace.add_argument("cell", metavar="CELL", help="TABLE:row[:Metric], e.g. VI:cropformer:APe")
    trace.add_argument("--scale", help="of the table (default: that of params.yaml)")
    add_json_option(trace)
    trace.set_defaults(run=run_trace)


def run_plan(arguments: argparse.Namespace) -> int:
    """Print the plan of a target."""
    from workbench.planning import format_seconds, plan

    asked = {name: getattr(arguments, name) for name in ("jobs", "scale", "device")}
    planned = plan(*arguments.targets, **asked, estimated=True)
    if arguments.json:
        print_json({**planned.to_dict(), "budget_seconds": arguments.budget})
    else:
        print(planned.render())
    if arguments.budget is None or planned.elapsed_seconds <= arguments.budget:
        return 0
    budget = format_seconds(arguments.budget)
    say_error(f"over the budget of {budget}: {format_seconds(planned.elapsed_seconds)} expected")
    return OVER_BUDGET


def run_why(arguments: argparse.Namespace) -> int:
    """Print why a target is stale."""
    from workbench.pipeline.why import why

    answer = why(*arguments.targets)
    if arguments.json:
        print_json(answer.to_dict())
    else:
        print(answer.render())
    return 0


def run_progress(arguments: argparse.Namespace) -> int:
    """Print how far a run is."""
    from workbench.progress import look

    state, now = look(*arguments.targets), time.monotonic()
    if arguments.json:
        print_json(state.to_dict(now))
    else:
        print(state.render(now))
    return 0


def run_trace(arguments: argparse.Namespace) -> int:
    """Print where a cell's value comes from."""
    from workbench.trace import trace

    found = trace(arguments.cell, arguments.scale)
    if arguments.json:
        print_json(found)
        return 0
    state = found["status"] + (f", waits for {found['waits']}" if found["waits"] else "")
    print(f"{found['cell']} ({found['label']}), scale {found['scale']}: {state}")
    for name, value in found["values"].items():
        print(f"  {name}: " + ", ".join(f"{part} {_text(value[part])}" for part in value))
    for run in found["runs"]:
        print(f"seed {run['seed']}")
        for part, value in run.items():
            if part != "seed":
                print(f"  {part}: {_text(value)}")
    return 0


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)
