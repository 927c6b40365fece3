"""Manifests: the file that says where a data set's annotations and pictures are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file

FORMATS = ("entityseg", "coco_panoptic", "coco_instances")

_ENTITYSEG_SPLIT = re.compile(r"^(train|val)(_0[123])?(_lr)?$")
_ENTITYSEG_FOLDERS = {
    "_01": "entity_01_11580",
    "_02": "entity_02_11598",
    "_03": "entity_03_10049",
}
_ANNOTATION_FOLDERS = ("annotations/entity_segmentation", "annotations", ".")


def read_json(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MissingInput: No such file.
        BadInput: Truncated, not JSON, not UTF-8 or not an object.
    """
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        value = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        found = str(error) or "empty"
        raise BadInput(path, "JSON", found, "the file is damaged; get it again") from error
    if not isinstance(value, dict):
        raise BadInput(path, "top level", f"{type(value).__name__}, not an object", "get it again")
    return value


def count_entities(content: dict[str, Any]) -> int:
    """Return the annotations of an instance file or the segments of a panoptic one."""
    total = 0
    for item in _list(content, "annotations"):
        segments = item.get("segments_info") if isinstance(item, dict) else None
        total += len(segments) if isinstance(segments, list) else 1
    return total


def count_images(content: dict[str, Any]) -> int:
    """Return the image records of an annotation file."""
    return len(_list(content, "images"))


def _list(content: dict[str, Any], key: str) -> list[Any]:
    """Return a list of a file that may not have been checked yet."""
    value = content.get(key)
    return value if isinstance(value, list) else []


def manifest_entry(root: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a split's entry with the counts and hash of its annotation file.

    Args:
        root: Folder that the entry's paths are relative to.
        entry: ``annotations``, ``images`` and ``masks``.
    """
    path = root / entry["annotations"]
    content = read_json(path, "put the annotation file there")
    narratives = entry.get("narratives")
    found = {"narratives": narratives} if narratives else {}
    if narratives:
        if not (root / narratives).is_file():
            raise MissingInput(root / narratives, "put the narratives there")
        found["narratives_sha256"] = sha256_file(root / narratives)
    return {
        **found,
        "annotations": entry["annotations"],
        "images": entry["images"],
        "masks": entry.get("masks"),
        "num_images": count_images(content),
        "num_entities": count_entities(content),
        "sha256": sha256_file(path),
    }


def build_manifest(
    root: Path,
    format: str,
    splits: Iterable[str] | Mapping[str, Mapping[str, Any]],
    name: str | None = None,
) -> dict[str, Any]:
    """Describe a data set that is already on disk.

    Args:
        root: Its folder.
        format: One of ``FORMATS``.
        splits: Names, to be found where the real data set keeps them, or a mapping from name to
            ``annotations``, ``images``, ``masks`` (relative to ``root``) and, optionally,
            ``num_images``, the number that must be found.
        name: Name of the data set; by default its folder's.

    Returns:
        The manifest, with ``root`` as an absolute path.

    Raises:
        BadInput: Unknown format or split, a path is not given, or another number of images.
        MissingInput: A file or folder is not there.
    """
    if format not in FORMATS:
        raise BadInput("prep", "format", repr(format), f"use one of: {', '.join(FORMATS)}")
    if not root.is_dir():
        raise MissingInput(root, "set data_root to the folder of the data sets")
    given = splits if isinstance(splits, Mapping) else {split: {} for split in splits}
    where = root.resolve()
    entries = {split: _split_entry(where, format, split, paths) for split, paths in given.items()}
    return {"name": name or where.name, "format": format, "root": str(where), "splits": entries}


def _split_entry(root: Path, format: str, split: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    """Describe one split, at the given paths or else at the usual ones."""
    entry = dict(paths) if paths else _default_entry(root, format, split)
    for key in ("annotations", "images") + ("masks",) * (format == "coco_panoptic"):
        if not isinstance(entry.get(key), str):
            raise BadInput("prep", f"splits.{split}.{key}", "missing", "give a relative path")
        if key != "annotations" and not (root / entry[key]).is_dir():
            raise MissingInput(root / entry[key], f"folder of the {key} of split {split}")
    found = manifest_entry(root, entry)
    _assert_count(root, split, entry, found)
    return found


def _assert_count(
    root: Path, split: str, expected: Mapping[str, Any], entry: Mapping[str, Any]
) -> None:
    """Refuse an annotation file with another number of images than was configured."""
    count = expected.get("num_images")
    if count is not None and count != entry["num_images"]:
        found = f"{entry['num_images']} images instead of {count}"
        fix = f"get the release's file or correct splits.{split}.num_images"
        raise BadInput(root / entry["annotations"], "images", found, fix)


def _default_entry(root: Path, format: str, split: str) -> dict[str, Any]:
    """Return where the real data set keeps a split."""
    if format == "entityseg":
        return _entityseg_entry(root, split)
    if split not in ("train", "val"):
        raise BadInput("prep", f"splits.{split}", "unknown split", "use train or val")
    kind = "panoptic" if format == "coco_panoptic" else "instances"
    return {
        "annotations": f"annotations/{kind}_{split}2017.json",
        "images": f"{split}2017",
        "masks": f"panoptic_{split}2017" if kind == "panoptic" else None,
    }


def _entityseg_entry(root: Path, split: str) -> dict[str, Any]:
    """Find a split of EntitySeg under either of the two naming schemes of its files."""
    match = _ENTITYSEG_SPLIT.match(split)
    if match is None:
        fix = "use train, val, train_01 to val_03, train_lr or val_lr"
        raise BadInput("prep", f"splits.{split}", "unknown split", fix)
    part, number, low = match[1], match[2] or "", match[3] or ""
    names = (
        f"entityv2{number or '_010203'}_entity_{part}{low}.json",
        f"entityseg_{part}{number}{low}.json",
    )
    images = f"images{low}"
    if number and (root / images / _ENTITYSEG_FOLDERS[number]).is_dir():
        images = f"{images}/{_ENTITYSEG_FOLDERS[number]}"
    for folder in _ANNOTATION_FOLDERS:
        for name in names:
            if (root / folder / name).is_file():
                path = name if folder == "." else f"{folder}/{name}"
                return {"annotations": path, "images": images, "masks": None}
    raise MissingInput(
        root / _ANNOTATION_FOLDERS[0] / names[0], f"nor is {names[1]}; get EntitySeg"
    )
