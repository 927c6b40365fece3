"""What the metrics of ``esg evaluate`` that are scored from files alone have in common.

A data set is named by a folder, by an annotation file, or by a manifest whose split has
``annotations`` (a file) and, where there are maps, ``masks`` (a folder).
"""

from __future__ import annotations

import reprlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.pictures import open_picture
from workbench.errors import BadInput
from workbench.scoring.kinds import FileScore
from workbench.scoring.records import read_json
from workbench.shards import Shard

PROGRESS_INTERVAL_S = 30
SEE = "see docs/predictions.md"
_GREY_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Located:
    """Where the annotations of a split are.

    Attributes:
        source: What was named: folder, annotation file or manifest.
        annotations: The annotation file, if one was named.
        masks: The folder of maps, if one was named.
        is_manifest: Whether ``source`` is a manifest.
    """

    source: Path
    annotations: Path | None = None
    masks: Path | None = None
    is_manifest: bool = False


class FileMetric(Protocol):
    """A family of numbers scored from files on disk.

    Attributes:
        metrics: Their names.
        units: Unit of each one that is not a fraction to be printed in percent.
        needs_predictions: Whether there is something to score beside the annotations.
    """

    metrics: tuple[str, ...]
    units: Mapping[str, str]
    needs_predictions: bool

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score what ``predictions`` holds, or the annotations themselves.

        Args:
            predictions: File or folder; None only where it is not needed.
            source: Folder, annotation file or manifest of the data set; see ``locate``.
            split: Of a manifest.
        """


@runtime_checkable
class SharedMetric(FileMetric, Protocol):
    """A family whose work several processes can share."""

    def score_in_ranks(
        self, predictions: Path | None, source: Path, split: str, shard: Shard
    ) -> FileScore:
        """Score as ``score`` does, reading the pictures of a shard; every process returns all."""


@dataclass
class Left:
    """Counts of what a score leaves out or fills in, and a sentence on each that is not 0."""

    counts: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def count(self, name: str, number: int, sentence: str) -> None:
        """Note a count; ``sentence`` has ``{}`` for it."""
        self.counts[name] = number
        if number:
            self.remarks.append(sentence.format(number))


def locate(source: Path, split: str) -> Located:
    """Find the annotations that a folder, an annotation file or a manifest means.

    Raises:
        MissingInput: It is not there.
        BadInput: Not JSON, or a manifest without the split or with something else than paths.
    """
    if source.is_dir():
        return Located(source)
    content = read_json(source, "give a folder, an annotation file or a manifest")
    if "splits" not in content:
        return Located(source, annotations=source)
    for key, kind in (("root", str), ("splits", dict)):
        if not isinstance(content.get(key), kind):
            raise BadInput(source, key, reprlib.repr(content.get(key)), "correct the manifest")
    entry = content["splits"].get(split)
    if not isinstance(entry, dict):
        fix = f"use one of: {', '.join(sorted(content['splits'])) or 'none'}"
        raise BadInput(source, f"splits.{split}", "unknown split", fix)
    root, paths = source.parent / content["root"], {}
    for key in ("annotations", "masks"):
        value = entry.get(key)
        if value is not None and not isinstance(value, str):
            raise BadInput(source, f"splits.{split}.{key}", repr(value), "give a path")
        paths[key] = None if value is None else root / value
    return Located(source, paths["annotations"], paths["masks"], is_manifest=True)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to (H, W) uint8 grey; colour is reduced to its luma, alpha is dropped.

    Raises:
        BadInput: Not a picture, or not of 8 bits or fewer a channel.
        MissingInput: No such file.
    """
    with open_picture(path) as picture:
        if picture.mode not in _GREY_MODES:
            raise BadInput(path, "picture", f"mode {picture.mode}", "give an 8-bit grey PNG")
        return np.asarray(picture.convert("L"))


def with_progress(items: Sequence[ItemT], what: str) -> Iterator[ItemT]:
    """Yield items; every 30 s say on standard error how many are done."""
    told = time.perf_counter()
    for number, item in enumerate(items):
        if time.perf_counter() - told > PROGRESS_INTERVAL_S:
            told = time.perf_counter()
            print(f"{number} of {len(items)} {what}", file=sys.stderr, flush=True)
        yield item


def check_fields(
    value: Any, kind: type | tuple[type, ...], keys: Iterable[str], path: Path, where: str
) -> None:
    """Refuse an object of a file whose fields are not all there and of a kind.

    Raises:
        BadInput: Not an object, or a field is missing or of another kind.
    """
    if not isinstance(value, dict):
        raise BadInput(path, where, "not an object", SEE)
    for key in keys:
        found = value.get(key)
        if isinstance(found, bool) or not isinstance(found, kind):
            problem = "missing" if key not in value else reprlib.repr(found)
            raise BadInput(path, f"{where}.{key}", problem, SEE)
