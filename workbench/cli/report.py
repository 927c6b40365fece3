"""``esg report`` and ``esg claims``: does the paper hold, on a page and in the terminal."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.cli.output import add_json_option, coloured, print_json
from workbench.paths import SCALES

if TYPE_CHECKING:
    from workbench.page.collect import ReportTable
    from workbench.page.judged import JudgedClaim
    from workbench.stages.report import Written

CHECK_FAILED = 3
CELLS_SHOWN = 20
_COLOURS = {"supported": "green", "contradicted": "red", "inconclusive": "yellow"}
_COLOURS |= {"holds": "green", "does not hold": "red"}
_CHANGED = {"cells": "cell", "claims": "verdict"}


def add_verbs(verbs: Any) -> None:
    """Add ``report`` and ``claims``."""
    report = verbs.add_parser(
        "report",
        help="all tables, claims and runs on one page",
        description="Write reports/<scale>/index.html from the tables that there are, and say "
        "where it is. Nothing is run for it.",
        allow_abbrev=False,
    )
    report.add_argument(
        "--against",
        metavar="REV",
        help="what changed since this revision of git, here and on the page",
    )
    report.add_argument("--open", action="store_true", help="open the page in a browser")
    _add_scale(report)
    add_json_option(report)
    report.set_defaults(run=run_report)
    claims = verbs.add_parser(
        "claims",
        help="the paper's claims, on reproduced and on printed numbers",
        description="List the paper's claims with their verdicts on the numbers made here and on "
        "those that the paper prints.",
        allow_abbrev=False,
    )
    claims.add_argument("tables", nargs="*", metavar="TABLE", help="e.g. VI X (default: all)")
    claims.add_argument(
        "--check", action="store_true", help="exit code 3 if a claim is contradicted here"
    )
    _add_scale(claims)
    add_json_option(claims)
    claims.set_defaults(run=run_claims)


def _add_scale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=SCALES, help="of the tables (default: of params.yaml)")


def run_report(arguments: argparse.Namespace) -> int:
    """Write the page; print where it is and what changed."""
    from workbench.paths import project_root
    from workbench.stages.report import report

    written = report(arguments.scale, arguments.against)
    if arguments.open:
        import webbrowser

        webbrowser.open((project_root() / written.page).resolve().as_uri())
    if arguments.json:
        print_json(_report_json(written))
        return 0
    tables = written.report.tables
    made = sum(table.made for table in tables)
    print(f"Report: {written.page} (scale {written.report.scale}, {made} of {len(tables)} tables)")
    if written.changes is not None:
        _print_changes(written.changes)
    return 0


def _report_json(written: Written) -> dict[str, Any]:
    return {
        "page": str(written.page),
        "index": str(written.index),
        "scale": written.report.scale,
        "tables": [
            {"table": t.id, "made": t.made, "reproduced": t.reproduced, "claims": t.verdicts}
            for t in written.report.tables
        ],
        "changes": written.changes,
    }


def _print_changes(changes: Mapping[str, Any]) -> None:
    counted = [_count(len(changes[kind]), thing) for kind, thing in _CHANGED.items()]
    commit = changes["commit"][:10]
    print(f"Against {changes['against']} ({commit}): {' and '.join(counted)} changed")
    for each in changes["tables"]:
        print(f"  table {each['table']}: {'new' if each['after'] else 'gone'}")
    for each in changes["claims"]:
        print(f"  {each['id']}: {_verdict(each['before'])} -> {_verdict(each['after'])}")
    for each in changes["cells"][:CELLS_SHOWN]:
        name = f"{each['table']}:{each['row']}:{each['metric']}"
        print(f"  {name}: {_number(each['before'])} -> {_number(each['after'])}")
    if len(changes["cells"]) > CELLS_SHOWN:
        print(f"  and {len(changes['cells']) - CELLS_SHOWN} more cells, which --json has")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def run_claims(arguments: argparse.Namespace) -> int:
    """Print the claims; with ``--check`` fail on a contradicted one."""
    from workbench.page.collect import collect
    from workbench.page.judged import judged_claims
    from workbench.params import load_params
    from workbench.paths import project_root

    root = project_root()
    scale = arguments.scale or load_params(root)["scale"]
    tables = _chosen(collect(root, scale).tables, arguments.tables)
    claims = [claim for table in tables for claim in judged_claims(table)]
    if arguments.json:
        print_json({"scale": scale, "claims": [_claim_json(claim) for claim in claims]})
    else:
        _print_claims(scale, claims)
    contradicted = any(claim.here.verdict == "contradicted" for claim in claims)
    return CHECK_FAILED if arguments.check and contradicted else 0


def _chosen(tables: Sequence[ReportTable], names: Sequence[str]) -> list[ReportTable]:
    from workbench.errors import BadInput

    known = [table.id for table in tables]
    for name in names:
        if name not in known:
            raise BadInput("TABLE", name, "no such table", f"use some of: {', '.join(known)}")
    return [table for table in tables if not names or table.id in names]


def _claim_json(claim: JudgedClaim) -> dict[str, Any]:
    return {
        "id": claim.id,
        "table": claim.table,
        "claim": claim.text,
        "expr": claim.expr,
        "magnitude": claim.magnitude,
        "here": {"verdict": claim.here.verdict, "reason": claim.here.reason},
        "on_paper": {"verdict": claim.paper.verdict, "reason": claim.paper.reason},
    }


def _print_claims(scale: str, claims: Sequence[JudgedClaim]) -> None:
    for claim in claims:
        print(f"{claim.id}: {claim.text}")
        print(f"  here: {_verdict(claim.here.verdict)} ({claim.here.reason})")
        print(f"  on paper: {_verdict(claim.paper.verdict)} ({claim.paper.reason})")
    here = _counted(claim.here.verdict for claim in claims)
    paper = _counted(claim.paper.verdict for claim in claims)
    print(f"{len(claims)} claims at scale {scale}: {here}; on the paper's own numbers: {paper}")


def _counted(verdicts: Iterable[str]) -> str:
    return (
        ", ".join(f"{number} {name}" for name, number in Counter(verdicts).most_common()) or "none"
    )


def _verdict(text: str) -> str:
    return coloured(text, _COLOURS[text]) if text in _COLOURS else text


def _number(value: Mapping[str, Any] | None) -> str:
    return "none" if value is None else f"{value['reproduced']:.6g} (n = {value['n']})"
