"""Captions with character spans to PNG's narratives.

A record of the source is ``{"image_id": 1, "caption": "...", "phrases": [{"text": "the sky",
"start": 23, "end": 30, "plural": false, "segment_ids": [1]}]}``: ``text`` (not needed) is
``caption[start:end]``, the ids are panoptic segments. PNG cuts the whole caption into utterances
instead, and writes ids as text (``workbench.datasets.narratives``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from workbench.errors import BadInput, MissingInput
from workbench.files import write_json

_FIX = "correct the record"


def convert_narratives(source: Path, target: Path) -> int:
    """Write a file of spans as a PNG file, whole, and return the number of narratives.

    Raises:
        BadInput: Not JSON, or a record that does not fit its caption.
        MissingInput: No such file.
    """
    if not source.is_file():
        raise MissingInput(source, "give a JSON file with captions and phrases")
    try:
        records = json.loads(source.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(source, "JSON", f"cannot be read ({error})", "write it again") from error
    if not isinstance(records, list) or not records:
        raise BadInput(source, "top level", "not a list of narratives", "give a list")
    write_json(
        target, [_Record(source, at, record).converted() for at, record in enumerate(records)]
    )
    return len(records)


class _Record:
    """One narrative of the source and its place, for errors that name it."""

    def __init__(self, path: Path, at: int, value: Any) -> None:
        self.path, self.where = path, f"[{at}]"
        if not isinstance(value, dict):
            self.fail("record", "not an object")
        self.value = value

    def fail(self, field: str, problem: str) -> NoReturn:
        raise BadInput(self.path, f"{self.where}.{field}", problem, _FIX)

    def converted(self) -> dict[str, Any]:
        """Return PNG's record."""
        caption, phrases = self.value.get("caption"), self.value.get("phrases")
        if not isinstance(caption, str) or not caption.strip():
            self.fail("caption", repr(caption))
        if not isinstance(phrases, list):
            self.fail("phrases", "not a list")
        return {
            "image_id": str(self._whole("image_id", self.value.get("image_id"))),
            "annotator_id": 0,
            "caption": caption,
            "segments": list(self._segments(caption, phrases)),
        }

    def _segments(self, caption: str, phrases: list[Any]) -> Iterator[dict[str, Any]]:
        """Cut the caption at the phrases, in the order of the text."""
        at = 0
        for number, phrase in enumerate(phrases):
            field = f"phrases[{number}]"
            if not isinstance(phrase, dict):
                self.fail(field, "not an object")
            start, end = (
                self._whole(f"{field}.{name}", phrase.get(name)) for name in ("start", "end")
            )
            if not at <= start < end <= len(caption):
                self.fail(f"{field}.start", f"{start} to {end} does not follow {at} in the caption")
            text = caption[start:end]
            if phrase.get("text", text) != text:
                self.fail(f"{field}.text", f"{phrase['text']!r}, but the caption has {text!r}")
            if caption[at:start].strip():
                yield _segment(caption[at:start], [], noun=False, plural=False)
            ids = phrase.get("segment_ids")
            if not isinstance(ids, list):
                self.fail(f"{field}.segment_ids", "not a list")
            numbers = [str(self._whole(f"{field}.segment_ids", value)) for value in ids]
            yield _segment(text, numbers, noun=True, plural=bool(phrase.get("plural")))
            at = end
        if caption[at:].strip():
            yield _segment(caption[at:], [], noun=False, plural=False)

    def _whole(self, field: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.fail(field, f"{value!r} is not a whole number from 0")
        return value


def _segment(text: str, ids: list[str], *, noun: bool, plural: bool) -> dict[str, Any]:
    return {"utterance": text.strip(), "segment_ids": ids, "noun": noun, "plural": plural}
