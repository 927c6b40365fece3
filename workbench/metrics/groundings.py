"""Reading groundings: phrases of captions tied to entity masks, one JSON line a narrative.

Of a line are read::

    {"image_id": 5, "narrative": 0, "caption": "...", "mode": "generated" or "teacher-forced",
     "entities": [3, 7],
     "phrases": [{"text": "red square", "start": 10, "end": 20, "entity_ids": [3],
                  "scores": [0.9, 0.1], "gt_phrase": 0}]}

``narrative`` counts the narratives of the split from 0; ``scores`` are probabilities, one for each
of ``entities`` (a tool with hard decisions writes 1 and 0); ``gt_phrase`` is the position among the
narrative's phrases that a phrase is paired with, or null. ``entity_ids``, ``start`` and ``end``
(null where the text does not stand in the caption) are for readers and only checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import BadInput, MissingInput

if TYPE_CHECKING:
    from workbench.datasets.narratives import Narrative

GENERATED, TEACHER_FORCED = "generated", "teacher-forced"
MODES = (GENERATED, TEACHER_FORCED)

_REWRITE = "write the file again with the ground stage or correct it"
_OTHER_SPLIT = "score the split that was grounded"


@dataclass(frozen=True)
class GroundedPhrase:
    """A phrase of the file; see the module's text."""

    text: str
    scores: tuple[float, ...]
    gt_phrase: int | None


@dataclass(frozen=True)
class GroundingRecord:
    """The groundings of one narrative; ``where`` names its line for errors."""

    where: str
    narrative: int
    entities: tuple[int, ...]
    phrases: tuple[GroundedPhrase, ...]


@dataclass(frozen=True)
class Groundings:
    """A whole file: records by narrative, and the mode that all share (None without a record)."""

    path: Path
    mode: str | None
    records: Mapping[int, GroundingRecord]


def read_groundings(path: Path, narratives: Sequence[Narrative]) -> Groundings:
    """Read a groundings file.

    Args:
        path: The file.
        narratives: Of the split that it was made on.

    Raises:
        MissingInput: No such file.
        BadInput: Truncated or malformed JSON, a field that is missing or wrong, an unknown
            narrative or one twice, a picture or caption that is not the narrative's, two phrases
            paired with the same one, or lines of different modes.
    """
    if not path.is_file():
        raise MissingInput(path, "run the ground stage, or give a groundings file")
    records: dict[int, GroundingRecord] = {}
    mode: str | None = None
    for line in _lines(path):
        record = line.record(narratives)
        if record.narrative in records:
            line.fail("narrative", f"{record.narrative} a second time")
        records[record.narrative] = record
        own = line.value["mode"]
        if own != (mode or own):
            line.fail("mode", f"{own!r}, above {mode!r}")
        mode = own
    return Groundings(path, mode, records)


def entities_beside(groundings: Path) -> Path:
    """Return where the masks of a groundings file are kept, if they are not the annotated ones."""
    return groundings.with_name(f"{groundings.stem}.entities.jsonl")


def _lines(path: Path) -> Iterator[_Line]:
    with path.open("rb") as stream:
        for number, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                problem = f"not JSON, perhaps cut off ({error})"
                raise BadInput(path, f"line {number}", problem, _REWRITE) from error
            if not isinstance(value, dict):
                raise BadInput(path, f"line {number}", "not an object", _REWRITE)
            yield _Line(path, f"line {number}", value)


@dataclass(frozen=True)
class _Line:
    """A line and its place, for checks that name it."""

    path: Path
    where: str
    value: dict[str, Any]

    def fail(self, part: str, problem: str, fix: str = _REWRITE) -> NoReturn:
        raise BadInput(self.path, f"{self.where}.{part}", problem, fix)

    def record(self, narratives: Sequence[Narrative]) -> GroundingRecord:
        """Check the line and return what it says."""
        index: Any = self.value.get("narrative")
        if not _is_index(index, len(narratives)):
            self.fail("narrative", f"{index!r} is none of {len(narratives)}", _OTHER_SPLIT)
        narrative = narratives[index]
        for part in ("image_id", "caption"):
            if self.value.get(part) != getattr(narrative, part):
                self.fail(part, f"not that of narrative {index}", _OTHER_SPLIT)
        if self.value.get("mode") not in MODES:
            self.fail("mode", repr(self.value.get("mode")), f"use one of {', '.join(MODES)}")
        ids = self._entities()
        phrases = self.value.get("phrases")
        if not isinstance(phrases, list):
            self.fail("phrases", "not a list")
        found = tuple(
            self._phrase(f"phrases[{at}]", phrase, narrative, ids)
            for at, phrase in enumerate(phrases)
        )
        self._check_pairs(found)
        return GroundingRecord(self.where, index, ids, found)

    def _entities(self) -> tuple[int, ...]:
        ids = self.value.get("entities")
        if not isinstance(ids, list) or not all(_is_whole(number) for number in ids):
            self.fail("entities", "not a list of ids")
        if len(set(ids)) < len(ids):
            self.fail("entities", "an id twice")
        return tuple(ids)

    def _phrase(
        self, part: str, phrase: Any, narrative: Narrative, ids: tuple[int, ...]
    ) -> GroundedPhrase:
        """Check a phrase and return it."""
        if not isinstance(phrase, dict):
            self.fail(part, "not an object")
        text, chosen, paired = (phrase.get(name) for name in ("text", "entity_ids", "gt_phrase"))
        if not isinstance(text, str):
            self.fail(f"{part}.text", "not text")
        self._check_span(part, phrase.get("start"), phrase.get("end"), len(narrative.caption))
        if not isinstance(chosen, list) or not all(number in ids for number in chosen):
            self.fail(f"{part}.entity_ids", "not a list of ids of the line's entities")
        count = len(narrative.phrases)
        if "gt_phrase" not in phrase or not (paired is None or _is_index(paired, count)):
            self.fail(f"{part}.gt_phrase", f"{paired!r} is none of {count} phrases, nor null")
        return GroundedPhrase(text, self._scores(part, phrase.get("scores"), len(ids)), paired)

    def _scores(self, part: str, scores: Any, count: int) -> tuple[float, ...]:
        if not isinstance(scores, list) or len(scores) != count:
            self.fail(f"{part}.scores", f"not a list of {count} numbers, one an entity")
        for at, score in enumerate(scores):
            if not _is_probability(score):
                self.fail(f"{part}.scores[{at}]", f"{score!r}", "give a probability in [0, 1]")
        return tuple(float(score) for score in scores)

    def _check_span(self, part: str, start: Any, end: Any, length: int) -> None:
        if start is None and end is None:
            return
        if not (_is_whole(start) and _is_whole(end)) or not 0 <= start < end <= length:
            self.fail(f"{part}.start", f"{start!r} to {end!r} is no part of the caption")

    def _check_pairs(self, phrases: Sequence[GroundedPhrase]) -> None:
        seen: set[int] = set()
        for at, phrase in enumerate(phrases):
            if phrase.gt_phrase is None:
                continue
            if phrase.gt_phrase in seen:
                self.fail(f"phrases[{at}].gt_phrase", f"{phrase.gt_phrase} a second time")
            seen.add(phrase.gt_phrase)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_index(value: Any, count: int) -> bool:
    return _is_whole(value) and 0 <= value < count


def _is_probability(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= 1
