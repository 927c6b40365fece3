"""Opens a split of a data set by its manifest, whatever the on-disk format."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from workbench.datasets.formats import FORMATS
from workbench.datasets.json_files import read_json
from workbench.datasets.manifest import reader_of
from workbench.datasets.reader import EntityReader, Reader, SplitFiles
from workbench.datasets.referring import ReferringDataset, ReferringReader
from workbench.datasets.schema import EntityDataset
from workbench.datasets.video import VideoDataset, VideoReader
from workbench.errors import BadInput

logger = logging.getLogger(__name__)


def load_entities(manifest: Path, split: str) -> EntityDataset:
    """Open one split; masks are read and checked picture by picture, on access.

    Raises:
        BadInput: Unknown format or split, or a broken annotation file.
        MissingInput: The manifest, annotations or a folder is not there.
    """
    content = read_manifest(manifest)
    reader = open_split(content, manifest, split)
    for note in reader.notes():
        logger.warning("%s", note)
    return EntityDataset(content["name"], split, range(len(reader)), reader, reader.categories)


def load_referring(manifest: Path, split: str) -> ReferringDataset:
    """Open one split of referring expressions; masks are made and checked on access.

    Raises:
        BadInput: Unknown format or split, broken annotations, or records of another kind.
        MissingInput: The manifest, annotations or a folder is not there.
    """
    content = read_manifest(manifest)
    reader = open_reader(content, manifest, split)
    if not isinstance(reader, ReferringReader):
        fix = "use a split of RefCOCO's or ReasonSeg's form"
        raise BadInput(manifest, f"splits.{split}", "its records are not expressions", fix)
    return ReferringDataset(content["name"], split, range(len(reader)), reader)


def load_videos(manifest: Path, split: str) -> VideoDataset:
    """Open one split of videos; masks are made and checked video by video, on access.

    Raises:
        BadInput: Unknown format or split, broken annotations, or records of another kind.
        MissingInput: The manifest, annotations or a folder is not there.
    """
    content = read_manifest(manifest)
    reader = open_reader(content, manifest, split)
    if not isinstance(reader, VideoReader):
        fix = "use a split of YouTube-VIS's, UVO's or VIPSeg's form"
        raise BadInput(manifest, f"splits.{split}", "its records are not videos", fix)
    return VideoDataset(
        content["name"], split, range(len(reader)), reader, reader.categories, reader.annotated
    )


def read_manifest(manifest: Path) -> dict[str, Any]:
    """Read a manifest and check all but its splits' entries.

    Raises:
        BadInput: A field is missing or the format unknown.
        MissingInput: No such file.
    """
    content = read_json(manifest, "run the prep stage of this data set")
    for key, kind in (("name", str), ("format", str), ("root", str), ("splits", dict)):
        if not isinstance(content.get(key), kind):
            raise BadInput(manifest, key, repr(content.get(key)), "run the prep stage again")
    if content["format"] not in FORMATS:
        fix = f"use one of: {', '.join(FORMATS)}"
        raise BadInput(manifest, "format", repr(content["format"]), fix)
    return content


def split_entry(content: dict[str, Any], manifest: Path, split: str) -> dict[str, Any]:
    """Return a split's checked entry.

    Raises:
        BadInput: The split is unknown or its entry lacks a path.
    """
    splits = content["splits"]
    if split not in splits:
        fix = f"use one of: {', '.join(sorted(splits)) or 'none'}"
        raise BadInput(manifest, f"splits.{split}", "unknown split", fix)
    entry = splits[split]
    if not isinstance(entry, dict):
        fix = "run the prep stage again"
        raise BadInput(manifest, f"splits.{split}.annotations", "missing", fix)
    for key in reader_of(content["format"], entry, manifest, f"splits.{split}").needs:
        if not isinstance(entry.get(key), str):
            raise BadInput(manifest, f"splits.{split}.{key}", "missing", "run the prep stage again")
    return entry


def split_files(content: dict[str, Any], manifest: Path, split: str) -> SplitFiles:
    """Return the files of a split of a checked manifest.

    Raises:
        BadInput: The split is unknown or its entry lacks a path.
    """
    entry = split_entry(content, manifest, split)
    return SplitFiles(manifest.parent / content["root"], entry, manifest, split)


def open_reader(content: dict[str, Any], manifest: Path, split: str) -> Reader:
    """Open the reader of a split of a checked manifest, whatever its records are.

    Raises:
        BadInput: Unknown split or broken annotation file.
        MissingInput: The annotations or a folder is not there.
    """
    files = split_files(content, manifest, split)
    return reader_of(content["format"], files.entry, manifest, f"splits.{split}")(files)


def open_split(content: dict[str, Any], manifest: Path, split: str) -> EntityReader:
    """Open a split whose records are pictures with entities.

    Raises:
        BadInput: Unknown split, broken annotation file, or records of another kind.
        MissingInput: The annotations or a folder is not there.
    """
    reader = open_reader(content, manifest, split)
    if not isinstance(reader, EntityReader):
        fix = "use a split of pictures with entities"
        raise BadInput(manifest, f"splits.{split}", "its records are not entities", fix)
    return reader
