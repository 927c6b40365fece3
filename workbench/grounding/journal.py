"""What is done of a long prediction, kept so that the same command can go on after a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines, one a finished batch: its results and the seconds that it took.

    A line that a kill cut short, and whatever follows it, is dropped when the file is opened.

    Args:
        path: Named by a fingerprint of all that the results depend on; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.num_done, self.seconds, sound = 0, 0.0, 0
        if path.is_file():
            with path.open("rb") as stream:
                for line in stream:
                    entry = _entry(line)
                    if entry is None:
                        break
                    sound += len(line)
                    self._count(entry)
            os.truncate(path, sound)

    def append(self, results: list[dict[str, Any]], seconds: float) -> None:
        """Add a batch; it is on disk when this returns."""
        entry = {"results": results, "seconds": seconds}
        with self.path.open("ab") as stream:
            stream.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._count(entry)

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield all results in the order of their making, a batch at a time in memory."""
        if self.path.is_file():
            with self.path.open("rb") as stream:
                for line in stream:
                    yield from json.loads(line)["results"]

    def _count(self, entry: dict[str, Any]) -> None:
        self.num_done += len(entry["results"])
        self.seconds += entry["seconds"]


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return a whole line's entry, or None."""
    try:
        entry = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("results"), list):
        return None
    return entry if isinstance(entry.get("seconds"), float) else None
