"""What DVC's own commands show of a table: numbers for ``dvc metrics``, bars for ``dvc plots``.

DVC shows a file of metrics as a row of a table, and plots lists of records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Content = Mapping[str, Any]


def metrics_of(content: Content) -> dict[str, dict[str, float]]:
    """Return the reproduced values of each row that has any, in printed units.

    Args:
        content: The table's JSON, see `workbench.reporting.results.build_table`.
    """
    rows = {row["id"]: _reproduced(row) for row in content["rows"]}
    return {name: values for name, values in rows.items() if values}


def bars_of(content: Content) -> list[dict[str, Any]]:
    """Return ``row`` (its label) and ``value`` of the first column that has reproduced values."""
    values = {row["label"]: _reproduced(row) for row in content["rows"]}
    first = next((name for found in values.values() for name in found), None)
    return [
        {"row": label, "value": found[first], "metric": first}
        for label, found in values.items()
        if first in found
    ]


def _reproduced(row: Content) -> dict[str, float]:
    values = row["values"].items()
    return {name: v["reproduced"] for name, v in values if v["reproduced"] is not None}
