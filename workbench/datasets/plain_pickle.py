"""Reads pickles of plain data; nothing in a file can make code run.

``pickle`` builds whatever a file asks for, and refusing classes alone leaves the memory open: one
instruction may reserve gigabytes for a memo or a text, and another sets the state of any object.
So the instructions are walked here, and only those for lists, tuples, dicts, numbers, booleans,
None, text and bytes are known. Whoever needs more gives functions of its own, which stand in for
those that a file names.

Source: the instructions as ``pickletools`` of Python 3.11 documents them, protocols 0 to 5.
"""

from __future__ import annotations

import codecs
import pickletools
import struct
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput, shown

# The largest real file has some 40 MB, a million memo entries and marks three deep. What a file
# may ask for is bounded well above that and well below a machine's memory.
MOST_BYTES = 1 << 27
MOST_MEMO = 1 << 24
MOST_STACK = 1 << 20
# One byte makes an empty list, which takes some 60; real files have a few million values.
MOST_VALUES = 1 << 24
MOST_MARKS = 1000
MOST_DIGITS = 20
FIX = "only lists, dicts, numbers and text are read; get the release's file again"

_STOP = ord(".")
_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


Calls = Mapping[str, Callable[..., Any]]


class RefusedError(Exception):
    """The file holds what is not read."""


class Holder(ABC):
    """What a stand-in returns where the file goes on to give it a state."""

    @abstractmethod
    def __setstate__(self, state: Any) -> None:
        """Take a state, which may be whatever a file can hold."""


