"""From what was collected to the page and its index in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from workbench.page.blocks import Block, blocks
from workbench.page.collect import Report, ReportTable
from workbench.page.curves import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH
from workbench.page.figures import Figures
from workbench.page.judged import JudgedClaim, judged_claims
from workbench.page.marks import Marks
from workbench.page.on_paper import FAILS, HOLDS
from workbench.reporting.cells import (
    BETTER,
    WORSE,
    Shown,
    own_columns,
    readable,
    shown_cell,
    signed,
)
from workbench.reporting.claims import tally
from workbench.reporting.results import QUOTED, WAITS
from workbench.reporting.table_spec import Metric, Row

SHORT_HASH = 10
_EMPHASIS = re.compile(r"(?<![\w*])\*(\w[^*]*)\*(?![\w*])")
_CODE = re.compile(r"`([^`]+)`")
MEANING = {
    "mini": (
        "A small generated world and small models, trained from scratch in minutes. This is not the"
        " paper's experiment: compare rows with each other; no difference to a printed number is a"
        " failure to reproduce it."
    ),
    "smoke": (
        "These numbers mean nothing: a few training iterations on tiny data, to see that every"
        " stage runs. No claim is checked."
    ),
    "paper": "The paper's data sets and sizes: this is the paper's experiment.",
}


@dataclass(frozen=True)
class Extras:
    """What the page has beside numbers and claims.

    Attributes:
        figures: Training curves and pictures.
        changes: What `compare` returns, with ``against`` and ``commit``.
        mlflow_url: Where the runs' links lead.
    """

    figures: Figures = field(default_factory=Figures)
    changes: Mapping[str, Any] | None = None
    mlflow_url: str = "http://127.0.0.1:5000"


def render_page(report: Report, extras: Extras) -> str:
    """Return the page: one HTML file that needs no other."""
    changed = {table.id: table for table in report.tables}
    return (
        _environment()
        .get_template("page.html")
        .render(
            **_shared(report),
            figures=extras.figures,
            left=LEFT,
            right=RIGHT,
            bottom=BOTTOM,
            width=WIDTH,
            height=HEIGHT,
            changes=extras.changes,
            mlflow_url=extras.mlflow_url.rstrip("/"),
            changed_cell=lambda each: _changed_cell(each, changed.get(each["table"])),
        )
    )


def render_index(report: Report) -> str:
    """Return the index of the tables in Markdown, for a repository's web page."""
    return _environment().get_template("index.md").render(**_shared(report))


def _shared(report: Report) -> dict[str, Any]:
    claims = [claim for table in report.tables for claim in judged_claims(table)]
    return {
        "report": report,
        "meaning": MEANING[report.scale],
        "made": [table for table in report.tables if table.reproduced],
        "totals": tally(claim.here.verdict for claim in claims),
        "failing": [claim for claim in claims if claim.paper.verdict == FAILS],
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("workbench.page"),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "blocks": blocks,
        "claims_of": judged_claims,
        "marks_of": Marks,
        "shown_cell": _shown,
        "starts_part": _starts_part,
        "values_of": _values,
    }
    environment.filters |= {
        "amount": _amount,
        "inline": _inline,
        "hash": lambda text: Markup("<code>{}</code>").format(_short(text)) if text else "–",
        "on_paper_count": lambda table: _count(judged_claims(table), HOLDS),
        "short": _short,
        "slug": lambda text: text.replace(" ", "-"),
        "state": _state,
        "escape_cell": lambda text: text.replace("|", "\\|"),
        "verdict_text": _verdict_text,
    }
    return environment


def _state(table: ReportTable) -> str:
    """Return how many rows of a table have numbers, are quoted or wait."""
    if not table.made:
        return "not run"
    rows = [row["status"] for row in table.content["rows"]]
    parts = [f"{table.reproduced} of {len(rows)} rows reproduced"]
    parts += [
        f"{rows.count(s)} {said}"
        for s, said in ((QUOTED, "quoted"), (WAITS, "waiting"))
        if s in rows
    ]
    return ", ".join(parts)


def _verdict_text(table: ReportTable) -> str:
    counted = [f"{number} {verdict}" for verdict, number in table.verdicts.items() if number]
    return ", ".join(counted) or "none"


def _count(claims: Sequence[JudgedClaim], verdict: str) -> int:
    return sum(claim.paper.verdict == verdict for claim in claims)


def _shown(
    table: ReportTable, row: Mapping[str, Any], described: Row | None, metric: Metric
) -> Shown | None:
    ours = own_columns(table.spec.metrics, table.spec.rows)
    return shown_cell(row, metric, described, metric.name in ours)


def _starts_part(block: Block, index: int) -> bool:
    """Tell whether a row is the first of a part, as their labels say: ``(b) ...`` after ``(a)``."""
    if index == 0:
        return False
    before, here = (block.rows[at][0]["label"][:3] for at in (index - 1, index))
    return bool(here.startswith("(") and here != before)


def _values(table: ReportTable, run: Mapping[str, Any]) -> str:
    """Return a run's own values, each after its column's name."""
    metrics = {metric.name: metric for metric in table.spec.metrics}
    return ", ".join(
        f"{metrics[name].label} {' '.join(readable(metrics[name], value)).rstrip()}"
        for name, value in run["values"].items()
        if value is not None and name in metrics
    )


def _changed_cell(each: Mapping[str, Any], table: ReportTable | None) -> dict[str, str]:
    """Return a changed cell as text, in the printed unit of its column."""
    metrics = {metric.name: metric for metric in table.spec.metrics} if table else {}
    metric = metrics.get(each["metric"])
    decimals = metric.unit.decimals if metric else 3
    before, after = each["before"], each["after"]
    said = {"before": _measured(before, decimals), "after": _measured(after, decimals)}
    if before is None or after is None:
        return {**said, "change": "", "direction": ""}
    change = after["reproduced"] - before["reproduced"]
    direction = ""
    if metric and change:
        direction = BETTER if (change > 0) == (metric.better == "higher") else WORSE
    return {**said, "change": signed(change, decimals), "direction": direction}


def _measured(value: Mapping[str, Any] | None, decimals: int) -> str:
    if value is None:
        return "–"
    spread = "" if value["std"] is None else f" ± {value['std']:.{decimals}f}"
    return f"{value['reproduced']:.{decimals}f}{spread} (n = {value['n']})"


def _inline(text: str) -> Markup:
    """Return text whose ``*emphasis*`` and code between backticks are marked up."""
    marked = _EMPHASIS.sub(r"<em>\1</em>", _CODE.sub(r"<code>\1</code>", str(escape(text))))
    return Markup(marked)


def _short(text: str) -> str:
    return text[:SHORT_HASH]


def _amount(value: float | None, decimals: int, unit: str) -> str:
    return "–" if value is None else f"{value:.{decimals}f} {unit}"
