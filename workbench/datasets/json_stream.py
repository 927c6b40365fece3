"""Reads large JSON files piece by piece: what is held is one element of a list at a time.

Annotation files of high-resolution pictures are larger than the memory that their parsed form may
take. Bytes are scanned as Latin-1, so that a position in the text is one in the file; an element
with other letters than ASCII is decoded again from its bytes, as UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workbench.errors import BadInput, MissingInput

CHUNK = 1 << 23
_BOM = b"\xef\xbb\xbf"
_BLANK = " \t\n\r"
_DAMAGED = "the file is damaged; get it again"
# No literal or escape is longer: an error this near to the end of a piece may be due to the cut.
_LONGEST_TOKEN = 16
_NUMBER_REST = len("e+")
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Part:
    """A value of the object, or an element of a value that is a list.

    Attributes:
        key: Name of the value; None for the elements of a file that is a list.
        index: Place in the list; None for the value itself, which is [] of a list that follows.
        value: Parsed.
        start, end: Its bytes in the file.
    """

    key: str | None
    index: int | None
    value: Any
    start: int
    end: int


def stream_object(path: Path, fix: str) -> Iterator[Part]:
    """Yield the values of a JSON object, lists element by element, in the order of the file.

    Args:
        path: The file.
        fix: What to do if it is not there.

    Raises:
        MissingInput: No such file.
        BadInput: Truncated, not JSON, not UTF-8, not an object, or with a key twice.
    """
    yield from _stream(path, fix, _DAMAGED, _object)


def stream_records(path: Path, fix: str) -> Iterator[Part]:
    """Yield the values of a JSON object as ``stream_object`` does, or the elements of a list.

    Args:
        path: The file.
        fix: What to do if it is not there or damaged.

    Raises:
        MissingInput: No such file.
        BadInput: As of ``stream_object``; neither an object nor a list.
    """
    yield from _stream(path, fix, fix, _object_or_list)


def _stream(
    path: Path, fix: str, damaged: str, parts: Callable[[_Window, Path], Iterator[Part]]
) -> Iterator[Part]:
    if not path.is_file():
        raise MissingInput(path, fix)
    with path.open("rb") as stream:
        window = _Window(stream)
        try:
            yield from parts(window, path)
        except (ValueError, RecursionError) as error:
            found = getattr(error, "msg", None) or str(error)
            raise BadInput(path, "JSON", f"{found} near byte {window.place}", damaged) from error


def read_part(stream: BinaryIO, start: int, end: int, path: Path, field: str) -> Any:
    """Read one part again by its bytes.

    Raises:
        BadInput: The file has changed since it was scanned.
    """
    stream.seek(start)
    try:
        return json.loads(stream.read(end - start))
    except (ValueError, RecursionError) as error:
        raise BadInput(path, field, "has changed since it was opened", "start again") from error


class _Window:
    """A piece of the file as text, moved forward as values are taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text, self._at, self._start = "", 0, 0
        self._ended, self._ascii = False, True
        self._more()
        if self._text.startswith(_BOM.decode("latin-1")):
            self._at = len(_BOM)

    @property
    def place(self) -> int:
        return self._start + self._at

    def _more(self) -> None:
        """Drop what was taken and append at least as much as is left, to stay linear in time."""
        rest = self._text[self._at :]
        chunk = self._stream.read(max(CHUNK, len(rest), len(_BOM)))
        self._start, self._at = self._start + self._at, 0
        self._text = rest + chunk.decode("latin-1")
        self._ended, self._ascii = not chunk, self._text.isascii()

    def peek(self) -> str:
        """Return the next letter that is no white space, "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def take(self, letters: str) -> str:
        """Take the next letter, which must be one of ``letters``."""
        found = self.peek()
        if not found or found not in letters:
            raise json.JSONDecodeError(f"Expecting one of {letters}", self._text, self._at)
        self._at += 1
        return found

    def end(self) -> None:
        """Refuse anything but white space."""
        if self.peek():
            raise json.JSONDecodeError("Extra data", "", 0)

    def value(self) -> tuple[Any, int, int]:
        """Take the next value; return it with its start and end in the file."""
        self.peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string")
                if self._ended or not (cut or error.pos > len(self._text) - _LONGEST_TOKEN):
                    raise
            else:
                # A number at the cut may go on: "1" may be the start of "1e+30".
                if end + _NUMBER_REST < len(self._text) or self._ended:
                    break
            self._more()
        if not self._ascii and not self._text[self._at : end].isascii():
            value = json.loads(self._text[self._at : end].encode("latin-1"))
        start, self._at = self.place, end
        return value, start, self.place


def _object_or_list(window: _Window, path: Path) -> Iterator[Part]:
    if window.peek() == "[":
        yield from _list(window, None)
        window.end()
    else:
        yield from _object(window, path)


def _object(window: _Window, path: Path) -> Iterator[Part]:
    if window.peek() != "{":
        if not window.peek():
            raise BadInput(path, "JSON", "empty", _DAMAGED)
        value, _, _ = window.value()
        raise BadInput(path, "top level", f"{type(value).__name__}, not an object", "get it again")
    window.take("{")
    seen: set[str] = set()
    while window.peek() != "}" or seen:
        if window.peek() != '"':
            window.take('"')
        key, _, _ = window.value()
        if key in seen:
            raise BadInput(path, key, "occurs twice", _DAMAGED)
        seen.add(key)
        window.take(":")
        if window.peek() == "[":
            yield from _list(window, key)
        else:
            value, start, end = window.value()
            yield Part(key, None, value, start, end)
        if window.take(",}") == "}":
            break
    else:
        window.take("}")
    window.end()


def _list(window: _Window, key: str | None) -> Iterator[Part]:
    yield Part(key, None, [], window.place, window.place)
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    index = 0
    while True:
        value, start, end = window.value()
        yield Part(key, index, value, start, end)
        index += 1
        if window.take(",]") == "]":
            return