def read_plain_pickle(path: Path) -> Any:
    """Return the lists, tuples, dicts, numbers, text and bytes of a pickle.

    Texts that Python 2 wrote without an encoding are decoded as UTF-8 or, where they are not, as
    Latin-1.

    Raises:
        BadInput: It holds anything else, is cut off or damaged, or would unfold to more items than
            it has bytes.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, "get the release's file")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(path, "pickle", f"has over {MOST_BYTES >> 20} MiB", FIX)
    try:
        return unpickle(path.read_bytes())
    except RefusedError as error:
        raise BadInput(path, "pickle", str(error), FIX) from error


def _python2_text(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def unpickle(
    data: bytes, calls: Calls | None = None, text: Callable[[bytes], str] = _python2_text
) -> Any:
    """Return what a pickle holds.

    Args:
        data: The pickle.
        calls: What stands in for the functions and classes that it may call, by the full names
            that it has for them, e.g. ``collections.OrderedDict``. They get unchecked arguments.
        text: Decodes texts that Python 2 wrote without an encoding.

    Raises:
        RefusedError: It holds anything else, is cut off or damaged, or would unfold to more items
            than it has bytes.
    """
    machine = _Machine(data, calls or {}, text)
    try:
        return machine.run()
    except (IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error) as error:
        raise RefusedError(f"is damaged at byte {machine.at}") from error


class _Machine:
    """Walks the instructions of one pickle over a stack and a memo, as ``pickle`` does."""

    def __init__(self, data: bytes, calls: Calls, text: Callable[[bytes], str]) -> None:
        self.data, self.at = data, 0
        self.calls, self.text = calls, text
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.shared, self.pushed = False, 0

    def run(self) -> Any:
        data, known = self.data, _INSTRUCTIONS | (_CALLING if self.calls else {})
        while True:
            code = data[self.at]
            self.at += 1
            if code == _STOP:
                break
            step = known.get(code)
            if step is None:
                name = _NAMES.get(code, f"byte {code}")
                raise RefusedError(f"asks for {name} at byte {self.at - 1}")
            step(self)
        if self.outer or len(self.stack) != 1:
            raise RefusedError("does not end with one value")
        if self.shared:
            _check_unfolded(self.stack[0], len(data))
        return self.stack[0]

    def take(self, count: int) -> bytes:
        """Return the next bytes, all of which must be there."""
        end = self.at + count
        if count < 0 or end > len(self.data):
            raise RefusedError(f"is cut off at byte {len(self.data)}")
        self.at, found = end, self.data[self.at : end]
        return found

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise RefusedError(f"is cut off at byte {len(self.data)}")
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def push(self, value: Any) -> None:
        self.stack.append(value)
        self.pushed += 1
        if self.pushed > MOST_VALUES:
            raise RefusedError(f"holds over {MOST_VALUES} values")
        if len(self.stack) > MOST_STACK:
            raise RefusedError(f"holds over {MOST_STACK} loose values")

    def marked(self) -> list[Any]:
        """Return what was pushed since the last mark and go back to before it."""
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []
        if len(self.outer) > MOST_MARKS:
            raise RefusedError(f"nests over {MOST_MARKS} levels")

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]
        if len(self.memo) > MOST_MEMO:
            raise RefusedError(f"remembers over {MOST_MEMO} values")

    def recall(self, value: Any) -> None:
        """Push a value again; a container that occurs twice may unfold to many items."""
        self.shared = self.shared or isinstance(value, list | tuple | dict)
        self.push(value)

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise RefusedError(f"appends to no list at byte {self.at - 1}")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise RefusedError(f"sets an item of no dict at byte {self.at - 1}")
        target.update(self.pairs(items))

    def pairs(self, items: list[Any]) -> dict[Any, Any]:
        keys, values = items[::2], items[1::2]
        # Keys of other kinds can be chosen so that all have one hash.
        if not all(isinstance(key, str | int) for key in keys):
            raise RefusedError(f"has a key that is neither text nor number at byte {self.at - 1}")
        return dict(zip(keys, values, strict=True))

    def popped(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def whole(self, text: bytes) -> int:
        text = text.rstrip(b"L")
        if len(text) > MOST_DIGITS:
            raise RefusedError(f"has a number of {len(text)} digits at byte {self.at}")
        return int(text)

    def bits(self, count: int) -> int:
        if count > 8:
            raise RefusedError(f"has a number of {count} bytes at byte {self.at}")
        return int.from_bytes(self.take(count), "little", signed=True)

    def named(self, module: str, name: str) -> None:
        full = ".".join((module, name))
        if full not in self.calls:
            raise RefusedError(f"asks for {shown(full)}")
        self.push(self.calls[full])

    def call(self) -> None:
        called, arguments = self.popped(2)
        if not any(called is known for known in self.calls.values()):
            raise RefusedError(f"calls what is no function at byte {self.at - 1}")
        if not isinstance(arguments, tuple):
            raise TypeError
        self.push(called(*arguments))

    def set_state(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Holder):
            target.__setstate__(state)
        # Attributes of an ordered dict, e.g. versions of a model's parts, are left out.
        elif type(target) is not OrderedDict:
            raise RefusedError(f"sets a state of a {type(target).__name__} at byte {self.at - 1}")

    def protocol(self) -> None:
        if self.take(1)[0] > 5:
            raise RefusedError("is of an unknown protocol")


def _check_unfolded(value: Any, most: int) -> None:
    """Refuse containers that hold themselves, or that unfold to more than ``most`` items."""
    sizes: dict[int, int | None] = {}
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        item, done = waiting.pop()
        children = list(item.values()) if isinstance(item, dict) else item
        if not isinstance(children, list | tuple):
            continue
        if done:
            sizes[id(item)] = 1 + sum(sizes.get(id(child), 1) or 1 for child in children)
            if (sizes[id(item)] or 0) > most:
                raise RefusedError("unfolds to more items than it has bytes")
            continue
        if id(item) in sizes:
            if sizes[id(item)] is None:
                raise RefusedError("holds a container that holds itself")
            continue
        sizes[id(item)] = None
        waiting.append((item, True))
        waiting += [(child, False) for child in children if isinstance(child, list | tuple | dict)]


def _quoted(machine: _Machine) -> str:
    line = machine.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError
    return machine.text(codecs.escape_decode(line[1:-1])[0])


def _int_line(machine: _Machine) -> int | bool:
    line = machine.line()
    return line == b"01" if line in (b"00", b"01") else machine.whole(line)


def _text(machine: _Machine, form: str) -> str:
    return machine.take(machine.number(form)).decode("utf-8", "surrogatepass")


Step = Callable[[_Machine], Any]
_READERS: dict[str, Step] = {
    "N": lambda m: None,
    "\x88": lambda m: True,
    "\x89": lambda m: False,
    "I": _int_line,
    "L": lambda m: m.whole(m.line()),
    "J": lambda m: m.number("<i"),
    "K": lambda m: m.number("<B"),
    "M": lambda m: m.number("<H"),
    "\x8a": lambda m: m.bits(m.number("<B")),
    "\x8b": lambda m: m.bits(m.number("<I")),
    "F": lambda m: float(m.line()),
    "G": lambda m: m.number(">d"),
    "S": _quoted,
    "T": lambda m: m.text(m.take(m.number("<i"))),
    "U": lambda m: m.text(m.take(m.number("<B"))),
    "V": lambda m: m.line().decode("raw-unicode-escape"),
    "X": lambda m: _text(m, "<I"),
    "\x8c": lambda m: _text(m, "<B"),
    "\x8d": lambda m: _text(m, "<Q"),
    "B": lambda m: m.take(m.number("<I")),
    "C": lambda m: m.take(m.number("<B")),
    "\x8e": lambda m: m.take(m.number("<Q")),
    "]": lambda m: [],
    "}": lambda m: {},
    ")": lambda m: (),
    "l": lambda m: m.marked(),
    "t": lambda m: tuple(m.marked()),
    "d": lambda m: m.pairs(m.marked()),
    "\x85": lambda m: tuple(m.popped(1)),
    "\x86": lambda m: tuple(m.popped(2)),
    "\x87": lambda m: tuple(m.popped(3)),
}
_STEPS: dict[str, Step] = {
    "\x80": lambda m: m.protocol(),
    "\x95": lambda m: m.take(8),
    "(": lambda m: m.mark(),
    "0": lambda m: m.popped(1),
    "1": lambda m: m.marked(),
    "2": lambda m: m.recall(m.stack[-1]),
    "p": lambda m: m.remember(m.whole(m.line())),
    "q": lambda m: m.remember(m.take(1)[0]),
    "r": lambda m: m.remember(m.number("<I")),
    "\x94": lambda m: m.remember(len(m.memo)),
    "g": lambda m: m.recall(m.memo[m.whole(m.line())]),
    "h": lambda m: m.recall(m.memo[m.take(1)[0]]),
    "j": lambda m: m.recall(m.memo[m.number("<I")]),
    "a": lambda m: m.extend(m.popped(1)),
    "e": lambda m: m.extend(m.marked()),
    "s": lambda m: m.set_items(m.popped(2)),
    "u": lambda m: m.set_items(m.marked()),
}


def _pushing(read: Step) -> Step:
    return lambda machine: machine.push(read(machine))


_INSTRUCTIONS: dict[int, Step] = {
    **{ord(code): _pushing(read) for code, read in _READERS.items()},
    **{ord(code): step for code, step in _STEPS.items()},
}
# What is known beside these where there are functions to call.
_CALLING: dict[int, Step] = {
    ord("c"): lambda m: m.named(m.line().decode(), m.line().decode()),
    ord("\x93"): lambda m: m.named(*m.popped(2)),
    ord("R"): lambda m: m.call(),
    ord("b"): lambda m: m.set_state(),
    ord("\x96"): _pushing(lambda m: m.take(m.number("<Q"))),
}
