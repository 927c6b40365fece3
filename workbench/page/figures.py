"""The figures of a report, from whatever runs and artifacts are at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import EsgError
from workbench.page.collect import Report, ReportTable
from workbench.page.curves import Chart, Curve, loss_chart
from workbench.page.panels import Made, Sheet, entity_sheet, grounding_sheet
from workbench.params import instance
from workbench.paths import Layout

# The main table of either model: pictures of all would make a page of many megabytes.
PICTURED: Mapping[str, tuple[str, Callable[..., Sheet]]] = {
    "VI": ("entities", entity_sheet),
    "X": ("groundings", grounding_sheet),
}
SEEDS = "seed-*.jsonl"


@dataclass(frozen=True)
class Figures:
    """Figures by table, and why others are missing."""

    charts: Mapping[str, Chart] = field(default_factory=dict)
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def draw_figures(report: Report, params: Mapping[str, Any], curves: Mapping[str, Curve]) -> Figures:
    """Draw training curves and pictures; what lacks its data is left out, and said.

    Args:
        report: The tables; artifacts are looked for from the working directory.
        params: Content of ``params.yaml``.
        curves: Loss by run id.
    """
    made = [table for table in report.tables if table.made]
    charts = {table.id: loss_chart(table, curves) for table in made}
    lacking = []
    if made and not any(charts.values()):
        lacking.append(
            "training curves: the store has none of these tables' runs, or one point of each"
        )
    sheets = {}
    for table in made:
        if table.id in PICTURED:
            try:
                sheets[table.id] = _sheet(table, params, Layout(report.scale))
            # A report is made without pictures that cannot be.
            except (EsgError, OSError, ValueError, KeyError, TypeError) as error:
                lacking.append(f"pictures of Table {table.id}: {error}")
    known = {name: chart for name, chart in charts.items() if chart is not None}
    return Figures(known, sheets, tuple(lacking))


def _sheet(table: ReportTable, params: Mapping[str, Any], layout: Layout) -> Sheet:
    folder, draw = PICTURED[table.id]
    labels = {row["id"]: row["label"] for row in table.content["rows"]}
    made, data = [], None
    for item in params["evaluate"].values():
        kind, _, key = str(item["predictions"]).partition("/")
        files = _of_seeds(layout.artifacts / item["predictions"])
        if item["table"] == table.id and kind == folder and files:
            data = data or (item["dataset"], item["split"])
            masks = _masks(params, layout, key) if folder == "groundings" else None
            made.append(Made(labels[item["row"]], files[0], masks))
    if data is None:
        raise ValueError(f"no artifacts here; dvc repro table@{table.id} or dvc pull")
    return draw(layout, *data, made)


def _masks(params: Mapping[str, Any], layout: Layout, key: str) -> Path | None:
    """Return the entities file that a grounding was given; None for the annotated masks."""
    given = str(instance(dict(params), "ground", key)["masks"])
    if not given.startswith("entities/"):
        return None
    return _of_seeds(layout.artifacts / given)[0]


def _of_seeds(folder: Path) -> list[Path]:
    """Return the predictions of each seed, without the masks that may be kept beside them."""
    return sorted(path for path in folder.glob(SEEDS) if path.suffixes == [".jsonl"])
