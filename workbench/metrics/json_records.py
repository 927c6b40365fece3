"""Records of large JSON files, image by image: no more than one image's are held parsed.

Files of predictions and annotations list their masks in any order. They are read once to learn
where each image's records are, and again where an image is wanted: three numbers are kept for
records of one image that follow each other.
"""

from __future__ import annotations

import codecs
import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, KeysView
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from workbench.errors import BadInput

ImageId = int | str
_CHUNK = 1 << 20
_SPACE = " \t\n\r"


class Item(NamedTuple):
    """A record of a JSON file: ``start`` and ``length`` in bytes, ``field`` None at top level.

    One at position -1 opens every list, so that empty lists are seen.
    """

    field: str | None
    position: int
    value: Any
    start: int
    length: int


def iter_items(path: Path, fix: str) -> Iterator[Item]:
    """Yield the items of a top-level list, or of all lists of a top-level object.

    Args:
        path: Existing file.
        fix: What the user should do about a damaged file.

    Raises:
        BadInput: Not JSON, not UTF-8, or neither a list nor an object.
    """
    with path.open("rb") as stream:
        text = _Text(stream)
        try:
            opened = text.peek()
            if opened == "[":
                yield from _list_items(text, None)
            elif opened == "{":
                yield from _object_items(text)
            else:
                raise BadInput(path, "top level", "neither a list nor an object", fix)
            if text.peek():
                raise ValueError("extra data after the end")
        except (ValueError, RecursionError) as error:
            problem = f"cannot be read, perhaps cut off ({error or 'nested too deep'})"
            raise BadInput(path, "JSON", problem, fix) from error


def _object_items(text: _Text) -> Iterator[Item]:
    for _ in text.members("{", "}"):
        if text.peek() != '"':
            raise ValueError("a key is expected")
        field = text.value()
        text.expect(":")
        if text.peek() == "[":
            yield from _list_items(text, field)
        else:
            text.value()


def _list_items(text: _Text, field: str | None) -> Iterator[Item]:
    yield Item(field, -1, None, text.offset, 0)
    for index in text.members("[", "]"):
        text.peek()
        start = text.offset
        value = text.value()
        yield Item(field, index, value, start, text.offset - start)


class _Text:
    """A window on a UTF-8 file that moves forward; ``offset`` is its place in bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.offset = 0
        self._stream, self._buffer, self._at = stream, "", 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()

    def peek(self) -> str:
        """Skip white space and return the next character, nothing at the end."""
        while True:
            rest = len(self._buffer) - self._at
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            self.offset += rest - (len(self._buffer) - self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._read(_CHUNK):
                return ""

    def expect(self, character: str) -> None:
        """Pass one character, or raise ValueError."""
        found = self.peek()
        if found != character:
            raise ValueError(f"{character} is expected, not {found or 'the end'}")
        self._pass(1)

    def members(self, opening: str, closing: str) -> Iterator[int]:
        """Yield 0, 1, ... where a member starts; the caller reads it."""
        self.expect(opening)
        if self.peek() == closing:
            self._pass(1)
            return
        index = 0
        while True:
            yield index
            index += 1
            if self.peek() == closing:
                self._pass(1)
                return
            self.expect(",")

    def value(self) -> Any:
        """Return the JSON value that starts here; more is read until it is whole."""
        size = _CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if not self._read(size):
                    raise
            else:
                # A number at the end of the window may go on behind it.
                if end < len(self._buffer) or not self._read(size):
                    self._pass(end - self._at)
                    return value
            size *= 2

    def _pass(self, count: int) -> None:
        piece = self._buffer[self._at : self._at + count]
        self._at += count
        self.offset += count if piece.isascii() else len(piece.encode())

    def _read(self, size: int) -> bool:
        raw = self._stream.read(size)
        added = self._utf8.decode(raw, final=not raw)
        self._buffer, self._at = self._buffer[self._at :] + added, 0
        return bool(raw)


class RecordsByImage:
    """The records of one list of a JSON file by their ``image_id``.

    Args:
        path: Existing file.
        field: Name of the list in the top-level object; None where the list is the top level.
        fix: What the user should do about a damaged file.
        seen: Called with every item of the file as it is found, also with those of other lists.

    Raises:
        BadInput: Damaged JSON, no such list, or a record without an image id (number or text).
    """

    def __init__(
        self,
        path: Path,
        field: str | None,
        fix: str,
        seen: Callable[[Item], None] = lambda item: None,
    ) -> None:
        self._path, self._field = path, field
        self._places: dict[ImageId, array[int]] = defaultdict(lambda: array("q"))
        self._count = 0
        self._last: ImageId = 0
        there = False
        for item in iter_items(path, fix):
            there = there or item.field == field
            if item.position < 0:
                continue
            seen(item)
            if item.field != field:
                continue
            image_id = item.value.get("image_id") if isinstance(item.value, dict) else None
            if isinstance(image_id, bool) or not isinstance(image_id, int | str):
                raise BadInput(path, f"{self._name(item.position)}.image_id", "missing", fix)
            self._add(image_id, item)
        if not there:
            expected = "a list" if field is None else f"an object with the list {field}"
            raise BadInput(path, field or "top level", f"the file is not {expected}", fix)
        self._stream = path.open("rb")

    def __len__(self) -> int:
        return self._count

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()

    def image_ids(self) -> KeysView[ImageId]:
        """Return the images that have a record."""
        return self._places.keys()

    def of(self, image_id: ImageId) -> list[tuple[str, dict[str, Any]]]:
        """Return the records of an image in file order, each with its place for errors."""
        places = self._places.get(image_id, ())
        found: list[tuple[str, dict[str, Any]]] = []
        for at in range(0, len(places), 3):
            position, start, end = places[at : at + 3]
            self._stream.seek(start)
            records = json.loads(b"[" + self._stream.read(end - start) + b"]")
            found += ((self._name(position + more), one) for more, one in enumerate(records))
        return found

    def first(self, image_id: ImageId) -> str:
        """Return the place of an image's first record, for errors."""
        return self._name(self._places[image_id][0])

    def _add(self, image_id: ImageId, item: Item) -> None:
        """Lengthen the image's last stretch of records, or begin one."""
        end = item.start + item.length
        if self._count and image_id == self._last:
            self._places[image_id][-1] = end
        else:
            self._places[image_id].extend((item.position, item.start, end))
        self._last, self._count = image_id, self._count + 1

    def _name(self, index: int) -> str:
        return f"{self._field or ''}[{index}]"
