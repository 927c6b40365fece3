"""What verbs print: JSON or lines, coloured where the terminal and ``NO_COLOR`` allow it."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sys
import time
from typing import Any, TextIO

_UNITS = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)\s*")
COLOURS = {"red": 31, "green": 32, "yellow": 33, "dim": 2}


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a verb that reads its ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


def positive(text: str) -> int:
    """Return an option's value as a positive integer; a parser's ``type``."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def duration(text: str) -> float:
    """Return an option's value such as ``8h``, ``90min`` or ``1h30m`` in s; a parser's ``type``."""
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 8h, 90min or 1h30m")
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def probability(text: str) -> float:
    """Return an option's value as a number from 0 to 1; a parser's ``type``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def print_json(value: Any) -> None:
    """Print one JSON document; NaN and infinity are refused."""
    print(json.dumps(value, indent=2, allow_nan=False, default=str))


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return text in a colour if the stream is a terminal and ``NO_COLOR`` is unset or empty."""
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\033[{COLOURS[colour]}m{text}\033[0m"


def say_error(text: str) -> None:
    """Print one line on standard error."""
    print(f"{coloured('error:', 'red', sys.stderr)} {text}", file=sys.stderr)


class StatusLine:
    """One line about a long job, on standard error: in place on a terminal, else every 30 s."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.every_s = 0.5 if self.terminal else 30.0
        self.said = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for the next line."""
        return time.monotonic() - self.said >= self.every_s

    def show(self, text: str) -> None:
        """Say how it is now; on a terminal in the place of what was said before."""
        self.said = time.monotonic()
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{text[:width]}", end="", file=self.stream, flush=True)
        else:
            print(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Make room for something else; the next line is then due at once."""
        if self.terminal:
            print("\r\x1b[K", end="", file=self.stream, flush=True)
            self.said = float("-inf")
