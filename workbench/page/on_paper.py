"""The paper's claims on the paper's own numbers: whether they hold there, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.reporting.claims import comparisons
from workbench.reporting.expression import cells, compare, evaluate, number
from workbench.reporting.table_spec import Claim, TableSpec

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "unknown"
_OPPOSITE = {"<": "≥", "<=": ">", ">": "≤", ">=": "<", "==": "≠"}


@dataclass(frozen=True)
class OnPaper:
    """``holds``, ``does not hold`` or ``unknown``, and the numbers that decide it."""

    verdict: str
    reason: str


def on_paper(claim: Claim, spec: TableSpec) -> OnPaper:
    """Evaluate a claim on the printed numbers, to which noise does not apply."""
    holds = evaluate(claim.condition, spec.printed)
    if holds is None:
        absent = [str(cell) for cell in cells(claim.condition) if spec.printed(cell) is None]
        return OnPaper(UNKNOWN, f"not printed: {', '.join(absent)}")
    said = []
    for comparison in comparisons(claim.condition):
        left, right = (number(side, spec.printed) for side in (comparison.left, comparison.right))
        if left is None or right is None:
            continue
        true = compare(comparison.operator, left, right)
        if true is holds:
            sign = comparison.operator if true else _OPPOSITE[comparison.operator]
            said.append(f"{_short(left)} {sign} {_short(right)}")
    return OnPaper(HOLDS if holds else FAILS, ", ".join(dict.fromkeys(said)))


def _short(value: float) -> str:
    """Return six digits of a number, without what is left over from binary fractions."""
    return f"{round(value, 9) + 0.0:.6g}"
