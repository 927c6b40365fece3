"""Training curves of a table's runs as a chart, drawn in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.page.collect import ReportTable

Curve = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 10, 34
COLOURS = 8
SMOOTHED_OVER = 5
TICKS = (1, 2, 5)


@dataclass(frozen=True)
class Line:
    """A run: its row's label, the number of its colour and the points of an SVG polyline."""

    label: str
    colour: int
    points: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, at a position in the chart."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Geometry of a chart of ``WIDTH`` x ``HEIGHT``, whose value axis is logarithmic."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]

    @property
    def legend(self) -> dict[str, int]:
        """Colours by label."""
        return {line.label: line.colour for line in self.lines}


def loss_chart(table: ReportTable, curves: Mapping[str, Curve]) -> Chart | None:
    """Draw the losses of a table's runs; None if none of them is known.

    Args:
        table: Its runs name the curves.
        curves: Points (iteration, loss) by run id.
    """
    labels: dict[str, str] = {}
    for row, run in table.runs:
        labels.setdefault(run["run_id"] or "", row["label"])
    drawn = {
        run: _smoothed([(x, y) for x, y in curves[run] if y > 0])
        for run in labels
        if len(curves.get(run, ())) > 1
    }
    points = [point for curve in drawn.values() for point in curve]
    if not points:
        return None
    across = _Axis(0, max(x for x, _ in points), LEFT, WIDTH - RIGHT)
    low, high = (math.log10(f(y for _, y in points)) for f in (min, max))
    up = _Axis(low, max(high, low + 0.1), HEIGHT - BOTTOM, TOP)
    colours = {
        label: i % COLOURS for i, label in enumerate(dict.fromkeys(labels[r] for r in drawn))
    }
    lines = tuple(
        Line(labels[run], colours[labels[run]], _polyline(curve, across, up))
        for run, curve in drawn.items()
    )
    return Chart(lines, _linear_ticks(across), _decimal_ticks(up))


@dataclass(frozen=True)
class _Axis:
    """Values from ``low`` to ``high`` at positions from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def _smoothed(curve: Curve) -> list[tuple[float, float]]:
    """Return running means of neighbouring points."""
    reach = SMOOTHED_OVER // 2
    out = []
    for i, (x, _) in enumerate(curve):
        near = [y for _, y in curve[max(0, i - reach) : i + reach + 1]]
        out.append((x, sum(near) / len(near)))
    return out


def _polyline(curve: Curve, across: _Axis, up: _Axis) -> str:
    return " ".join(f"{across.at(x)},{up.at(math.log10(y))}" for x, y in curve)


def _linear_ticks(axis: _Axis) -> tuple[Tick, ...]:
    power = 10 ** math.floor(math.log10(max(axis.high, 1)))
    step = next(power * part for part in (0.2, 0.5, 1, 2) if axis.high / (power * part) <= 6)
    count = int(axis.high // step)
    return tuple(
        Tick(axis.at(i * step), f"{i * step:,.0f}".replace(",", " ")) for i in range(count + 1)
    )


def _decimal_ticks(axis: _Axis) -> tuple[Tick, ...]:
    """Return ticks at 1, 2 and 5 of every power of ten."""
    powers = range(math.floor(axis.low), math.ceil(axis.high) + 1)
    values = [part * 10.0**power for power in powers for part in TICKS]
    return tuple(
        Tick(axis.at(math.log10(v)), f"{v:g}")
        for v in values
        if axis.low <= math.log10(v) <= axis.high
    )
