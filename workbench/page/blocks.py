"""Parts of a table that share no column, such as (a) and (b) of the paper, shown apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.page.collect import ReportTable
from workbench.reporting.table_spec import Metric, Row


@dataclass(frozen=True)
class Block:
    """Rows, with their descriptions (None: not a row of the paper), and the columns they have."""

    rows: tuple[tuple[Mapping[str, Any], Row | None], ...]
    metrics: tuple[Metric, ...]


def blocks(table: ReportTable) -> list[Block]:
    """Split a table where no row has columns of both sides."""
    spec, described = table.spec, {row.id: row for row in table.spec.rows}
    groups: list[tuple[set[str], set[str]]] = []
    for row in table.content["rows"]:
        known = described.get(row["id"])
        columns = {m.name for m in spec.metrics if known is None or known.has(m.name)}
        touched = [group for group in groups if group[1] & columns]
        merged = (
            {row["id"]}.union(*(g[0] for g in touched)),
            columns.union(*(g[1] for g in touched)),
        )
        groups = [group for group in groups if group not in touched] + [merged]
    order = [row["id"] for row in table.content["rows"]]
    groups.sort(key=lambda group: min(map(order.index, group[0])))
    return [
        Block(
            tuple((r, described.get(r["id"])) for r in table.content["rows"] if r["id"] in rows),
            tuple(metric for metric in spec.metrics if metric.name in columns),
        )
        for rows, columns in groups
    ]
