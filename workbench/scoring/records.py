"""What the stages recorded about their runs, checked before it is used."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput


def read_json(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object written by an earlier stage.

    Raises:
        MissingInput: No such file.
        BadInput: Not a JSON object.
    """
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", fix) from error
    if not isinstance(value, dict):
        raise BadInput(path, "top level", "not an object", fix)
    return value


def runs_of(record: Mapping[str, Any], path: Path, fix: str) -> list[dict[str, Any]]:
    """Return the runs of a record, one a seed.

    Raises:
        BadInput: No run, or one without its seed.
    """
    runs = record.get("runs")
    if not isinstance(runs, list) or not runs:
        raise BadInput(path, "runs", "no run", fix)
    for index, run in enumerate(runs):
        if not isinstance(run, dict) or not isinstance(run.get("seed"), int):
            raise BadInput(path, f"runs[{index}].seed", "missing", fix)
    return runs


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return per-seed values, mean, sample standard deviation and their number.

    A value that is undefined in one seed makes the mean undefined: leaving it out would flatter a
    row whose seeds fail. The deviation is None with one seed.
    """
    defined = all(math.isfinite(value) for value in values) and bool(values)
    several = defined and len(values) > 1
    return {
        "values": [or_none(value) for value in values],
        "mean": statistics.fmean(values) if defined else None,
        "std": statistics.stdev(values) if several else None,
        "n": len(values),
    }


def or_none(value: float) -> float | None:
    """Return a number as JSON can hold it: None for NaN and infinities."""
    return value if math.isfinite(value) else None


def number(value: Any) -> float:
    """Return a recorded number; NaN where nothing was recorded."""
    return math.nan if value is None else float(value)
