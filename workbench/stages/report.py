"""Write the report of a scale: one page of all tables, their index in Markdown, training curves.

    python -m workbench.stages.report

Reads the descriptions and whatever tables there are; those that have not been made are shown as not
run. Figures come from artifacts and from the store of runs, where those are at hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import EsgError
from workbench.files import write_text
from workbench.page.build import Extras, render_index, render_page
from workbench.page.collect import Report, collect
from workbench.page.compare import compare, tables_at
from workbench.page.figures import draw_figures
from workbench.params import load_params
from workbench.paths import Layout, project_root
from workbench.tracking.curve_files import LOGGED_LOSS, write_curves
from workbench.tracking.history import curves
from workbench.tracking.store import tracking_uri

# Where `make ui` serves a local store.
LOCAL_UI = "http://127.0.0.1:5000"


@dataclass(frozen=True)
class Written:
    """What was written: paths relative to the project's root, and what they are of."""

    page: Path
    index: Path
    report: Report
    changes: Mapping[str, Any] | None


def report(scale: str | None = None, against: str | None = None) -> Written:
    """Write the report whole.

    Args:
        scale: That of ``params.yaml`` by default.
        against: Revision of git whose tables the page compares with; the index is the same.

    Raises:
        BadInput: A file that cannot be read, or no such revision.
        MissingInput: No descriptions of tables.
    """
    root = project_root()
    os.chdir(root)
    params = load_params(root)
    layout = Layout(scale or params["scale"])
    collected = collect(root, layout.scale)
    changes = None if against is None else changes_since(root, against, collected)
    runs = {run["run_id"] for table in collected.tables for _, run in table.runs if run["run_id"]}
    figures = draw_figures(collected, params, curves(root, sorted(runs), LOGGED_LOSS))
    extras = Extras(figures, changes, mlflow_url(root))
    write_text(root / layout.report(), render_page(collected, extras))
    write_text(root / layout.report_index(), render_index(collected))
    write_curves(root, layout, params)
    return Written(layout.report(), layout.report_index(), collected, changes)


def changes_since(root: Path, against: str, collected: Report) -> dict[str, Any]:
    """Return what `compare` finds between a revision and the tables there are.

    Raises:
        BadInput: No such revision.
    """
    commit, before = tables_at(root, against, collected.scale)
    after = {table.id: table.content for table in collected.tables if table.made}
    return {"against": against, "commit": commit, **compare(before, after)}


def mlflow_url(root: Path) -> str:
    """Return where runs can be looked at: the tracking server, or the local store's UI."""
    uri = tracking_uri(root)
    return uri if uri.startswith("http") else LOCAL_UI


def main(argv: list[str]) -> int:
    """Write the report and say where it is."""
    if argv[1:]:
        print("usage: python -m workbench.stages.report", file=sys.stderr)
        return 2
    try:
        os.chdir(project_root())
        written = report()
    except EsgError as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    print(f"Report: {written.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
