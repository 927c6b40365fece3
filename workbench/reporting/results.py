"""From score files to the content of a table: values in printed units, differences, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.errors import BadInput
from workbench.reporting.claims import NOT_RUN, Measured, Missing, Verdict, judge
from workbench.reporting.expression import Cell
from workbench.reporting.table_spec import Claim, Metric, Row, TableSpec

Scores = Mapping[str, Mapping[str, Any]]
OtherTables = Callable[[str], Mapping[str, Any] | None]

REPRODUCED, QUOTED, WAITS = "reproduced", "quoted", "waits"
MEANINGLESS = "smoke"
# Provenance of a run that a table carries on; values per seed are added in printed units.
RUN_FIELDS = (
    "seed",
    "run_id",
    "git_commit",
    "git_dirty",
    "config_sha256",
    "code_sha256",
    "data_sha256",
    "checkpoint_sha256",
    "predictions_sha256",
    "wall_time_s",
    "peak_memory_gib",
    "device",
)


def build_table(
    spec: TableSpec, scale: str, scores: Scores, other_table: OtherTables
) -> dict[str, Any]:
    """Put a table together.

    Args:
        spec: The table's description.
        scale: Scale of the scores.
        scores: Content of the score files by row id. A row that the paper does not have (another
            segmenter's masks, say) is added below the printed ones.
        other_table: Returns the JSON of another table at this scale, or None where it has not been
            made. Called for the tables that claims refer to.

    Returns:
        The JSON of the table. Every row has every metric; absent numbers are None.
    """
    extra = [Row(i, i, {}, {}, False, None, "Not a row of the paper.") for i in scores]
    known = {row.id for row in spec.rows}
    rows = [*spec.rows, *(row for row in extra if row.id not in known)]
    content = [_row(row, spec, scale, scores.get(row.id)) for row in rows]
    own = {row["id"]: row for row in content}
    claims = [_claim(claim, spec, scale, own, other_table) for claim in spec.claims]
    return {
        "table": spec.table,
        "scale": scale,
        "title": spec.title,
        "rows": content,
        "claims": claims,
        "notes": list(spec.notes),
    }


def _row(row: Row, spec: TableSpec, scale: str, score: Mapping[str, Any] | None) -> dict[str, Any]:
    status, waits = _status(row, spec, score)
    return {
        "id": row.id,
        "label": row.label,
        "status": status,
        "waits": waits,
        "note": row.note,
        "values": {m.name: _cell(m, row, score) for m in spec.metrics},
        "provenance": _provenance(row, spec, scale, score),
    }


def _status(row: Row, spec: TableSpec, score: Mapping[str, Any] | None) -> tuple[str, str | None]:
    if score is not None:
        return REPRODUCED, None
    if row.waits:
        return WAITS, row.waits
    if row.quoted:
        return QUOTED, None
    return WAITS, f"its score: dvc repro evaluate@{spec.table}__{row.id}"


def _cell(metric: Metric, row: Row, score: Mapping[str, Any] | None) -> dict[str, Any]:
    printed = row.printed.get(metric.name)
    measured = _metric(score, metric, row) if row.has(metric.name) else {}
    mean, std = measured.get("mean"), measured.get("std")
    reproduced = None if mean is None else mean * metric.unit.factor
    known = printed is not None and reproduced is not None
    return {
        "printed": printed,
        "reproduced": reproduced,
        "std": None if std is None else std * metric.unit.factor,
        "n": measured.get("n", 0) if reproduced is not None else 0,
        "difference": reproduced - printed if known else None,  # type: ignore[operator]
    }


def _metric(score: Mapping[str, Any] | None, metric: Metric, row: Row) -> Mapping[str, Any]:
    if score is None:
        return {}
    source = row.source(metric)
    if source not in score["metrics"]:
        where = f"score of {score.get('row')}"
        raise BadInput(where, f"metrics.{source}", "missing", "run the evaluate stage again")
    return score["metrics"][source]


def _provenance(
    row: Row, spec: TableSpec, scale: str, score: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what made a row; the same keys for every row, empty where nothing was run."""
    if score is None:
        return {"scale": scale, "counted_at": None, "score": None, "remarks": [], "runs": []}
    runs = []
    for index, run in enumerate(score["provenance"]):
        values = {
            m.name: _seed_value(m, row, score, index) for m in spec.metrics if row.has(m.name)
        }
        runs.append({**{name: run.get(name) for name in RUN_FIELDS}, "values": values})
    return {
        "scale": score["scale"],
        "counted_at": score.get("counted_at"),
        "score": score.get("score"),
        "remarks": list(score.get("remarks", [])),
        "runs": runs,
    }


def _seed_value(metric: Metric, row: Row, score: Mapping[str, Any], index: int) -> float | None:
    value = _metric(score, metric, row)["values"][index]
    return None if value is None else value * metric.unit.factor


def _claim(
    claim: Claim,
    spec: TableSpec,
    scale: str,
    rows: Mapping[str, Mapping[str, Any]],
    other_table: OtherTables,
) -> dict[str, Any]:
    if scale == MEANINGLESS:
        verdict = Verdict(NOT_RUN, f"numbers of scale {scale} mean nothing")
    else:
        verdict = judge(claim.condition, lambda cell: _measured(cell, spec, rows, other_table))
    return {
        "id": claim.id,
        "claim": claim.claim,
        "expr": claim.expr,
        "holds_in_paper": claim.holds_in_paper,
        "magnitude": claim.magnitude,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
    }


def _measured(
    cell: Cell,
    spec: TableSpec,
    rows: Mapping[str, Mapping[str, Any]],
    other_table: OtherTables,
) -> Measured | Missing:
    if cell.table is not None and cell.table != spec.table:
        other = other_table(cell.table)
        if other is None:
            return Missing(f"Table {cell.table} is not reproduced at this scale")
        rows = {row["id"]: row for row in other["rows"]}
    values = rows.get(cell.row, {}).get("values", {}).get(cell.metric, {})
    if values.get("reproduced") is None:
        waits = rows.get(cell.row, {}).get("waits")
        return Missing(f"{cell} is not reproduced" + (f" (waits for {waits})" if waits else ""))
    # Another table's metric of the same name is measured in the same way, so its floor holds too.
    metric = next((m for m in spec.metrics if m.name == cell.metric), None)
    floor = metric.floor(values["reproduced"]) if metric else 0.0
    return Measured(values["reproduced"], values["std"], values["n"], floor)
