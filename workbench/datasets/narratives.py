"""Reads PNG (Panoptic Narrative Grounding): captions whose nouns are tied to panoptic segments.

Source of the format: BCV-Uniandes/PNG. A file is a list of narratives, each with ``image_id``
(text), ``caption`` and ``segments``; the segments' utterances are the caption, but for case,
spacing and punctuation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from workbench.datasets.load import open_split, read_manifest, split_entry
from workbench.datasets.schema import Category, EntityDataset, EntityImage
from workbench.errors import BadInput, MissingInput

DAMAGED = "get the narratives again"
_CHARACTERS = re.compile(r"\w")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase of a caption.

    Attributes:
        text: As in the caption.
        start, end: Its characters in the caption are ``caption[start:end]``.
        segment_ids: Panoptic segments that it means; empty where it is not grounded.
        plural: As the file says; with several segments it is always so.
    """

    text: str
    start: int
    end: int
    segment_ids: tuple[int, ...]
    plural: bool

    @property
    def grounded(self) -> bool:
        return bool(self.segment_ids)


@dataclass(frozen=True)
class Narrative:
    """A caption of a picture with its noun phrases, in the order of the text."""

    image_id: int
    annotator_id: int
    caption: str
    phrases: tuple[Phrase, ...]


class NarrativeDataset(Sequence[tuple[Narrative, EntityImage]]):
    """Narratives of one split, each with its picture and entities.

    Attributes:
        entities: Pictures with narratives or without.
        narratives: In the order of the file.
        file: The file.
    """

    def __init__(
        self,
        entities: EntityDataset,
        narratives: Sequence[Narrative],
        positions: dict[int, int],
        file: Path,
    ) -> None:
        self.file = file
        self.entities, self.narratives = entities, tuple(narratives)
        self._positions = positions

    @property
    def categories(self) -> tuple[Category, ...]:
        """Categories of the entities."""
        return self.entities.categories

    def picture_index(self, index: int) -> int:
        """Return the position of narrative ``index``'s picture among ``entities``."""
        return self._positions[self.narratives[index].image_id]

    def __len__(self) -> int:
        return len(self.narratives)

    @overload
    def __getitem__(self, index: int) -> tuple[Narrative, EntityImage]: ...

    @overload
    def __getitem__(self, index: slice) -> list[tuple[Narrative, EntityImage]]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        narrative, image = self.narratives[index], self.entities[self.picture_index(index)]
        for number, phrase in enumerate(narrative.phrases):
            unknown = set(phrase.segment_ids) - set(image.segment_ids)
            if unknown:
                field = f"narrative {index}: phrase {number} ({phrase.text!r}): segment_ids"
                problem = f"{min(unknown)} is no segment of image {image.image_id}"
                raise BadInput(self.file, field, problem, "get narratives and masks of one release")
        return narrative, image

    def __iter__(self) -> Iterator[tuple[Narrative, EntityImage]]:
        return (self[index] for index in range(len(self)))


def load_narratives(manifest: Path, split: str, *, only_grounded: bool = False) -> NarrativeDataset:
    """Open the narratives of a split.

    Args:
        manifest: File of the prep stage; the split's entry names the narratives.
        split: Name of a split.
        only_grounded: Leave out narratives without a grounded phrase, as PNG's evaluation does.

    Raises:
        BadInput: The split has no narratives, or the file does not hold PNG's records or names
            pictures that are not there.
        MissingInput: A file is not there.
    """
    content = read_manifest(manifest)
    entry = split_entry(content, manifest, split)
    name = entry.get("narratives")
    if not isinstance(name, str):
        fix = "name a PNG file in the split's `narratives` and run prep again"
        raise BadInput(manifest, f"splits.{split}.narratives", "missing", fix)
    reader = open_split(content, manifest, split)
    entities = EntityDataset(content["name"], split, range(len(reader)), reader, reader.categories)
    positions = {int(image_id): at for at, image_id in enumerate(reader.image_ids())}
    path = manifest.parent / content["root"] / name
    narratives = read_narratives(path)
    for at, narrative in enumerate(narratives):
        if narrative.image_id not in positions:
            problem = f"{narrative.image_id} is no picture of split {split}"
            raise BadInput(path, f"[{at}].image_id", problem, DAMAGED)
    if only_grounded:
        narratives = [n for n in narratives if any(phrase.grounded for phrase in n.phrases)]
    return NarrativeDataset(entities, narratives, positions, path)


