"""Manifests: the file that says where a data set's annotations and pictures are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench.datasets.formats import FORMATS
from workbench.datasets.reader import Reader, SplitFiles
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file


def manifest_entry(root: Path, format: str, entry: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Complete a split's entry with the counts and hash of its annotations.

    Args:
        root: Folder that the entry's paths are relative to.
        format: On-disk form of the data set; the entry's own ``format`` goes before it.
        entry: ``annotations``, ``images``, ``masks`` and what else the form needs.
        split: Name of the split.
    """
    reader = FORMATS[entry.get("format", format)]
    narratives = entry.get("narratives")
    found = {"narratives": narratives} if narratives else {}
    if narratives:
        if not (root / narratives).is_file():
            raise MissingInput(root / narratives, "put the narratives there")
        found["narratives_sha256"] = sha256_file(root / narratives)
    usual = {key: entry.get(key) for key in ("annotations", "images", "masks")}
    more = {
        key: entry[key]
        for key in ("format", *reader.needs, *reader.options)
        if key not in usual and key in entry
    }
    counts = reader.counts(SplitFiles(root, entry, root, split))
    return {**found, **usual, **more, **counts}


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
    reader = reader_of(format, paths, "prep", f"splits.{split}")
    given = {key: _first_there(root, value) for key, value in paths.items()}
    if isinstance(paths.get("images"), list) and "masks" in reader.needs:
        given["images"] = _fitting_folder(root, reader, given, paths["images"])
    entry = given if set(given) - {"format"} else {**reader.place(root, split), **given}
    for key in reader.needs:
        if not isinstance(entry.get(key), str):
            raise BadInput("prep", f"splits.{split}.{key}", "missing", "give a relative path")
        if key in reader.folders and not (root / entry[key]).is_dir():
            raise MissingInput(root / entry[key], f"folder of the {key} of split {split}")
    found = manifest_entry(root, format, entry, split)
    _assert_count(root, split, entry, found)
    return found


def _first_there(root: Path, value: Any) -> Any:
    """Return the first of several alternative paths that exists, else the first."""
    if not isinstance(value, list) or not value:
        return value
    there = [path for path in value if isinstance(path, str) and (root / path).exists()]
    return (there or value)[0]


def _fitting_folder(
    root: Path, reader: type[Reader], entry: Mapping[str, Any], choices: list[Any]
) -> Any:
    """Return the first folder whose first picture is of its map's size, else the first there.

    EntitySeg's released maps are of the size of ``images_lr``, its reference code reads ``images``.
    """
    there = [path for path in choices if isinstance(path, str) and (root / path).is_dir()]
    for path in there if len(there) > 1 else ():
        files = SplitFiles(root, {**entry, "images": path}, root, "described")
        try:
            if not list(reader(files).faults(0)):
                return path
        except (BadInput, MissingInput):
            continue
    return (there or choices)[0]


def reader_of(format: str, entry: Mapping[str, Any], where: str | Path, field: str) -> type[Reader]:
    """Return the reader of a split: of its own ``format``, else of its data set's.

    Raises:
        BadInput: Unknown format.
    """
    own = entry.get("format", format)
    if own not in FORMATS:
        raise BadInput(where, f"{field}.format", repr(own), f"use one of: {', '.join(FORMATS)}")
    return FORMATS[own]


def _assert_count(
    root: Path, split: str, expected: Mapping[str, Any], entry: Mapping[str, Any]
) -> None:
    """Refuse an annotation file with another number of images than was configured."""
    count = expected.get("num_images")
    if count is not None and count != entry["num_images"]:
        found = f"{entry['num_images']} images instead of {count}"
        fix = f"get the release's file or correct splits.{split}.num_images"
        raise BadInput(root / (entry["annotations"] or ""), "images", found, fix)
