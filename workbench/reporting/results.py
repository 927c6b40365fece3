"""From score files to the content of a table: values in printed units, differences, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.reporting.claims import NOT_RUN, Measured, Missing, Verdict, judge
from workbench.reporting.expression import Cell
from workbench.reporting.parts import NO_PART, PartScores, by_row, measured, parts_of, values_of
from workbench.reporting.table_spec import Claim, Metric, Row, TableSpec

Scores = Mapping[str, Mapping[str, Any]]
Stages = Mapping[str, str]

REPRODUCED, QUOTED, WAITS = "reproduced", "quoted", "waits"
MEANINGLESS = "smoke"
# Provenance of a run that a table carries on; values per seed are added in printed units.
RUN_FIELDS = (
    "part",
    "seed",
    "run_id",
    "git_commit",
    "git_dirty",
    "config_sha256",
    "code_sha256",
    "data_sha256",
    "checkpoint_sha256",
    "masks_checkpoint_sha256",
    "predictions_sha256",
    "wall_time_s",
    "peak_memory_gib",
    "device",
)


def build_table(
    spec: TableSpec,
    scale: str,
    scores: Scores,
    stages: Stages | None = None,
) -> dict[str, Any]:
    """Put a table together.

    Args:
        spec: The table's description.
        scale: Scale of the scores.
        scores: Content of the score files by row id, or by ``row.part`` where a row has several
            parts; see ``parts``. A row that the paper does not have (another
            segmenter's masks, say) is added below the printed ones.
        stages: Stage of an instance that makes a score where it is another one than ``evaluate``.

    Returns:
        The JSON of the table. Every row has every metric; absent numbers are None.
    """
    found = by_row(scores)
    extra = [Row(i, i, {}, {}, False, None, "Not a row of the paper.") for i in found]
    known = {row.id for row in spec.rows}
    rows = [*spec.rows, *(row for row in extra if row.id not in known)]
    content = [_row(row, spec, scale, found.get(row.id, {}), stages or {}) for row in rows]
    own = {row["id"]: row for row in content}
    claims = [_claim(claim, spec, scale, own) for claim in spec.claims]
    return {
        "table": spec.table,
        "scale": scale,
        "title": spec.title,
        "rows": content,
        "claims": claims,
        "notes": [note.text for note in spec.notes],
    }


def _row(
    row: Row, spec: TableSpec, scale: str, scores: PartScores, stages: Stages
) -> dict[str, Any]:
    status, waits = _status(row, spec, scores, stages)
    return {
        "id": row.id,
        "label": row.label,
        "status": status,
        "waits": waits,
        "note": row.note,
        "values": {m.name: _cell(m, row, scores) for m in spec.metrics},
        "provenance": _provenance(row, spec, scale, scores),
    }


def _status(
    row: Row, spec: TableSpec, scores: PartScores, stages: Stages
) -> tuple[str, str | None]:
    """Return the status of a row and what it, or a part of it, waits for."""
    missing = [part for part in parts_of(map(row.source, spec.metrics)) if part not in scores]
    if scores and not missing:
        return REPRODUCED, None
    if not scores and (row.waits or row.quoted):
        return (WAITS, row.waits) if row.waits else (QUOTED, None)
    commands = _commands(spec.table, row.id, missing, stages)
    if missing == [NO_PART] or not missing:
        return REPRODUCED if scores else WAITS, f"its score: {commands}"
    return REPRODUCED if scores else WAITS, f"its parts {', '.join(missing)}: {commands}"


def _commands(table: str, row: str, parts: Sequence[str], stages: Stages) -> str:
    keys = [f"{table}__{row}__{part}" if part else f"{table}__{row}" for part in parts]
    return "dvc repro " + " ".join(f"{stages.get(key, 'evaluate')}@{key}" for key in keys)


def _cell(metric: Metric, row: Row, scores: PartScores) -> dict[str, Any]:
    printed = row.printed.get(metric.name)
    terms = row.source(metric)
    found = measured(terms, scores) if terms else {}
    mean, std = found.get("mean"), found.get("std")
    reproduced = None if mean is None else mean * metric.unit.factor
    known = printed is not None and reproduced is not None
    return {
        "printed": printed,
        "reproduced": reproduced,
        "std": None if std is None else std * metric.unit.factor,
        "n": found.get("n", 0) if reproduced is not None else 0,
        "difference": reproduced - printed if known else None,  # type: ignore[operator]
    }


def _provenance(row: Row, spec: TableSpec, scale: str, scores: PartScores) -> dict[str, Any]:
    """Return what made a row; the same keys for every row, empty where nothing was run.

    A run is of one part; ``values`` are those of the columns that the part has a share in, and in a
    mean over parts the part's own value.
    """
    if not scores:
        return {"scale": scale, "counted_at": None, "score": None, "remarks": [], "runs": []}
    runs, remarks = [], []
    ordered = dict.fromkeys([*parts_of(map(row.source, spec.metrics)), *scores])
    for part, score in ((part, scores[part]) for part in ordered if part in scores):
        shares = _shares(row, spec, part, scores)
        for index, run in enumerate(score["provenance"]):
            fields = {**{name: run.get(name) for name in RUN_FIELDS}, "part": part or None}
            runs.append({**fields, "values": {name: all_[index] for name, all_ in shares.items()}})
        said = score.get("remarks", [])
        remarks += [f"{part}: {remark}" if part else remark for remark in said]
    first = next(iter(scores.values()))
    return {
        "scale": first["scale"],
        "counted_at": first.get("counted_at"),
        "score": first.get("score"),
        "remarks": remarks,
        "runs": runs,
    }


def _shares(
    row: Row, spec: TableSpec, part: str, scores: PartScores
) -> dict[str, list[float | None]]:
    """Return a part's values, one a seed, by the columns made of it, in printed units."""
    return {
        metric.name: [
            None if value is None else value * metric.unit.factor
            for value in values_of(term, scores)
        ]
        for metric in spec.metrics
        for term in row.source(metric)
        if term.part == part
    }


def _claim(
    claim: Claim,
    spec: TableSpec,
    scale: str,
    rows: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    if scale == MEANINGLESS:
        verdict = Verdict(NOT_RUN, f"numbers of scale {scale} mean nothing")
    else:
        verdict = judge(claim.condition, lambda cell: _measured(cell, spec, rows))
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
) -> Measured | Missing:
    if cell.table is not None and cell.table != spec.table:
        # Its own JSON is no dependency of this table: it would make this one wait for all its rows.
        same = spec.same_runs.get(cell.table, {}).get(cell.row)
        if same is None:
            return Missing(f"{cell} is of other runs than this table's")
        cell = Cell(None, same, cell.metric)
    row = rows.get(cell.row, {})
    values = row.get("values", {}).get(cell.metric, {})
    if values.get("reproduced") is None:
        # Said once of a row without numbers, however many of its cells are needed.
        what = (
            cell if row.get("status") == REPRODUCED else str(cell).removesuffix(f".{cell.metric}")
        )
        waits = row.get("waits")
        return Missing(f"{what} is not reproduced" + (f" (waits for {waits})" if waits else ""))
    metric = next((m for m in spec.metrics if m.name == cell.metric), None)
    floor = metric.floor(values["reproduced"]) if metric else 0.0
    std = values["std"] if values["n"] > 1 else _column_deviation(cell.metric, rows)
    return Measured(values["reproduced"], std, values["n"], floor)


def _column_deviation(metric: str, rows: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return the largest deviation over seeds in a column; None: every row has one seed."""
    cells = (row["values"].get(metric, {}) for row in rows.values())
    return max((cell["std"] for cell in cells if cell.get("std") is not None), default=None)
