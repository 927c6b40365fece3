"""One row of a cost table: cells summed from components, compared with the printed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.costs.count import Count
from workbench.costs.ledger import REMARKS, Ledger, registered
from workbench.errors import BadInput

# What a metric counts, and how many make its printed unit: M parameters, giga multiply-adds.
QUANTITIES = ("parameters", "multiply_adds")
UNITS = {"parameters": 1e6, "multiply_adds": 1e9}


class CostRow:
    """Cells of a row and what is to be said about them.

    Args:
        entry: The row in the config: ``cells``, metric to parts; ``remarks``. A part is a
            component, ``[component, times]``, or an earlier metric of the row.
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
        self.components: dict[str, Count] = {}
        self.values: dict[str, float] = {}
        for metric, parts in entry["cells"].items():
            self.values[metric] = self._value(metric, parts)

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

    def _value(self, metric: str, parts: Sequence[Any]) -> float:
        quantity = self.metrics.get(metric)
        if quantity not in QUANTITIES:
            fix = f"give it a quantity in `metrics`: {', '.join(QUANTITIES)}"
            raise BadInput(self.source, f"cells.{metric}", "counts nothing known", fix)
        return sum(self._part(part, quantity) for part in parts)

    def _part(self, part: Any, quantity: str) -> float:
        name, times = (part, 1) if isinstance(part, str) else part
        if name in self.values:
            return self.values[name] * times
        counted = self.ledger.count(name)
        self.components[name] = counted
        amount: float = getattr(counted, quantity)
        return amount * times / UNITS[quantity]

    def _apart(self) -> list[str]:
        """Return the cells beyond the tolerance."""
        pairs = [(m, v, self.printed.get(m)) for m, v in self.values.items()]
        return [m for m, v, p in pairs if p and abs(v - p) > self.tolerance * abs(p)]

    def _sentence(self, index: int, remark: Mapping[str, Any]) -> str:
        arguments = {name: value for name, value in remark.items() if name != "about"}
        where = f"remarks[{index}]"
        write = registered(REMARKS, arguments.pop("type"), self.source, where)
        return str(write(self, **arguments))

    def _explained(self, metric: str, texts: list[str]) -> str:
        value, printed = self.values[metric], self.printed[metric]
        share = (value - printed) / printed
        said = " ".join(texts) or "Not explained."
        return f"{metric}: {value:.4g} counted, {printed:g} printed ({share:+.1%}). {said}"


def statement(row: CostRow, text: str) -> str:
    """Say a fixed sentence."""
    return text


REMARKS.register_module(name="statement", module=statement)
