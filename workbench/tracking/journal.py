"""What a run logs, on disk first: an append-only file of records and how far it was delivered.

A work folder's ``tracking/<id>.jsonl`` holds one run's records, one JSON a line, the first of which
opens the run; ``<id>.json`` beside it holds the run's id in the store and the number of bytes
delivered. A record is only counted as delivered after the store took it, so that a kill in between
delivers it twice, which the store must not mind (`workbench.tracking.delivery`).
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from workbench.files import write_json

RUN_FILE = "mlflow_run.json"
FOLDER = "tracking"
READ_LIMIT = 500

Record = dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """Where a journal's run is and how much of it is there.

    Attributes:
        store: Address of the store; empty before the first delivery.
        run_id: The run's id there.
        offset: Bytes of the journal that were delivered.
        refused: Records that the store will never take, and that were left out.
    """

    store: str = ""
    run_id: str | None = None
    offset: int = 0
    refused: int = 0


class Journal:
    """One run's records in order of time.

    Args:
        path: Its file; made by the first record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owner = FileLock(path.with_suffix(".lock"))

    @classmethod
    def of_folder(cls, folder: Path) -> Journal:
        """Return the journal of a work folder's present run, a new one if it has none."""
        try:
            name = str(json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["journal"])
        except (OSError, ValueError, KeyError, TypeError):
            name = uuid.uuid4().hex
            write_json(folder / RUN_FILE, {"journal": name})
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        return cls(folder / FOLDER / f"{name}.jsonl")

    @property
    def id(self) -> str:
        """Identifies the run in any store."""
        return self.path.stem

    def claim(self, timeout_s: float = 0) -> bool:
        """Become the one process that writes and delivers this journal; False if another one is."""
        try:
            self._owner.acquire(timeout=timeout_s)
        except Timeout:
            return False
        self._cut_torn_record()
        return True

    def release(self) -> None:
        self._owner.release()

    def _cut_torn_record(self) -> None:
        """Remove the beginning of a record that a kill cut off."""
        if not self.path.is_file():
            return
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)

    def append(self, record: Record) -> None:
        """Add a record; it outlives this process at once, the machine after `sync`."""
        line = json.dumps(record) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as stream:
            stream.write(line)

    def sync(self) -> None:
        """Have the disk keep what was appended."""
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())

    def read(self, offset: int = 0, limit: int = READ_LIMIT) -> list[tuple[Record, int]]:
        """Return up to ``limit`` records from a byte on, each with the byte behind it."""
        found: list[tuple[Record, int]] = []
        if not self.path.is_file():
            return found
        with self.path.open("rb") as stream:
            stream.seek(offset)
            for line in stream:
                if len(found) == limit or not line.endswith(b"\n"):
                    break
                offset += len(line)
                found.append((json.loads(line), offset))
        return found

    def records(self) -> Iterator[Record]:
        """Yield all records."""
        for record, _ in self.read(limit=-1):
            yield record

    def is_begun(self) -> bool:
        """Whether it has a record; a kill may leave a file without one."""
        return bool(self.read(limit=1))

    @property
    def delivered(self) -> Delivered:
        try:
            return Delivered(**json.loads(self.path.with_suffix(".json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Delivered()

    def save(self, delivered: Delivered) -> None:
        write_json(self.path.with_suffix(".json"), asdict(delivered))

    def pending(self) -> int:
        """Return the number of records that were not delivered."""
        return len(self.read(self.delivered.offset, limit=-1))


def journals(root: Path) -> Iterator[Journal]:
    """Yield the journals of a checkout's work folders, those of sweeps included, oldest first."""
    folders = ("work_dirs/*", "work_dirs/sweeps/*")
    paths = [path for folder in folders for path in root.glob(f"{folder}/{FOLDER}/*.jsonl")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        yield Journal(path)


def delivered_run(root: Path, checkpoint_sha256: str) -> str | None:
    """Return the id of the run that made a checkpoint here, once it was delivered.

    For a training that ended while the store was away, and so did not learn its run's id.
    """
    for journal in journals(root):
        tags = [record.get("tags", {}) for record in journal.records()]
        if any(each.get("esg.checkpoint_sha256") == checkpoint_sha256 for each in tags):
            return journal.delivered.run_id
    return None
