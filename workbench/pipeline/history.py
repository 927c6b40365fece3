"""Which files of a folder changed since ``dvc.lock`` recorded its hash.

DVC keeps the content of what stages write, not of what they read: of a folder of code the lock has
one hash of all. Git has the files; the newest commit in which the folder has that hash is searched.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

# Commits of a path that are looked at, newest first; of 40 files each takes some 15 ms.
MAX_COMMITS = 60
# Changed lines that are shown as they are; of more, only their number.
MAX_LINES = 4
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True)
class FileChange:
    """A file that changed.

    Attributes:
        path: Relative to the project's root.
        added: Lines that came.
        removed: Lines that went.
        lines: They, with + and - in front, where they are few; else empty.
    """

    path: str
    added: int
    removed: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path} (+{self.added} -{self.removed})"


@dataclass(frozen=True)
class Since:
    """What changed since a commit, uncommitted edits included."""

    commit: str
    files: tuple[FileChange, ...]


class History:
    """The git repository around a project; without one, nothing can be told.

    Args:
        root: The project.
        ignored: Whether DVC ignores a file, by its path relative to the root.
    """

    def __init__(self, root: Path, ignored: Callable[[str], bool]) -> None:
        self.root, self.ignored = root, ignored
        self.since = cache(self._since)
        self._digests: dict[str, str] = {}

    def _since(self, path: str, md5: str) -> Since | None:
        """Return what changed in a file or folder since it had an MD5 of DVC's.

        None where it cannot be told: no commit among the last has it so, as after a run with
        uncommitted edits.
        """
        log = self._git("log", "--format=%H", f"-n{MAX_COMMITS}", "--", path)
        for commit in log.decode().split():
            if self._hash_at(commit, path) == md5:
                return Since(commit, tuple(self._diff(commit, path)))
        return None

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what git prints; nothing if it fails."""
        command = ["git", "-C", str(self.root), "-c", "core.quotePath=false", *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, check=False)
        except OSError:
            return b""
        return done.stdout if done.returncode == 0 else b""

    def _hash_at(self, commit: str, path: str) -> str | None:
        """Return the hash that DVC would give a path as it was in a commit."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        listed = self._git("ls-tree", "-r", "-z", commit, "--", path).decode()
        files = {}
        for entry in filter(None, listed.split("\0")):
            about, _, name = entry.partition("\t")
            if not self.ignored(name):
                files[name] = about.split()[2]
        self._digest(blob for blob in files.values() if blob not in self._digests)
        if path in files:
            return self._digests[files[path]]
        tree: Any = Tree()  # type: ignore[no-untyped-call]
        for name, blob in files.items():
            parts = PurePosixPath(name).relative_to(path).parts
            tree.add(parts, None, HashInfo("md5", self._digests[blob]))
        tree.digest()
        return str(tree.hash_info.value) if files else None

    def _digest(self, blobs: Iterator[str]) -> None:
        """Note the MD5s of git's objects."""
        stream = self._git("cat-file", "--batch", given="\n".join(blobs).encode())
        while stream:
            head, _, rest = stream.partition(b"\n")
            blob, _, size = head.decode().split()
            self._digests[blob] = hashlib.md5(rest[: int(size)], usedforsecurity=False).hexdigest()
            stream = rest[int(size) + 1 :]

    def _diff(self, commit: str, path: str) -> Iterator[FileChange]:
        """Compare a path as it is in the working tree with a commit."""
        text = self._git("diff", "--no-color", "--no-ext-diff", "--no-renames", "-U0", commit,
                         "--", path).decode(errors="replace")  # fmt: skip
        for part in text.split("diff --git ")[1:]:
            name = part.partition("\n")[0].rpartition(" b/")[2]
            if not self.ignored(name):
                yield _file_change(name, part.splitlines())
        new = self._git("ls-files", "-z", "--others", "--exclude-standard", "--", path).decode()
        for name in filter(None, new.split("\0")):
            if not self.ignored(name):
                yield FileChange(name, len((self.root / name).read_bytes().splitlines()), 0, ())


def _file_change(name: str, lines: list[str]) -> FileChange:
    hunks = [match for line in lines if (match := _HUNK.match(line))]
    removed, added = (sum(int(hunk[side] or 1) for hunk in hunks) for side in (1, 2))
    few = added + removed <= MAX_LINES
    start = next((number for number, line in enumerate(lines) if _HUNK.match(line)), len(lines))
    shown = [line for line in lines[start:] if line[:1] in "+-"]
    return FileChange(name, added, removed, tuple(shown) if few else ())
