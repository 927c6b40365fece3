"""The hand-written description of a paper table, ``reports/tables/<ID>.yaml``.

It holds what the paper prints (rows, values, units), how a measured value becomes a printed one,
and the paper's claims as expressions. Everything is checked on loading, so that the rest of the
reporting code can trust it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from workbench.errors import BadInput
from workbench.reporting.expression import (
    Cell,
    Condition,
    ExpressionError,
    cells,
    evaluate,
    parse_condition,
)
from workbench.reporting.parts import Term, parse_source

# Printed values by table, row and metric.
Printed = Mapping[str, Mapping[str, Mapping[str, float]]]

SPEC_FOLDER = Path("reports") / "tables"
CONVERSIONS = {"none": 1.0, "percent": 100.0, "days": 1 / 86400}

_ROW_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIX = "correct the table's description"


@dataclass(frozen=True)
class Unit:
    """How a measured value is shown: ``value * factor`` with ``decimals`` digits."""

    name: str
    factor: float
    decimals: int


@dataclass(frozen=True)
class Metric:
    """A column.

    Attributes:
        name: Its name in claims, as in the machine-readable tables of the paper.
        label: Its heading.
        unit: Printed unit.
        better: ``higher`` or ``lower``.
        source: Metrics of the score files it is made of.
        noise_absolute: Smallest gap that single runs can show, in the printed unit.
        noise_relative: The same as a share of the value.
        also: A second, readable unit for the Markdown, if any.
    """

    name: str
    label: str
    unit: Unit
    better: str
    source: tuple[Term, ...]
    noise_absolute: float
    noise_relative: float
    also: Unit | None

    def floor(self, value: float) -> float:
        """Return the gap to ``value``, in the printed unit, that single runs cannot show."""
        return max(self.noise_absolute, self.noise_relative * abs(value))


@dataclass(frozen=True)
class Row:
    """A row: what the paper prints for it and, if it cannot be run here, what it waits for.

    ``metrics`` names the columns that it has, None for all. ``sources`` names other metrics of its
    scores than its columns' own, where one column holds different measures in different rows.
    """

    id: str
    label: str
    printed: Mapping[str, float]
    printed_as: Mapping[str, str]
    quoted: bool
    waits: str | None
    note: str | None
    metrics: frozenset[str] | None = None
    sources: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)

    def has(self, metric: str) -> bool:
        """Tell whether the row has a cell in a column."""
        return self.metrics is None or metric in self.metrics

    def source(self, metric: Metric) -> tuple[Term, ...]:
        """Return what its cell in a column is made of; nothing where it has none."""
        if not self.has(metric.name):
            return ()
        return self.sources.get(metric.name, metric.source)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper; ``magnitude`` marks those that state a size, not an order."""

    id: str
    claim: str
    expr: str
    condition: Condition
    holds_in_paper: bool | None
    magnitude: bool


@dataclass(frozen=True)
class Note:
    """A remark on the printed table.

    Attributes:
        text: In our words.
        id: Of the inconsistency of the paper that it states, if it states one.
        at: What it concerns: ``row.Metric``, a whole ``row`` or a whole column, ``*.Metric``.
    """

    text: str
    id: str | None = None
    at: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSpec:
    """A whole table.

    Attributes:
        elsewhere: Printed values of other tables that claims refer to.
        same_runs: Which of those rows of other tables are the same runs as rows here; their
            reproduced values are then those of these rows.
    """

    table: str
    title: str
    section: str
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    elsewhere: Printed
    same_runs: Mapping[str, Mapping[str, str]]
    claims: tuple[Claim, ...]
    notes: tuple[Note, ...]

    def printed(self, cell: Cell) -> float | None:
        """Return what the paper prints in a cell of this table or of one that a claim refers to."""
        own = {row.id: row.printed for row in self.rows}
        table = own if cell.table is None else self.elsewhere.get(cell.table, {})
        return table.get(cell.row, {}).get(cell.metric)


def spec_path(table: str) -> Path:
    """Return where a table's description is, relative to the project's root."""
    return SPEC_FOLDER / f"{table}.yaml"


