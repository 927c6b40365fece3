"""One object a picture, drawn as a binary mask: DIS5K and FSS-1000."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from workbench.datasets.paired import (
    OBJECT,
    Labels,
    Pair,
    PairedReader,
    names_by_stem,
    pairs_by_stem,
    read_lines,
)
from workbench.datasets.reader import SplitFiles
from workbench.datasets.schema import Category
from workbench.errors import BadInput


class BinaryMaskReader(PairedReader):
    """DIS5K: ``im/NAME.jpg`` beside ``gt/NAME.png``, 8 bits.

    A mask of 0 and 1 is read as 0 and 255. Foreground is what the measures of this task take for
    it, values above 128; a mask without any gives a record without entities.

    Source: DIS5K's folders and loader; SOCToolbox (threshold).
    """

    threshold: ClassVar[int] = 128

    @classmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        return pairs_by_stem(files.folder("images"), files.folder("masks"))

    def entities(self, labels: Labels, pair: Pair) -> tuple[Labels, list[int], list[int]]:
        if labels.max() > 255:
            raise ValueError(f"{labels.max()} is above 255")
        bright = labels * 255 if labels.max() == 1 else labels
        inside = (bright > self.threshold).astype(labels.dtype)
        return (inside, [1], [pair.category_id]) if inside.any() else (inside, [], [])

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        return {"images": f"{split}/im", "masks": f"{split}/gt"}


class FewShotReader(BinaryMaskReader):
    """FSS-1000: ``CLASS/1.jpg`` beside ``CLASS/1.png``; a list of classes makes a split.

    The list is the entry's ``annotations``, one class a line; without it all classes are read.

    Source: FSS-1000's folders and test list; binarised above 127.
    """

    needs = ("images",)
    folders = ("images",)
    threshold = 127

    def __init__(self, files: SplitFiles) -> None:
        super().__init__(_one_folder(files))

    @classmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        names = names_by_stem(files.folder("images"), (".jpg", ".jpeg"))
        maps = names_by_stem(files.folder("images"), (".png",))
        number = {name: at for at, name in enumerate(cls._classes(files), start=1)}
        found = []
        for stem in sorted(names.keys() | maps.keys()):
            category = stem.split("/")[0]
            if category in number:
                jpeg, png = names.get(stem, f"{stem}.jpg"), maps.get(stem, f"{stem}.png")
                found.append(Pair(stem, jpeg, png, number[category]))
        return found

    @classmethod
    def _classes(cls, files: SplitFiles) -> list[str]:
        """Return the split's classes in alphabetical order."""
        root = files.folder("images").root
        if not files.entry.get("annotations"):
            return sorted(path.name for path in root.iterdir() if path.is_dir())
        listed = read_lines(files.file())
        for name in listed:
            if "/" in name or "\\" in name or name == "..":
                fix = "use a class of the data set"
                raise BadInput(files.file(), "class", f"{name!r} is no folder's name", fix)
            if not (root / name).is_dir():
                fix = "get the class or take it off the list"
                raise BadInput(files.file(), "class", f"{name!r} has no folder in {root}", fix)
        return sorted(set(listed))

    @classmethod
    def categories_of(cls, files: SplitFiles) -> tuple[Category, ...]:
        names = enumerate(cls._classes(files), start=OBJECT.category_id)
        return tuple(Category(number, name, True) for number, name in names)

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        if split not in ("test", "all"):
            raise BadInput("prep", f"splits.{split}", "unknown split", "use test or all")
        listed = "fss_test_set.txt" if split == "test" else None
        return {"annotations": listed, "images": "fewshot_data"}


def _one_folder(files: SplitFiles) -> SplitFiles:
    """Return the split with its masks where its pictures are."""
    entry = {**files.entry, "masks": files.entry["images"]}
    return SplitFiles(files.root, entry, files.where, files.split)
