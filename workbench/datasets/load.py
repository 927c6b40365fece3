"""Opens a split of a data set by its manifest, whatever the on-disk format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.datasets.images import ImageFolder
from workbench.datasets.instances import InstanceReader
from workbench.datasets.manifest import FORMATS, read_json
from workbench.datasets.panoptic import PanopticReader
from workbench.datasets.schema import EntityDataset
from workbench.errors import BadInput, MissingInput


def load_entities(manifest: Path, split: str) -> EntityDataset:
    """Open one split; masks are read and checked picture by picture, on access.

    Raises:
        BadInput: Unknown format or split, or a broken annotation file.
        MissingInput: The manifest, annotations or a folder is not there.
    """
    content = read_manifest(manifest)
    reader = open_split(content, manifest, split)
    return EntityDataset(content["name"], split, range(len(reader)), reader, reader.categories)


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
    needed = ["annotations", "images"] + ["masks"] * (content["format"] == "coco_panoptic")
    for key in needed:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
            raise BadInput(manifest, f"splits.{split}.{key}", "missing", "run the prep stage again")
    return entry


def open_split(
    content: dict[str, Any], manifest: Path, split: str
) -> InstanceReader | PanopticReader:
    """Open the reader of a split of a checked manifest.

    Raises:
        BadInput: Unknown split or broken annotation file.
        MissingInput: The annotations or a folder is not there.
    """
    entry = split_entry(content, manifest, split)
    root = manifest.parent / content["root"]
    folder = _folder(root / entry["images"], manifest, split)
    if content["format"] == "coco_panoptic":
        masks = _folder(root / entry["masks"], manifest, split)
        return PanopticReader(root / entry["annotations"], folder, masks)
    return InstanceReader(root / entry["annotations"], folder)


def _folder(path: Path, manifest: Path, split: str) -> ImageFolder:
    if not path.is_dir():
        raise MissingInput(path, f"a folder of split {split} of {manifest}; get the data set whole")
    return ImageFolder(path)
