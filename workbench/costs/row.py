"""One row of a cost table: cells summed from components, compared with the printed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.costs.ledger import REMARKS, Ledger, registered
from workbench.errors import BadInput

# What a metric counts, and how many make its printed unit: M parameters, giga multiply-adds.
QUANTITIES = ("parameters", "multiply_adds")
UNITS = {"parameters": 1e6, "multiply_adds": 1e9}


class CostRow:
    """Cells of a row and what is to be said about them.

    Args:
        entry: The row in the config: ``cells``, metric to parts (see ``total``); ``remarks``, each
            with ``type``, its arguments and, if it explains a difference, ``about`` a cell.
        metrics: Metric to quantity, None where the row's table has it from elsewhere.
        printed: Metric to printed value, in M or G.
        ledger: Counts the components.
        tolerance: Share of the printed value by which a cell may differ unexplained.
    """

    def __init__(
        self,
        entry: Mapping[str, Any],
        metrics: Mapping[str, str | None],
        printed: Mapping[str, float],
        ledger: Ledger,
        tolerance: float,
    ) -> None:
        self.entry, self.metrics, self.printed = entry, metrics, printed
        self.ledger, self.tolerance = ledger, tolerance
        self.counted: dict[str, dict[str, float]] = {}
        self.values: dict[str, float] = {}
        for metric, parts in entry["cells"].items():
            self.values[metric] = self.total(parts, self._quantity(metric))

    @property
    def source(self) -> Path:
        """The config's file."""
        return self.ledger.source

    def value(self, metric: str) -> float | None:
        """Return a cell in the printed unit; None where the row has none."""
        return self.values.get(metric)

    def remarks(self) -> list[str]:
        """Return the sentences of the row.

        A remark with ``about`` explains a cell and is left out where that cell is within the
        tolerance. A cell beyond it that nothing explains is said to be unexplained.
        """
        explanations: dict[str, list[str]] = {metric: [] for metric in self._apart()}
        general = []
        for index, remark in enumerate(self.entry.get("remarks", ())):
            about = remark.get("about")
            if about is None:
                general.append(self._sentence(index, remark))
            elif about in explanations:
                explanations[about].append(self._sentence(index, remark))
        said = [self._explained(metric, texts) for metric, texts in explanations.items()]
        return [*general, *said]

    def total(self, parts: Sequence[Any], quantity: str) -> float:
        """Return a sum in the printed unit.

        Args:
            parts: Each a component, ``[component, times]``, an earlier metric of the row, or a
                mapping: ``component``, ``times`` and arguments of the component to change.
            quantity: One of ``QUANTITIES``.
        """
        return sum(self._part(part, quantity) for part in parts)

    def _quantity(self, metric: str) -> str:
        quantity = self.metrics.get(metric)
        if quantity not in QUANTITIES:
            fix = f"give it a quantity in `metrics`: {', '.join(QUANTITIES)}"
            raise BadInput(self.source, f"cells.{metric}", "counts nothing known", fix)
        return quantity

    def _part(self, part: Any, quantity: str) -> float:
        if isinstance(part, Mapping):
            changes = dict(part)
            name, times = changes.pop("component"), changes.pop("times", 1)
        else:
            name, times = (part, 1) if isinstance(part, str) else part
            changes = {}
        if name in self.values:
            return self.values[name] * times
        counted = self.ledger.count(name, **changes)
        amount: float = getattr(counted, quantity)
        if not changes:
            self.counted.setdefault(name, {})[quantity] = amount
        return amount * times / UNITS[quantity]

    def _apart(self) -> list[str]:
        """Return the cells beyond the tolerance."""
        pairs = [(m, v, self.printed.get(m)) for m, v in self.values.items()]
        return [m for m, v, p in pairs if p and abs(v - p) > self.tolerance * abs(p)]

    def _sentence(self, index: int, remark: Mapping[str, Any]) -> str:
        arguments = dict(remark)
        where = f"remarks[{index}]"
        write = registered(REMARKS, arguments.pop("type"), self.source, where)
        return str(write(self, **arguments))

    def _explained(self, metric: str, texts: list[str]) -> str:
        value, printed = self.values[metric], self.printed[metric]
        share = (value - printed) / printed
        said = " ".join(texts) or "Not explained."
        return f"{metric}: {value:.4g} counted, {printed:g} printed ({share:+.1%}). {said}"


def statement(row: CostRow, text: str, about: str | None = None) -> str:
    """Say a fixed sentence."""
    return text


REMARKS.register_module(name="statement", module=statement)
