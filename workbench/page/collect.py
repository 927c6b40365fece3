"""What the report is of: every table of the paper, with its numbers where they have been made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import BadInput, MissingInput
from workbench.paths import Layout
from workbench.reporting.claims import tally
from workbench.reporting.results import REPRODUCED, build_table
from workbench.reporting.table_spec import SPEC_FOLDER, Note, TableSpec, load_spec

PAPER = Path("reports") / "paper.yaml"
_ROMAN = {"I": 1, "V": 5, "X": 10}


@dataclass(frozen=True)
class ReportTable:
    """A table with its description.

    Attributes:
        spec: The description.
        content: Of the table's JSON; where none has been made, the same without numbers.
        made: Whether it has been made.
    """

    spec: TableSpec
    content: Mapping[str, Any]
    made: bool

    @property
    def id(self) -> str:
        return self.spec.table

    @property
    def of_paper(self) -> bool:
        """Whether the paper has it; the others are ours."""
        return "-" not in self.id

    @property
    def reproduced(self) -> int:
        """Number of rows with numbers."""
        return sum(row["status"] == REPRODUCED for row in self.content["rows"])

    @property
    def runs(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Each run with its row."""
        return [(row, run) for row in self.content["rows"] for run in row["provenance"]["runs"]]

    @property
    def counted(self) -> str:
        """Labels of the rows that were counted at the paper's sizes, whatever the scale."""
        rows = self.content["rows"]
        return ", ".join(r["label"] for r in rows if r["provenance"]["counted_at"])

    @property
    def verdicts(self) -> dict[str, int]:
        """Number of claims by verdict."""
        return tally(claim["verdict"] for claim in self.content["claims"])


@dataclass(frozen=True)
class Example:
    """A table of the paper without numbers."""

    table: str
    title: str
    section: str
    text: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Paper:
    """The paper as a whole; ``notes`` are inconsistencies that concern no table."""

    title: str
    arxiv: str
    examples: tuple[Example, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Report:
    """All that the page shows of numbers and claims."""

    scale: str
    paper: Paper
    tables: tuple[ReportTable, ...]

    @property
    def claims(self) -> list[Mapping[str, Any]]:
        """All claims, in the order of the tables."""
        return [claim for table in self.tables for claim in table.content["claims"]]


def collect(root: Path, scale: str) -> Report:
    """Read descriptions and tables of a scale.

    Raises:
        BadInput: A file that cannot be read, or is not what it should be.
        MissingInput: No description at all.
    """
    names = [path.stem for path in (root / SPEC_FOLDER).glob("*.yaml")]
    if not names:
        raise MissingInput(SPEC_FOLDER, "run the command in a whole checkout of the project")
    layout = Layout(scale)
    tables = []
    for spec in (load_spec(name, root) for name in sorted(names, key=place)):
        content = read_table(root / layout.table(spec.table, "json"))
        made = content is not None
        tables.append(ReportTable(spec, content or not_run(spec, scale), made))
    return Report(scale, load_paper(root), tuple(tables))


def place(table: str) -> tuple[int, str]:
    """Return a table's place in the paper, to sort by: ``IX`` before ``X`` before ``X-query``."""
    numeral, _, ours = table.partition("-")
    values = [_ROMAN.get(letter, 0) for letter in numeral]
    following = [*values[1:], 0]
    number = sum(-v if v < after else v for v, after in zip(values, following, strict=True))
    return number, ours


def read_table(path: Path) -> dict[str, Any] | None:
    """Return a table's JSON; None if it has not been made.

    Raises:
        BadInput: It cannot be read.
    """
    if not path.is_file():
        return None
    return parse_table(path.read_text(encoding="utf-8"), str(path))


def parse_table(text: str, where: str) -> dict[str, Any]:
    """Return a table from the text of its JSON.

    Raises:
        BadInput: Not a table.
    """
    fix = f"dvc repro --force table@{Path(where).stem}"
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(where, "JSON", f"cannot be read ({error})", fix) from error
    if not isinstance(content, dict):
        raise BadInput(where, "top level", "not an object", fix)
    for field in ("rows", "claims", "notes"):
        if not isinstance(content.get(field), list):
            raise BadInput(where, field, "missing", fix)
    return content


def not_run(spec: TableSpec, scale: str) -> dict[str, Any]:
    """Return the content of a table of which nothing has been run."""
    return build_table(spec, scale, {})


def load_paper(root: Path) -> Paper:
    """Read what is said of the paper as a whole.

    Raises:
        BadInput: Not as it should be.
    """
    path = root / PAPER
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Paper(
            content["title"],
            content["arxiv"],
            tuple(Example(**{**e, "notes": _notes(e["notes"])}) for e in content["examples"]),
            _notes(content["notes"]),
        )
    except OSError as error:
        raise MissingInput(path, "restore it from the repository") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        problem = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")
        raise BadInput(path, "content", problem, "restore it from the repository") from error


def _notes(content: Sequence[Mapping[str, str]]) -> tuple[Note, ...]:
    return tuple(Note(note["note"], note["id"]) for note in content)
