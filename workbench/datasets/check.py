"""Checks a data set on disk and reports everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.instances import InstanceReader, instance_faults
from workbench.datasets.load import open_split, read_manifest, split_entry
from workbench.datasets.manifest import count_entities, count_images, read_json
from workbench.datasets.panoptic import PanopticReader, panoptic_faults
from workbench.datasets.pictures import read_picture, upright_size
from workbench.datasets.schema import Finding
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file

Fault = BadInput | MissingInput


def check_dataset(manifest: Path) -> list[Finding]:
    """Check all splits: annotation files, every mask, and every picture by decoding it.

    Returns:
        All faults found, in the order of the manifest; empty for a sound data set.

    Raises:
        BadInput: The manifest itself is unusable.
        MissingInput: There is no manifest.
    """
    content = read_manifest(manifest)
    if not content["splits"]:
        return [Finding(str(manifest), "splits", "empty", "run the prep stage again")]
    found: list[Finding] = []
    for split in content["splits"]:
        found.extend(_finding(fault) for fault in _split_faults(content, manifest, split))
    return found


def _finding(fault: Fault) -> Finding:
    if isinstance(fault, MissingInput):
        return Finding(fault.path, "file", "not found", fault.fix)
    return Finding(fault.where, fault.field, fault.problem, fault.fix)


def _split_faults(content: dict[str, Any], manifest: Path, split: str) -> Iterator[Fault]:
    """Yield the faults of one split; its pictures only when its annotations can be trusted."""
    try:
        entry = split_entry(content, manifest, split)
        file = manifest.parent / content["root"] / entry["annotations"]
        annotations = read_json(file, "run the prep stage of this data set")
    except (BadInput, MissingInput) as fault:
        yield fault
        return
    yield from _manifest_faults(entry, annotations, manifest, split, file)
    panoptic = content["format"] == "coco_panoptic"
    structure = list((panoptic_faults if panoptic else instance_faults)(annotations, file))
    yield from structure
    if structure:
        return
    try:
        reader = open_split(content, manifest, split)
    except (BadInput, MissingInput) as fault:
        yield fault
        return
    for index in range(len(reader)):
        yield from reader.faults(index)
        yield from _picture_faults(reader, index, file)


def _manifest_faults(
    entry: dict[str, Any], annotations: dict[str, Any], manifest: Path, split: str, file: Path
) -> Iterator[BadInput]:
    """Yield where the annotation file is not the one that the manifest describes."""
    fix = "run the prep stage again, or restore the annotation file"
    found = {
        "num_images": count_images(annotations),
        "num_entities": count_entities(annotations),
        "sha256": sha256_file(file),
    }
    for key, value in found.items():
        if key in entry and entry[key] != value:
            problem = f"{entry[key]} but {file} has {value}"
            yield BadInput(manifest, f"splits.{split}.{key}", problem, fix)


def _picture_faults(
    reader: InstanceReader | PanopticReader, index: int, file: Path
) -> Iterator[BadInput]:
    """Yield whether a picture cannot be decoded or has another size than its record says."""
    try:
        path, size, field = reader.picture(index)
    except (BadInput, MissingInput):
        return
    try:
        read_picture(path)
        actual = upright_size(path)
    except BadInput as fault:
        yield fault
        return
    if actual != size:
        problem = f"{list(size)} (height, width) but {path} is {list(actual)}"
        yield BadInput(file, field, problem, "use the picture that was annotated")
