"""Count one row of a cost table: parameters and multiply-adds at the paper's sizes, no weights.

    python -m workbench.stages.count XI__gella

Reads ``count.KEY`` of ``params.yaml``, the config it names (of paper scale at every scale: counting
needs neither data nor a GPU) and the printed values in ``reports/tables/<table>.yaml``; writes
``artifacts/<scale>/scores/<table>/<row>.json``. Values are in M parameters and giga multiply-adds.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.files import write_json
from workbench.params import instance, load_params
from workbench.paths import Layout, project_root
from workbench.reporting.table_spec import load_spec
from workbench.stages.cli import run_stage
from workbench.stages.resolve import dump, load_config
from workbench.tracking.git import git_state

if TYPE_CHECKING:
    from workbench.costs.row import CostRow

COUNTED_AT = "paper"
VERSIONED = ("torch", "transformers", "onedl-mmcv", "onedl-mmdetection", "onedl-mmengine")
DEVICE = "none: counted on the meta device"


def count(key: str) -> Path:
    """Count one row and return the file it is in.

    Raises:
        BadInput: Unknown key, row or component.
        MissingInput: The config is not there.
    """
    params = load_params()
    item = instance(params, "count", key)
    for field in ("table", "row", "config"):
        if not isinstance(item.get(field), str):
            raise BadInput("params.yaml", f"count.{key}.{field}", "missing", "name it")
    layout = Layout(params["scale"])
    target = layout.score(item["table"], item["row"])
    place = {"table": item["table"], "row": item["row"], "scale": layout.scale}
    counts = _counted(Layout(COUNTED_AT).source_config(item["config"]), item)
    write_json(target, {**place, "counted_at": COUNTED_AT, **counts, "score": None})
    return target


def _counted(path: Path, item: dict[str, Any]) -> dict[str, Any]:
    """Return metrics, provenance and remarks of a row."""
    from mmengine.registry import DefaultScope
    from mmengine.utils import import_modules_from_strings

    from workbench.costs.ledger import Ledger
    from workbench.costs.row import CostRow

    begin = time.perf_counter()
    config = load_config(path)
    import_modules_from_strings(**config.custom_imports)
    content = config.to_dict()
    table, name = item["table"], item["row"]
    rows = content["rows"].get(table, {})
    if name not in rows:
        known = ", ".join(sorted(rows)) or "none"
        raise BadInput(path, f"rows.{table}.{name}", "missing", f"use one of: {known}")
    printed = {row.id: row.printed for row in load_spec(table).rows}.get(name, {})
    ledger = Ledger(content["components"], path)
    with DefaultScope.overwrite_default_scope("mmdet"):
        metrics = content["metrics"][table]
        row = CostRow(rows[name], metrics, printed, ledger, content["tolerance"])
        remarks = row.remarks()
    made = _provenance(row, hashlib.sha256(dump(config).encode()).hexdigest())
    made["count_time_s"] = round(time.perf_counter() - begin, 1)
    numbers = {metric: _cell(row.value(metric)) for metric in metrics}
    return {"metrics": numbers, "remarks": remarks, "provenance": [made]}


def _cell(value: float | None) -> dict[str, Any]:
    """Return a metric as the evaluate stage writes it: a count is one exact value."""
    return {"values": [value], "mean": value, "std": None, "n": 1}


def _provenance(row: CostRow, config_sha256: str) -> dict[str, Any]:
    git = git_state(project_root())
    return {
        "seed": None,
        "git_commit": git.commit,
        "git_dirty": git.dirty,
        "config_sha256": config_sha256,
        "device": DEVICE,
        "counted_at": COUNTED_AT,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
        "components": row.counted,
    }


if __name__ == "__main__":
    sys.exit(run_stage(count, sys.argv))
