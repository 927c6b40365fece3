"""Write one table of the paper: printed and reproduced values, claims, provenance.

    python -m workbench.stages.table VI

Reads ``reports/tables/<ID>.yaml`` and the scores in ``artifacts/<scale>/scores/<ID>/``; writes
``reports/<scale>/tables/<ID>.json`` and ``.md``, and what DVC shows of them in
``reports/<scale>/metrics/<ID>/`` and ``reports/<scale>/bars/<ID>.json``. Rows without a score are
kept and say what they wait for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.files import atomic_folder, write_json, write_text
from workbench.params import SCORING, load_params, score_key
from workbench.paths import Layout, project_root, store_root
from workbench.reporting.dvc_views import bars_of, metrics_of
from workbench.reporting.render import render_markdown
from workbench.reporting.results import build_table
from workbench.reporting.table_spec import load_spec
from workbench.stages.cli import run_stage


def table(table_id: str) -> Path:
    """Write a table's JSON and Markdown and return the path of the Markdown.

    Raises:
        BadInput: Unknown table, a faulty description, or a score file that does not belong here.
    """
    params = load_params()
    spec, layout = load_spec(table_id), Layout(params["scale"])
    stages = {key: stage for stage in SCORING for key in params.get(stage) or {}}
    content = build_table(
        spec,
        layout.scale,
        _read_scores(layout, table_id, stages),
        stages,
    )
    page = layout.table(table_id, "md")
    write_json(layout.table(table_id, "json"), content)
    write_json(layout.bars(table_id), bars_of(content))
    with atomic_folder(layout.metrics(table_id)) as folder:
        for row, values in metrics_of(content).items():
            write_json(folder / f"{row}.json", values)
    write_text(page, render_markdown(content, spec))
    return page


def _read_scores(
    layout: Layout, table_id: str, stages: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the score files of a table by ``row`` or ``row.part``, without those that wait."""
    folder = layout.score(table_id, "any").parent
    scores = {}
    for path in sorted(folder.glob("*.json")):
        score = _read(path)
        expected = {"table": table_id, "row": path.stem, "scale": layout.scale}
        key = score_key(table_id, path.stem)
        instance = f"{stages.get(key, 'evaluate')}@{key}"
        for field, value in expected.items():
            if score.get(field) != value:
                fix = f"dvc repro --force {instance}"
                raise BadInput(path, field, f"{score.get(field)!r}, not {value!r}", fix)
        if "waits" in score:
            continue
        for field, kind in (("metrics", dict), ("provenance", list)):
            if not isinstance(score.get(field), kind):
                raise BadInput(path, field, "missing", f"dvc repro {instance}")
        scores[path.stem] = score
    return scores


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", "write it again") from error
    if not isinstance(value, dict):
        raise BadInput(path, "top level", "not an object", "write it again")
    return value


def log(table_id: str) -> None:
    """Log a written table to the store of runs; one that is away stops nothing."""
    from workbench.tracking.store import open_store, reason
    from workbench.tracking.tables import log_tables

    root = store_root()
    try:
        log_tables(open_store(root), root, project_root(), [table_id])
    except Exception as error:
        print(
            f"table {table_id}: MLflow does not answer ({reason(error)}); `esg sync` logs it later"
        )


if __name__ == "__main__":
    code = run_stage(table, sys.argv)
    if code == 0:
        log(sys.argv[1])
    sys.exit(code)
