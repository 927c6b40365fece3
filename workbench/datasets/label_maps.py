"""Maps of instances or classes: OCID, per-image instance PNGs, semantic segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.datasets.paired import (
    OBJECT,
    Labels,
    Pair,
    PairedReader,
    pairs_by_stem,
    read_lines,
    values_of,
)
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.schema import Category
from workbench.errors import BadInput

BACKGROUND = 0


class InstanceMapReader(PairedReader):
    """A PNG of instance ids beside each picture of equal name; 0 is background.

    ``annotations``, where given, lists the names (without suffix) of the split, one a line.
    """

    @classmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        found = pairs_by_stem(files.folder("images"), files.folder("masks"))
        if not files.entry.get("annotations"):
            return found
        known = {pair.image_id: pair for pair in found}
        return [
            known.get(name, Pair(name, f"{name}.jpg", f"{name}.png"))
            for name in read_lines(files.file())
        ]

    def entities(self, labels: Labels, pair: Pair) -> tuple[Labels, list[int], list[int]]:
        ids = [value for value in values_of(labels) if value != BACKGROUND]
        return labels, ids, [pair.category_id] * len(ids)


class OcidReader(PairedReader):
    """OCID: ``.../seqNN/label/NAME.png`` of instance ids beside ``.../seqNN/rgb/NAME.png``.

    Id 1 is background, and so is 2 of scenes on a table (the floor below it); every other id is
    one object.

    Source: NVlabs/UnseenObjectClustering, lib/datasets/ocid_object.py (rule of ids).
    """

    needs = ("images",)
    folders = ("images",)

    def __init__(self, files: SplitFiles) -> None:
        entry = {**files.entry, "masks": files.entry["images"]}
        super().__init__(SplitFiles(files.root, entry, files.where, files.split))

    @classmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        root = files.folder("images").root
        scenes: dict[str, Pair] = {}
        for kind in ("rgb", "label"):
            for path in sorted(root.glob(f"**/seq*/{kind}/*.png")):
                inner = PurePosixPath(path.relative_to(root).as_posix())
                scene = inner.parent.parent
                key = (scene / inner.stem).as_posix()
                rgb, label = ((scene / part / inner.name).as_posix() for part in ("rgb", "label"))
                scenes.setdefault(key, Pair(key, rgb, label))
        return [scenes[key] for key in sorted(scenes)]

    def entities(self, labels: Labels, pair: Pair) -> tuple[Labels, list[int], list[int]]:
        background = {BACKGROUND, 1} | ({2} if "table" in pair.labels else set())
        ids = [value for value in values_of(labels) if value not in background]
        return labels, ids, [OBJECT.category_id] * len(ids)

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        return {"images": "OCID-dataset" if (root / "OCID-dataset").is_dir() else "."}


class SemanticMapReader(PairedReader):
    """A PNG of class numbers beside each picture: one entity a class that is seen.

    The entry says which values are classes: ``classes`` of them from ``first`` on; ``ignore`` is
    void and anything else a fault. Category ids are the values as stored. ``annotations``, where
    given, is a list of "PICTURE MAP" lines, else files of equal name are paired. ``names``, where
    given, is a table with the class names in its last column, below a header, in order.

    Source: EntitySeg's release (0-149, 255 void, lists), ADE20K's challenge (1-150, 0 void,
    objectInfo150.txt).
    """

    needs = ("images", "masks")
    options = ("first", "classes", "ignore", "names")

    def __init__(self, files: SplitFiles) -> None:
        super().__init__(files)
        first, count = files.entry["first"], files.entry["classes"]
        self._values = range(first, first + count)
        self._ignore = files.entry["ignore"]

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        for key in ("first", "classes", "ignore"):
            value = files.entry.get(key)
            if type(value) is not int or not (key == "classes") <= value < 1 << 16:
                fix = "give a whole number below 65,536"
                yield BadInput(files.where, f"splits.{files.split}.{key}", repr(value), fix)
                return
        yield from super().structure_faults(files)

    @classmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        if not files.entry.get("annotations"):
            return pairs_by_stem(files.folder("images"), files.folder("masks"))
        found = []
        for at, line in enumerate(read_lines(files.file()), start=1):
            names = line.rsplit(" ", 1)
            if len(names) != 2:
                fix = "give the names of picture and map, with a space between them"
                raise BadInput(files.file(), f"line {at}", repr(line), fix)
            key = PurePosixPath(names[0]).with_suffix("").as_posix()
            found.append(Pair(key, names[0], names[1], listed=True))
        return found

    def entities(self, labels: Labels, pair: Pair) -> tuple[Labels, list[int], list[int]]:
        values = [value for value in values_of(labels) if value != self._ignore]
        for value in values:
            if value not in self._values:
                ends = f"{self._values[0]} to {self._values[-1]}"
                raise ValueError(f"{value} is none of {ends}, nor {self._ignore} for void")
        return labels, values, values

    @classmethod
    def categories_of(cls, files: SplitFiles) -> tuple[Category, ...]:
        first, count = files.entry["first"], files.entry["classes"]
        names = [str(value) for value in range(first, first + count)]
        if files.entry.get("names"):
            rows = read_lines(files.file("names"))[1:]
            if len(rows) != count:
                found = f"{len(rows)} classes instead of {count}"
                raise BadInput(files.file("names"), "rows", found, "use the release's table")
            names = [row.split("\t")[-1].strip() for row in rows]
        return tuple(Category(first + at, name, True) for at, name in enumerate(names))
