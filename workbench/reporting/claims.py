"""Verdicts on the paper's claims, from reproduced numbers.

A claim is a condition over table cells. Each comparison in it is judged by the gap between its two
sides, both taken at the means over seeds:

* *standard error*: every cell is moved by plus and minus its standard error (sample deviation /
  sqrt(n)) and the changes of the gap are added up, as if all errors pointed the same way. A gap no
  larger than that sum is within the noise. A cell with n = 1 has no deviation of its own and takes
  the largest of its column's cells with several seeds, where there are some.
* *single runs*: if any cell of the comparison has n = 1, a gap below the metric's floor is within
  the noise as well. For AP the floor is 0.4 points: a maintainer calls +-0.2 between trainings of
  Mask2Former normal (facebookresearch/Mask2Former issue 46).

Sides that `==` finds equal to nine digits come from the same runs: noise cannot part them, and the
claim holds. Any other comparison within the noise is undecided, and `and`, `or`, `not` carry that
on only where it matters: ``true or undecided`` is true. Verdicts: *supported*, *contradicted*,
*inconclusive* (the noise decides) and *not run* (a cell is missing). Constants and quoted values
have no noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from workbench.reporting.expression import (
    Cell,
    Comparison,
    Condition,
    cells,
    compare,
    number,
    truth,
)

SUPPORTED, CONTRADICTED = "supported", "contradicted"
INCONCLUSIVE, NOT_RUN = "inconclusive", "not run"
VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_RUN)


def tally(verdicts: Iterable[str]) -> dict[str, int]:
    """Count verdicts: all of ``VERDICTS``, in order."""
    found = list(verdicts)
    return {verdict: found.count(verdict) for verdict in VERDICTS}


@dataclass(frozen=True)
class Measured:
    """A reproduced cell in printed units.

    Attributes:
        value: Mean over seeds.
        std: Sample deviation over seeds, with n = 1 its column's (None: unknown).
        n: Number of seeds.
        floor: Smallest gap that a single run can show.
    """

    value: float
    std: float | None
    n: int
    floor: float

    @property
    def standard_error(self) -> float:
        return 0.0 if self.std is None else self.std / math.sqrt(self.n)


@dataclass(frozen=True)
class Missing:
    """A cell without a reproduced value, and why."""

    reason: str


Cells = Callable[[Cell], Measured | Missing]


@dataclass(frozen=True)
class Verdict:
    """One of ``VERDICTS`` and, in a sentence, what it rests on."""

    verdict: str
    reason: str


def judge(condition: Condition, lookup: Cells) -> Verdict:
    """Judge a claim on reproduced cells; see the module's text for the rule."""
    found = {cell: lookup(cell) for cell in cells(condition)}
    missing = list(dict.fromkeys(m.reason for m in found.values() if isinstance(m, Missing)))
    if missing:
        return Verdict(NOT_RUN, "; ".join(missing))
    measured = {cell: m for cell, m in found.items() if isinstance(m, Measured)}
    judged = {c: _Gap.of(c, measured) for c in comparisons(condition)}
    if any(gap is None for gap in judged.values()):
        return Verdict(NOT_RUN, "division by zero")
    gaps = {comparison: gap for comparison, gap in judged.items() if gap is not None}
    result = truth(condition, lambda comparison: gaps[comparison].decision)
    if result is not None:
        return Verdict(SUPPORTED if result else CONTRADICTED, _explain(list(gaps.values()), result))
    undecided = [gap.describe() for gap in gaps.values() if gap.decision is None]
    return Verdict(INCONCLUSIVE, "within the noise: " + "; ".join(undecided))


@dataclass(frozen=True)
class _Gap:
    """A comparison with numbers: the gap of its sides and what it must exceed to be shown."""

    comparison: Comparison
    gap: float
    spread: float
    floor: float
    seeds: int

    @classmethod
    def of(cls, comparison: Comparison, measured: dict[Cell, Measured]) -> _Gap | None:
        values = {cell: m.value for cell, m in measured.items()}
        gap = _gap(comparison, values)
        if gap is None:
            return None
        used = cells(comparison)
        spread = 0.0
        for cell in used:
            error = measured[cell].standard_error
            moved = (_gap(comparison, {**values, cell: values[cell] + s * error}) for s in (-1, 1))
            spread += max(abs(m - gap) if m is not None else math.inf for m in moved)
        floors = [measured[cell].floor for cell in used if measured[cell].n < 2]
        seeds = min((measured[cell].n for cell in used), default=0)
        return cls(comparison, gap, spread, max(floors, default=0.0), seeds)

    @property
    def decision(self) -> bool | None:
        # Rounded, so that 41.4 - 41.0 reaches a floor of 0.4.
        size = round(abs(self.gap), 9)
        if size == 0 and self.comparison.operator == "==":
            return True
        if size < self.floor or 0 < self.spread >= size:
            return None
        return compare(self.comparison.operator, self.gap, 0.0)

    def describe(self) -> str:
        limit = max(self.spread, self.floor)
        noise = f", noise {_short(limit)}" if limit else ""
        seeds = f", fewest seeds {self.seeds}" if self.seeds else ""
        return f"gap {_short(self.gap)}{noise}{seeds}"


def _gap(comparison: Comparison, values: dict[Cell, float]) -> float | None:
    left = number(comparison.left, values.get)
    right = number(comparison.right, values.get)
    return None if left is None or right is None else left - right


def comparisons(condition: Condition) -> list[Comparison]:
    """Return the comparisons that a condition is made of, each once."""
    found: list[Comparison] = []

    def note(comparison: Comparison) -> bool | None:
        found.append(comparison)
        return None

    truth(condition, note)
    return list(dict.fromkeys(found))


def _explain(gaps: Sequence[_Gap], result: bool) -> str:
    decided = [gap for gap in gaps if gap.decision is result]
    return "; ".join(gap.describe() for gap in decided)


def _short(value: float) -> str:
    return f"{value:.3g}"