def read_narratives(path: Path) -> list[Narrative]:
    """Read a PNG file.

    Raises:
        BadInput: Not JSON, or a record that is not PNG's.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, DAMAGED)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", str(error) or "empty", DAMAGED) from error
    if not isinstance(content, list):
        raise BadInput(path, "top level", f"{type(content).__name__}, not a list", DAMAGED)
    return [_narrative(path, f"[{at}]", record) for at, record in enumerate(content)]


def context_phrases(narrative: Narrative) -> tuple[bool, ...]:
    """Tell which phrases only context explains.

    They are those whose text another phrase of the narrative has with other segments.
    """
    words = [" ".join(phrase.text.lower().split()) for phrase in narrative.phrases]
    meant = [set(phrase.segment_ids) for phrase in narrative.phrases]
    return tuple(
        any(
            words[at] == words[other] and meant[at] != meant[other] and meant[at] and meant[other]
            for other in range(len(words))
        )
        for at in range(len(words))
    )


def _narrative(path: Path, where: str, record: Any) -> Narrative:
    if not isinstance(record, dict):
        raise BadInput(path, where, "not an object", DAMAGED)
    caption, segments = record.get("caption"), record.get("segments")
    if not isinstance(caption, str) or not caption.strip():
        raise BadInput(path, f"{where}.caption", repr(caption), DAMAGED)
    if not isinstance(segments, list):
        raise BadInput(path, f"{where}.segments", "missing or not a list", DAMAGED)
    image_id = _number(path, f"{where}.image_id", record.get("image_id"))
    annotator = record.get("annotator_id", 0)
    phrases = tuple(_phrases(path, where, caption, segments))
    return Narrative(image_id, annotator if isinstance(annotator, int) else 0, caption, phrases)


def _phrases(path: Path, where: str, caption: str, segments: list[Any]) -> Iterator[Phrase]:
    """Walk the utterances through the caption and yield the nouns."""
    at = 0
    for number, segment in enumerate(segments):
        field = f"{where}.segments[{number}]"
        utterance = segment.get("utterance") if isinstance(segment, dict) else None
        if not isinstance(utterance, str):
            raise BadInput(path, f"{field}.utterance", repr(utterance), DAMAGED)
        start, end = _found(caption, at, utterance, path, field)
        at = end
        if not segment.get("noun") or start == end:
            continue
        ids = segment.get("segment_ids")
        if not isinstance(ids, list):
            raise BadInput(path, f"{field}.segment_ids", repr(ids), DAMAGED)
        numbers = tuple(_number(path, f"{field}.segment_ids", value) for value in ids)
        plural = bool(segment.get("plural")) or len(numbers) > 1
        yield Phrase(caption[start:end], start, end, numbers, plural)


def _found(caption: str, at: int, utterance: str, path: Path, field: str) -> tuple[int, int]:
    """Return where an utterance's letters and digits stand in the caption, from ``at`` on."""
    start = end = None
    for character in _CHARACTERS.findall(utterance.lower()):
        while at < len(caption) and not _CHARACTERS.match(caption[at]):
            at += 1
        if at == len(caption) or caption[at].lower() != character:
            problem = f"{utterance!r} does not follow in the caption"
            raise BadInput(path, f"{field}.utterance", problem, DAMAGED)
        start = at if start is None else start
        at += 1
        end = at
    return (at, at) if start is None or end is None else (start, end)


def _number(path: Path, field: str, value: Any) -> int:
    """Return an id, which PNG writes as text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise BadInput(path, field, f"{value!r} is not a whole number", DAMAGED)
