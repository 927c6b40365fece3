"""What a table's cell shows, whatever page it is on: numbers as text in the printed unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.reporting.parts import NO_PART
from workbench.reporting.results import QUOTED, REPRODUCED
from workbench.reporting.table_spec import Metric, Row

NOT_PRINTED = "none"
BETTER, WORSE, EQUAL = "better", "worse", "equal"


@dataclass(frozen=True)
class Shown:
    """A cell as text.

    Attributes:
        printed: What the paper prints; empty in a column of ours.
        value: Mean and, over several seeds, deviation; empty where nothing is reproduced.
        unit: Of ``value`` where it is not the column's.
        n: Number of seeds.
        as_printed: ``value`` in the column's unit where ``unit`` is another one.
        difference: With its sign; empty if either number lacks.
        direction: Of the difference: ``better``, ``worse``, ``equal`` or empty.
        state: Why nothing is reproduced; else empty.
    """

    printed: str = ""
    value: str = ""
    unit: str = ""
    n: int = 0
    as_printed: str = ""
    difference: str = ""
    direction: str = ""
    state: str = ""


def shown_cell(
    row: Mapping[str, Any], metric: Metric, described: Row | None, own_column: bool
) -> Shown | None:
    """Return what a cell shows; None where the row has none.

    Args:
        row: Of the table's JSON.
        metric: Column.
        described: The row's description; None for a row that the paper does not have.
        own_column: The paper has no such column.
    """
    if described and not described.has(metric.name):
        return None
    value = row["values"][metric.name]
    instead = described.printed_as.get(metric.name) if described else None
    if row["status"] == QUOTED and value["printed"] is None:
        return Shown(printed=instead or "")
    printed = instead or NOT_PRINTED
    if value["printed"] is not None:
        printed = f"{value['printed']:.{metric.unit.decimals}f}"
    if own_column:
        printed = ""
    if value["reproduced"] is None:
        return Shown(printed=printed, state=_state(row, metric, described))
    text, unit, as_printed = _reproduced(value, metric)
    difference, direction = _difference(value["difference"], metric)
    return Shown(printed, text, unit, value["n"], as_printed, difference, direction)


def own_columns(metrics: tuple[Metric, ...], rows: tuple[Row, ...]) -> frozenset[str]:
    """Return the columns of which the paper prints nothing."""
    in_paper = {name for row in rows for name in (*row.printed, *row.printed_as)}
    return frozenset(metric.name for metric in metrics if metric.name not in in_paper)


def _state(row: Mapping[str, Any], metric: Metric, described: Row | None) -> str:
    if row["status"] != REPRODUCED:
        return str(row["status"])
    needed = {term.part for term in (described.source(metric) if described else metric.source)}
    scored = {run["part"] or NO_PART for run in row["provenance"]["runs"]}
    return "undefined" if needed <= scored else "waits"


def _reproduced(value: Mapping[str, Any], metric: Metric) -> tuple[str, str, str]:
    """Return the number, in the readable unit where the metric has one, and that unit."""
    text, unit = readable(metric, value["reproduced"])
    if value["std"] is not None:
        text += f" ± {readable(metric, value['std'])[0]}"
    return text, unit, f"{value['reproduced']:.2g} {metric.unit.name}" if unit else ""


def readable(metric: Metric, value: float) -> tuple[str, str]:
    """Return a value in the printed unit as text, and its unit where it is a readable one."""
    if metric.also is None:
        return f"{value:.{metric.unit.decimals}f}", ""
    factor = metric.also.factor / metric.unit.factor
    return f"{value * factor:.{metric.also.decimals}f}", metric.also.name


def _difference(difference: float | None, metric: Metric) -> tuple[str, str]:
    if difference is None:
        return "", ""
    text = signed(difference, metric.unit.decimals)
    if not text.strip("+−0."):
        return text, EQUAL
    return text, BETTER if (difference > 0) == (metric.better == "higher") else WORSE


def signed(value: float, decimals: int) -> str:
    """Return a number with its sign, a minus that is as wide as a plus."""
    return f"{value:+.{decimals}f}".replace("-", "−")
