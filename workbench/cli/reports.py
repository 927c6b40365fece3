"""``esg plan`` and ``esg trace``: what a target would take, where a table's cell comes from."""

from __future__ import annotations

import argparse
from typing import Any

from workbench.cli.output import add_json_option, positive, print_json


def add_verbs(verbs: Any) -> None:
    """Add ``plan`` and ``trace``."""
    plan = verbs.add_parser(
        "plan",
        help="stages, time, disk and memory before a run",
        description="Say what reproducing a target would run and what it would take.",
        allow_abbrev=False,
    )
    plan.add_argument(
        "targets", nargs="*", metavar="TARGET", help="e.g. headline, table@VI (default: everything)"
    )
    plan.add_argument(
        "--jobs", type=positive, metavar="N", help="stages at once (default: as `make repro` runs)"
    )
    add_json_option(plan)
    plan.set_defaults(run=run_plan)
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
    from workbench.planning import plan

    planned = plan(*arguments.targets, jobs=arguments.jobs)
    if arguments.json:
        print_json(planned.to_dict())
    else:
        print(planned.render())
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
