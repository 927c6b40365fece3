"""``esg data``: write the small worlds, check data sets, convert narratives."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.cli.output import StatusLine, add_json_option, coloured, print_json
from workbench.errors import BadInput, EsgError, MissingInput

COLOURS = {"ok": "green", "missing": "yellow", "broken": "red"}


def add_verbs(verbs: Any) -> None:
    """Add ``data mini``, ``data check`` and ``data convert-narratives``."""
    parser = verbs.add_parser("data", help="write the small worlds, check data sets")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    mini = actions.add_parser(
        "mini", help="write the small worlds of the mini scale", allow_abbrev=False
    )
    mini.add_argument("names", nargs="*", metavar="NAME", help="of configs/mini/worlds.yaml")
    mini.add_argument(
        "--out", type=Path, metavar="DIR", help="parent folder (default: artifacts/mini/data)"
    )
    mini.set_defaults(run=run_mini)
    check = actions.add_parser(
        "check",
        help="what is there, missing or broken",
        description="Read every annotation, mask and picture of the current scale's data sets, "
        "and say which tables wait for the faulty ones. Exit code 2: broken, 4: missing.",
        allow_abbrev=False,
    )
    check.add_argument("names", nargs="*", metavar="NAME", help="of params.yaml (default: all)")
    add_json_option(check)
    check.set_defaults(run=run_check)
    convert = actions.add_parser(
        "convert-narratives",
        help="captions with spans to PNG's schema",
        description="Write captions whose phrases have start, end and segment_ids as a PNG file, "
        "to be named as `narratives` of a split.",
        allow_abbrev=False,
    )
    convert.add_argument("source", type=Path, metavar="IN", help="JSON list of captions")
    convert.add_argument("target", type=Path, metavar="OUT", help="PNG file to write")
    convert.set_defaults(run=run_convert)


def run_mini(arguments: argparse.Namespace) -> int:
    """Write the worlds and say where they and their contact sheets are."""
    from workbench.datasets.worlds import write_worlds
    from workbench.paths import Layout, project_root

    out = arguments.out or project_root() / Layout("mini").artifacts / "data"
    for folder in write_worlds("mini", out, arguments.names or None):
        print(f"{folder}: see {folder / 'contact_sheet.png'}")
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Check the named data sets, or all."""
    from workbench.params import load_params

    params = load_params()
    known = [*(params.get("prep") or {}), *(params.get("own_data") or {})]
    for name in arguments.names:
        if name not in known:
            fix = f"use one of: {', '.join(known)}"
            raise BadInput("params.yaml", name, "unknown data set", fix)
    states = [_state(params, name) for name in arguments.names or known]
    if arguments.json:
        print_json({"scale": params["scale"], "datasets": states})
    else:
        for state in states:
            _print_state(state)
    if any(state["state"] == "broken" for state in states):
        return BadInput.exit_code
    return MissingInput.exit_code if any(s["state"] == "missing" for s in states) else 0


def run_convert(arguments: argparse.Namespace) -> int:
    """Convert one file and say how much was in it."""
    from workbench.conversion.narratives import convert_narratives

    count = convert_narratives(arguments.source, arguments.target)
    print(f"{arguments.target}: {count} narratives")
    return 0


class Teller:
    """Says on standard error how far a long check is."""

    def __init__(self, name: str) -> None:
        self._name, self._line = name, StatusLine()

    def __call__(self, split: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` items of a split are checked."""
        if self._line.due:
            self._line.show(f"checking {self._name}, {split}: {done:,} of {total:,}")


def _state(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one data set's state, what was found in it, and the tables that wait for it."""
    from workbench.datasets.catalogue import CATALOGUE
    from workbench.datasets.check import inspect_dataset
    from workbench.paths import Layout, project_root

    manifest = project_root() / Layout(params["scale"]).manifest(name)
    stage = "prep" if name in (params.get("prep") or {}) else "own_data"
    source = CATALOGUE.get(name) if stage == "prep" else None
    real = source if params["scale"] == "paper" else None
    found: dict[str, Any] = {"name": name, "state": "ok", "splits": {}, "faults": [], "notes": []}
    if not manifest.is_file():
        missing = f"{manifest}: not found; run `dvc repro {stage}@{name}`"
        found |= {"state": "missing", "faults": [missing]}
    else:
        try:
            for report in inspect_dataset(manifest, real, Teller(name)):
                found["splits"][report.split] = {**report.units, "unusable": report.unusable}
                for finding in report.findings:
                    found["notes" if finding.note else "faults"].append(str(finding))
        except EsgError as error:
            found["faults"].append(str(error))
        found["state"] = "broken" if found["faults"] else "ok"
    ok = found["state"] == "ok"
    waiting = [] if ok else [*_tables_of(params, name), *(source.tables if source else ())]
    obtain = real.obtain if real and not ok else None
    return {**found, "tables_waiting": sorted(set(waiting)), "obtain": obtain}


def _tables_of(params: dict[str, Any], dataset: str) -> list[str]:
    """Return the tables with a row trained, run, scored or measured on a data set."""
    from workbench.params import TRAININGS, predictions_of

    tables = set()
    for row in (params.get("evaluate") or {}).values():
        made = predictions_of(params, row)
        trained = [
            (params.get(stage) or {}).get((made or row).get("checkpoint")) or {}
            for stage in TRAININGS
        ]
        trained += [(params.get("train") or {}).get(item.get("start")) or {} for item in trained]
        if dataset in {item.get("dataset") for item in (row, made, *trained)}:
            tables.add(str(row.get("table")))
    for stage in ("evaluate_given", "measure"):
        for row in (params.get(stage) or {}).values():
            if row.get("dataset") == dataset:
                tables.add(str(row.get("table")))
    return sorted(tables)


def _print_state(state: dict[str, Any]) -> None:
    line = f"{state['name']}: {coloured(state['state'], COLOURS[state['state']])}"
    if state["tables_waiting"]:
        line += f" (tables that wait: {', '.join(state['tables_waiting'])})"
    print(line)
    for split, counts in state["splits"].items():
        print(f"  {split or 'no split'}: {_counted(counts)}")
    for fault in state["faults"]:
        print(f"  {fault}")
    for note in state["notes"]:
        print(f"  note: {note}")
    if state["obtain"]:
        print(f"  obtain {state['obtain']}")


def _counted(counts: dict[str, int | None]) -> str:
    """Return how much a split holds and how much of it cannot be used, in words."""
    units = ", ".join(f"{count:,} {unit}" for unit, count in counts.items() if unit != "unusable")
    unusable = counts["unusable"]
    if unusable is None:
        return "cannot be opened"
    return f"{units}; {unusable:,} unusable" if unusable else units