def load_spec(table: str, root: Path = Path()) -> TableSpec:
    """Read and check the description of a table.

    Raises:
        BadInput: No such table, YAML that cannot be parsed, or a field that is missing, unknown or
            wrong; the message names it.
    """
    path = root / spec_path(table)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (root / SPEC_FOLDER).glob("*.yaml"))) or "none"
        raise BadInput(path, "table", f"{table!r} has no description", f"use one of: {known}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(path, "YAML", " ".join(str(error).split()), _FIX) from error
    spec = _Reader(path).table(content)
    if spec.table != table:
        raise BadInput(path, "table", f"{spec.table!r} in the file of {table}", _FIX)
    return spec


class _Reader:
    """Turns parsed YAML into a spec; knows the file's name for its error messages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, field: str, problem: str) -> NoReturn:
        raise BadInput(self.path, field, problem, _FIX)

    def fields(self, value: Any, where: str, needed: str, optional: str = "") -> dict[str, Any]:
        """Check that ``value`` is a mapping with all needed keys and no unknown one."""
        if not isinstance(value, dict):
            self.fail(where, "not a mapping")
        for key in needed.split():
            if key not in value:
                self.fail(f"{where}.{key}", "missing")
        for key in value:
            if key not in needed.split() + optional.split():
                self.fail(f"{where}.{key}", "unknown key")
        return value

    def entries(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            self.fail(where, "not a list")
        return value

    def unique(self, names: list[str], where: str) -> None:
        for name in names:
            if names.count(name) > 1:
                self.fail(where, f"{name!r} twice")

    def table(self, content: Any) -> TableSpec:
        top = "table title section metrics rows"
        value = self.fields(content, "top level", top, "elsewhere same_runs claims notes")
        metrics = tuple(
            self.metric(m, f"metrics[{i}]")
            for i, m in enumerate(self.entries(value["metrics"], "metrics"))
        )
        names = [metric.name for metric in metrics]
        rows = tuple(
            self.row(r, f"rows[{i}]", names)
            for i, r in enumerate(self.entries(value["rows"], "rows"))
        )
        self.unique(names, "metrics")
        self.unique([row.id for row in rows], "rows")
        elsewhere = value.get("elsewhere") or {}
        same_runs = self.same_runs(
            value.get("same_runs") or {}, {row.id for row in rows}, elsewhere
        )
        claims = tuple(
            self.claim(c, f"claims[{i}]")
            for i, c in enumerate(self.entries(value.get("claims") or [], "claims"))
        )
        self.unique([claim.id for claim in claims], "claims")
        notes = tuple(
            self.note(n, f"notes[{i}]", {row.id for row in rows}, set(names))
            for i, n in enumerate(self.entries(value.get("notes") or [], "notes"))
        )
        texts = {key: str(value[key]) for key in ("table", "title", "section")}
        spec = TableSpec(
            **texts,
            metrics=metrics,
            rows=rows,
            elsewhere=elsewhere,
            same_runs=same_runs,
            claims=claims,
            notes=notes,
        )
        self.check_claims(spec)
        return spec

    def same_runs(self, content: Any, own: set[str], elsewhere: Printed) -> dict[str, Any]:
        tables = self.fields(content, "same_runs", "", " ".join(elsewhere))
        for table, rows in tables.items():
            where = f"same_runs.{table}"
            for row, same in self.fields(rows, where, "", " ".join(elsewhere[table])).items():
                if same not in own:
                    self.fail(f"{where}.{row}", f"no row {same!r}")
        return tables

    def metric(self, content: Any, where: str) -> Metric:
        needed = "name label unit better decimals source conversion noise"
        value = self.fields(content, where, needed, "also")
        if value["better"] not in ("higher", "lower"):
            self.fail(f"{where}.better", f"{value['better']!r}: use higher or lower")
        noise = self.fields(value["noise"], f"{where}.noise", "", "absolute relative")
        also = value.get("also")
        if also is not None:
            also = self.unit(
                self.fields(also, f"{where}.also", "unit conversion decimals"), f"{where}.also"
            )
        return Metric(
            name=value["name"],
            label=value["label"],
            unit=self.unit(value, where),
            better=value["better"],
            source=self.source(value["source"], f"{where}.source"),
            noise_absolute=self.number(noise.get("absolute", 0), f"{where}.noise.absolute"),
            noise_relative=self.number(noise.get("relative", 0), f"{where}.noise.relative"),
            also=also,
        )

    def unit(self, value: Mapping[str, Any], where: str) -> Unit:
        if value["conversion"] not in CONVERSIONS:
            known = ", ".join(CONVERSIONS)
            self.fail(f"{where}.conversion", f"{value['conversion']!r}: use one of {known}")
        decimals = value["decimals"]
        if not isinstance(decimals, int) or not 0 <= decimals <= 6:
            self.fail(f"{where}.decimals", f"{decimals!r}: use 0 to 6")
        return Unit(value["unit"], CONVERSIONS[value["conversion"]], decimals)

    def source(self, value: Any, where: str) -> tuple[Term, ...]:
        try:
            return parse_source(str(value))
        except ValueError as error:
            self.fail(where, str(error))

    def number(self, value: Any, where: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.fail(where, f"{value!r} is not a number")
        return float(value)

    def row(self, content: Any, where: str, metrics: list[str]) -> Row:
        optional = "printed_as quoted waits note metrics sources"
        value = self.fields(content, where, "id label printed", optional)
        if not isinstance(value["id"], str) or not _ROW_ID.fullmatch(value["id"]):
            self.fail(f"{where}.id", f"{value['id']!r}: lower case words joined by -")
        printed = self.fields(value["printed"], f"{where}.printed", "", " ".join(metrics))
        shown = value.get("printed_as") or {}
        self.fields(shown, f"{where}.printed_as", "", " ".join(metrics))
        own = value.get("metrics")
        if own is not None and not (own and set(own) <= set(metrics) and set(printed) <= set(own)):
            self.fail(f"{where}.metrics", f"{own!r}: name columns, those printed among them")
        sources = value.get("sources") or {}
        self.fields(sources, f"{where}.sources", "", " ".join(own or metrics))
        return Row(
            id=value["id"],
            label=value["label"],
            printed={k: self.number(v, f"{where}.printed.{k}") for k, v in printed.items()},
            printed_as={name: str(text) for name, text in shown.items()},
            quoted=bool(value.get("quoted", False)),
            waits=value.get("waits"),
            note=value.get("note"),
            metrics=None if own is None else frozenset(own),
            sources={k: self.source(v, f"{where}.sources.{k}") for k, v in sources.items()},
        )

    def claim(self, content: Any, where: str) -> Claim:
        value = self.fields(content, where, "id claim expr holds_in_paper", "magnitude")
        try:
            condition = parse_condition(str(value["expr"]))
        except ExpressionError as error:
            self.fail(f"{where}.expr", str(error))
        return Claim(
            id=value["id"],
            claim=value["claim"],
            expr=value["expr"],
            condition=condition,
            holds_in_paper=value["holds_in_paper"],
            magnitude=bool(value.get("magnitude", False)),
        )

    def note(self, content: Any, where: str, rows: set[str], metrics: set[str]) -> Note:
        """Return a note, given as text or, with what it concerns, as a mapping."""
        if isinstance(content, str):
            return Note(content)
        value = self.fields(content, where, "note", "id at")
        for place in self.entries(value.get("at") or [], f"{where}.at"):
            row, _, metric = str(place).partition(".")
            if row not in rows | {"*"} or (metric not in metrics and (metric or row == "*")):
                self.fail(f"{where}.at", f"no cell, row or column {place!r}")
        return Note(str(value["note"]), value.get("id"), tuple(map(str, value.get("at") or ())))

    def check_claims(self, spec: TableSpec) -> None:
        """Check that claims refer to cells there are, and hold on paper as is said of them."""
        rows, metrics = {row.id for row in spec.rows}, {metric.name for metric in spec.metrics}
        for claim in spec.claims:
            where = f"claims.{claim.id}"
            for cell in cells(claim.condition):
                known = cell.row in rows and cell.metric in metrics
                if cell.table is not None:
                    known = spec.printed(cell) is not None
                if not known:
                    self.fail(f"{where}.expr", f"no cell {cell}")
            holds = evaluate(claim.condition, spec.printed)
            if holds is not claim.holds_in_paper:
                problem = f"{claim.holds_in_paper}, but {holds} on the printed values"
                self.fail(f"{where}.holds_in_paper", problem)
