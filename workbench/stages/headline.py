"""Stage ``headline``: the tables that stand for the paper, on one page."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from workbench.errors import EsgError, MissingInput
from workbench.files import write_text
from workbench.params import load_params
from workbench.paths import Layout, project_root

TABLES = ("VI", "X")
MEANING = {
    "mini": "Small models on generated worlds: not the paper's experiment.",
    "smoke": "A few iterations: **the numbers mean nothing**, only that every part ran.",
    "paper": "The paper's models and data sets.",
}


def headline() -> Path:
    """Write ``reports/<scale>/headline.md`` whole and return its path.

    Raises:
        MissingInput: A table has not been made.
    """
    layout = Layout(load_params()["scale"])
    lines = ["# Headline tables", "", f"Scale `{layout.scale}`. {MEANING[layout.scale]}", ""]
    lines += ["| table | rows | claims |", "| --- | --- | --- |"]
    for table in TABLES:
        path = layout.table(table, "json")
        if not path.is_file():
            raise MissingInput(path, f"make it by `dvc repro table@{table}`")
        content = json.loads(path.read_text(encoding="utf-8"))
        rows, claims = _tally(content["rows"], "status"), _tally(content["claims"], "verdict")
        lines.append(f"| [{table}](tables/{table}.md) | {rows} | {claims} |")
    path = layout.headline()
    write_text(path, "\n".join(lines) + "\n")
    return path


def _tally(records: list[dict[str, Any]], field: str) -> str:
    counts = Counter(record[field] for record in records)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def main(argv: list[str]) -> int:
    """Make the page."""
    if argv[1:]:
        print("usage: python -m workbench.stages.headline", file=sys.stderr)
        return 2
    try:
        os.chdir(project_root())
        headline()
    except EsgError as error:
        print(f"headline: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
