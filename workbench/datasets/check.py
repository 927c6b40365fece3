"""Checks a data set on disk and reports everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.datasets.catalogue import Size, Source
from workbench.datasets.load import open_reader, read_manifest, split_files
from workbench.datasets.manifest import reader_of
from workbench.datasets.narratives import read_narratives
from workbench.datasets.pictures import read_picture, upright_size
from workbench.datasets.reader import Fault, Reader, SplitFiles
from workbench.datasets.schema import Finding
from workbench.errors import BadInput, MissingInput


@dataclass(frozen=True)
class SplitReport:
    """What a check found in one split.

    Attributes:
        split: Its name.
        units: What it holds, e.g. {"images": 5000}; empty where it could not be opened.
        unusable: Items (pictures, videos) with at least one fault, None where it was not opened.
        findings: Faults and notes, in the order of the files.
    """

    split: str
    units: dict[str, int]
    unusable: int | None
    findings: tuple[Finding, ...]


def check_dataset(manifest: Path) -> list[Finding]:
    """Check all splits: annotation files, every mask, and every picture by decoding it.

    Returns:
        All faults found, in the order of the manifest; empty for a sound data set.

    Raises:
        BadInput: The manifest itself is unusable.
        MissingInput: There is no manifest.
    """
    found = [finding for report in inspect_dataset(manifest) for finding in report.findings]
    return [finding for finding in found if not finding.note]


def inspect_dataset(manifest: Path, source: Source | None = None) -> list[SplitReport]:
    """Check all splits and count what is in them.

    Args:
        manifest: File of the prep stage.
        source: The real data set whose published sizes must be met, if it is one.

    Raises:
        BadInput: The manifest itself is unusable.
        MissingInput: There is no manifest.
    """
    content = read_manifest(manifest)
    if not content["splits"]:
        empty = Finding(str(manifest), "splits", "empty", "run the prep stage again")
        return [SplitReport("", {}, None, (empty,))]
    return [_inspect_split(content, manifest, split, source) for split in content["splits"]]


def _inspect_split(
    content: dict[str, Any], manifest: Path, split: str, source: Source | None
) -> SplitReport:
    """Check one split; its pictures only when its annotations can be trusted."""
    try:
        files = split_files(content, manifest, split)
        kind = reader_of(content["format"], files.entry, manifest, f"splits.{split}")
        faults = [*_manifest_faults(kind, files), *kind.structure_faults(files)]
        findings = [_finding(fault) for fault in faults]
        if any(fault.where != str(manifest) for fault in faults if isinstance(fault, BadInput)):
            return SplitReport(split, {}, None, tuple(findings))
        reader = open_reader(content, manifest, split)
    except (BadInput, MissingInput) as fault:
        return SplitReport(split, {}, None, (_finding(fault),))
    unusable = 0
    for index in range(len(reader)):
        faults = [*reader.faults(index), *_picture_faults(reader, index)]
        unusable += bool(faults)
        findings += [_finding(fault) for fault in faults]
    findings += [_finding(note, note=True) for note in reader.notes()]
    units = dict(reader.units())
    findings += _narrative_findings(files, units)
    if source is not None:
        sizes = source.splits.get(split, ())
        findings += [f for size in sizes for f in _size_finding(size, units, manifest, split)]
    return SplitReport(split, units, unusable, tuple(findings))


def _finding(fault: Fault, *, note: bool = False) -> Finding:
    if isinstance(fault, MissingInput):
        return Finding(fault.path, "file", "not found", fault.fix, note)
    return Finding(fault.where, fault.field, fault.problem, fault.fix, note)


def _manifest_faults(kind: type[Reader], files: SplitFiles) -> Iterator[BadInput]:
    """Yield where the annotations are not the ones that the manifest describes."""
    fix = "run the prep stage again, or restore the annotation file"
    for key, value in kind.counts(files).items():
        if key in files.entry and files.entry[key] != value:
            place = files.root / (files.entry.get("annotations") or "")
            problem = f"{files.entry[key]} but {place} has {value}"
            yield BadInput(files.where, f"splits.{files.split}.{key}", problem, fix)


def _picture_faults(reader: Reader, index: int) -> Iterator[Fault]:
    """Yield whether a picture cannot be decoded or has another size than its record says."""
    try:
        pictures = list(reader.pictures(index))
    except (BadInput, MissingInput):
        return  # the reader's own faults say so
    for path, size, field in pictures:
        try:
            read_picture(path)
            actual = upright_size(path)
        except (BadInput, MissingInput) as fault:
            yield fault
            continue
        if actual != size:
            problem = f"{list(size)} (height, width) but {path} is {list(actual)}"
            fix = "use the picture that was annotated"
            yield BadInput(reader.where, field, problem, fix)


def _narrative_findings(files: SplitFiles, units: dict[str, int]) -> list[Finding]:
    """Check a split's narratives, if it has some, and count them."""
    name = files.entry.get("narratives")
    if not isinstance(name, str):
        return []
    try:
        units["narratives"] = len(read_narratives(files.root / name))
    except (BadInput, MissingInput) as fault:
        return [_finding(fault)]
    return []


def _size_finding(
    size: Size, units: dict[str, int], manifest: Path, split: str
) -> Iterator[Finding]:
    """Yield whether a count differs from the published one."""
    count = units.get(size.unit)
    if count is None or size.least <= count <= size.most:
        return
    problem = f"{count:,} {size.unit} instead of {size}"
    fix = "get the release whole" if size.sure else "compare with the release's own description"
    yield Finding(str(manifest), f"splits.{split}", problem, fix, note=not size.sure)
