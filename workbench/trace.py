"""The way back from a cell of a table to the runs, commits, data and checkpoints that made it."""

from __future__ import annotations

import json
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.params import load_params, predictions_of
from workbench.paths import Layout, project_root, store_root
from workbench.tracking.journal import delivered_run


def trace(cell: str, scale: str | None = None) -> dict[str, Any]:
    """Trace ``TABLE:row[:Metric]``, e.g. ``VI:cropformer:APe``.

    Args:
        cell: The cell, or a row for all its metrics.
        scale: Scale of the table; that of ``params.yaml`` by default.

    Returns:
        ``cell``, ``scale``, ``label``, ``status``, ``waits``, ``values`` (by metric: printed,
        reproduced, std, n, difference), ``score`` (kind of mask score) and ``runs``, one a seed
        and part of the row: ``part``, ``values`` of these metrics, run id, commit, hashes of
        config, code, data, checkpoint and predictions, wall time in s, memory in GiB, device, and
        ``checkpoint`` or None, the file as far as it is known from ``params.yaml``.

    Raises:
        BadInput: Not such a reference, or an unknown row or metric.
        MissingInput: The table has not been written.
    """
    parts = cell.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise BadInput("cell", cell, "not a cell", "write TABLE:row:Metric, e.g. VI:cropformer:APe")
    params = load_params()
    layout = Layout(scale or params["scale"])
    row = _row(layout, parts[0], parts[1])
    values = row["values"]
    if len(parts) == 3:
        values = {parts[2]: _pick(values, parts[2], cell, "metric")}
    provenance = row["provenance"]
    runs = []
    for run in provenance["runs"]:
        shared = {name: run["values"][name] for name in values if name in run["values"]}
        if shared:
            key = "__".join((*parts[:2], *([run["part"]] if run.get("part") else ())))
            folder = _checkpoint_folder(params, layout, key)
            weights = folder and f"{folder}/seed-{run['seed']}.pth"
            known = {"run_id": run["run_id"] or _delivered_since(run), "checkpoint": weights}
            runs.append({**run, "values": shared, **known})
    return {
        "cell": cell,
        "scale": layout.scale,
        "label": row["label"],
        "status": row["status"],
        "waits": row["waits"],
        "values": values,
        "score": provenance["score"],
        "runs": runs,
    }


def _delivered_since(run: dict[str, Any]) -> str | None:
    """Return the run of a training that ended while the store of runs was away."""
    sha256 = run.get("checkpoint_sha256")
    return None if sha256 is None else delivered_run(store_root(), sha256)


def _row(layout: Layout, table: str, row: str) -> dict[str, Any]:
    path = project_root() / layout.table(table, "json")
    if not path.is_file():
        raise MissingInput(layout.table(table, "json"), f"dvc repro table@{table}")
    rows = {r["id"]: r for r in json.loads(path.read_text(encoding="utf-8"))["rows"]}
    return _pick(rows, row, f"{table}:{row}", "row")


def _pick(known: dict[str, Any], name: str, cell: str, kind: str) -> Any:
    if name not in known:
        raise BadInput("cell", cell, f"no such {kind}", f"use one of: {', '.join(known)}")
    return known[name]


def _checkpoint_folder(params: dict[str, Any], layout: Layout, key: str) -> str | None:
    """Follow evaluate -> predictions -> training; None where a step is not there."""
    row = (params.get("evaluate") or {}).get(key) or {}
    checkpoint = (predictions_of(params, row) or row).get("checkpoint")
    return None if checkpoint is None else layout.checkpoints(checkpoint).as_posix()
