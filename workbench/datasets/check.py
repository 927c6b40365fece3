"""Checks a data set on disk and reports everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
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

Tell = Callable[[str, int, int], None]


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


def inspect_dataset(
    manifest: Path, source: Source | None = None, tell: Tell = lambda *_: None
) -> list[SplitReport]:
    """Check all splits and count what is in them.

    Args:
        manifest: File of the prep stage.
        source: The real data set whose published sizes must be met, if it is one.
        tell: Called with split, items checked and items in all, after each item.

    Raises:
        BadInput: The manifest itself is unusable.
        MissingInput: There is no manifest.
    """
    content = read_manifest(manifest)
    if not content["splits"]:
        empty = Finding(str(manifest), "splits", "empty", "run the prep stage again")
        return [SplitReport("", {}, None, (empty,))]
    reports = [_inspect_split(content, manifest, split, tell) for split in content["splits"]]
    if source is None:
        return reports
    sized = [
        _with_sizes(report, source.splits.get(report.split, ()), manifest) for report in reports
    ]
    totals = tuple(_total_findings(sized, source, manifest))
    return sized[:-1] + [replace(sized[-1], findings=sized[-1].findings + totals)]


def _inspect_split(content: dict[str, Any], manifest: Path, split: str, tell: Tell) -> SplitReport:
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
        tell(split, index + 1, len(reader))
    findings += [_finding(note, note=True) for note in reader.notes()]
    units = dict(reader.units())
    findings += _narrative_findings(files, units)
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


def _with_sizes(report: SplitReport, sizes: Iterable[Size], manifest: Path) -> SplitReport:
    """Add where a split's counts differ from the published ones."""
    found = [f for s in sizes for f in _size_finding(s, report.units, manifest, report.split)]
    return replace(report, findings=(*report.findings, *found))


def _total_findings(
    reports: list[SplitReport], source: Source, manifest: Path
) -> Iterator[Finding]:
    """Yield where splits together have other counts than the published ones."""
    units = {report.split: report.units for report in reports if report.units}
    for splits, sizes in source.totals.items():
        if set(splits) <= set(units):
            for size in sizes:
                total = {size.unit: sum(units[split].get(size.unit, 0) for split in splits)}
                yield from _size_finding(size, total, manifest, "+".join(splits))


def _size_finding(
    size: Size, units: dict[str, int], manifest: Path, split: str
) -> Iterator[Finding]:
    """Yield whether a count differs from the published one."""
    count = units.get(size.unit)
    if count is None or size.least <= count <= size.most:
        return
    problem = f"{count:,} {size.unit} instead of {size}"
    fix = "get the release whole"
    if not size.sure:
        fix += ", or correct workbench/datasets/catalogue.py where the release says otherwise"
    # Releases list more classes than a task uses; pictures must be all there.
    note = not size.sure and size.unit == "categories"
    yield Finding(str(manifest), f"splits.{split}", problem, fix, note)
