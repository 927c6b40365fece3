"""Marks that tie remarks to the cells, rows and columns that they concern."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.page.collect import ReportTable


@dataclass(frozen=True)
class Marked:
    """A remark, its mark and what it concerns: cells, rows or columns as in `Note`."""

    letter: str
    text: str
    at: tuple[str, ...]


class Marks:
    """The remarks on a table: letters on what is printed, numbers on its rows as they are here."""

    def __init__(self, table: ReportTable) -> None:
        notes = table.spec.notes
        self.printed = [
            Marked(letter, note.text, note.at)
            for letter, note in zip(string.ascii_lowercase, notes, strict=False)
        ]
        # Of a table that has not been made every row waits for its score; that is said above it.
        described = {row.id for row in table.spec.rows if row.waits}
        said = [
            (row["id"], text)
            for row in table.content["rows"]
            for text in _remarks(row, table.made or row["id"] in described)
        ]
        texts = dict.fromkeys(text for _, text in said)
        self.rows = [
            Marked(str(number), text, tuple(row for row, its in said if its == text))
            for number, text in enumerate(texts, 1)
        ]

    def column(self, metric: str) -> list[Marked]:
        """Return the remarks on a whole column."""
        return self._at(f"*.{metric}")

    def row(self, row: str) -> list[Marked]:
        """Return the remarks on a whole row."""
        return self._at(row)

    def cell(self, row: str, metric: str) -> list[Marked]:
        """Return the remarks on one cell."""
        return self._at(f"{row}.{metric}")

    def _at(self, place: str) -> list[Marked]:
        return [note for note in (*self.printed, *self.rows) if place in note.at]


def _remarks(row: Mapping[str, Any], tell_why: bool) -> Iterator[str]:
    """Yield what is said of a row: by its description, why it waits if told, by its scores."""
    if row["note"]:
        yield row["note"]
    if row["waits"] and tell_why:
        yield f"Waits for {row['waits']}."
    yield from row["provenance"]["remarks"]
