"""Segmentation in the Wild (SGinW): 25 small sets, each with a vocabulary of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.instances import InstanceReader
from workbench.datasets.reader import Fault, SplitFiles
from workbench.errors import BadInput

ANNOTATIONS = "_annotations_min1cat.coco.json"
FOLDERS = ("train", "train_10shot", "valid")

# Names as published, misspellings too: they are the prompts.
# Source: microsoft/X-Decoder, branch seginw.
SETS: dict[str, tuple[str, ...]] = {
    "Airplane-Parts": ("Airplane", "Body", "Cockpit", "Engine", "Wing"),
    "Bottles": ("bottle", "can", "label"),
    "Brain-Tumor": ("tumor",),
    "Chicken": ("chicken",),
    "Cows": ("cow",),
    "Electric-Shaver": ("caorau",),
    "Elephants": ("elephant",),
    "Fruits": ("apple", "lemon", "orange", "pear", "strawberry"),
    "Garbage": ("bin", "garbage", "pavement", "road"),
    "Ginger-Garlic": ("garlic", "ginger"),
    "Hand": ("Hand-Segmentation", "hand"),
    "Hand-Metal": ("hand", "metal"),
    "House-Parts": (
        *("aluminium door", "aluminium window", "cellar window", "mint cond roof", "plaster"),
        *("plastic door", "plastic window", "plate fascade", "wooden door", "wooden fascade"),
        *("wooden window", "worn cond roof"),
    ),
    "HouseHold-Items": ("bottle", "mouse", "perfume", "phone"),
    "Nutterfly-Squireel": ("butterfly", "squirrel"),
    "Phones": ("phone",),
    "Poles": ("poles",),
    "Puppies": ("puppy",),
    "Rail": ("rail",),
    "Salmon-Fillet": ("Salmon_fillet",),
    "Strawberry": ("R_strawberry", "people"),
    "Tablets": ("tablets",),
    "Toolkits": (
        *("Allen-key", "block", "gasket", "plier", "prism", "screw", "screwdriver", "wrench"),
    ),
    "Trash": (
        *("Aluminium foil", "Cigarette", "Clear plastic bottle", "Corrugated carton"),
        *("Disposable plastic cup", "Drink Can", "Egg Carton", "Foam cup", "Food Can"),
        *("Garbage bag", "Glass bottle", "Glass cup", "Metal bottle cap", "Other carton"),
        *("Other plastic bottle", "Paper cup", "Plastic bag - wrapper", "Plastic bottle cap"),
        *("Plastic lid", "Plastic straw", "Pop tab", "Styrofoam piece"),
    ),
    "Watermelon": ("watermelon",),
}


class SginwReader(InstanceReader):
    """Makes entity records of one folder of one of the 25 sets; its split is named SET_FOLDER."""

    def __init__(self, files: SplitFiles) -> None:
        self._set = files.split.partition("_")[0]
        super().__init__(files)

    def notes(self) -> Iterator[Fault]:
        yield from super().notes()
        names = {category.name for category in self.categories}
        published = set(SETS.get(self._set, names))
        for problem, some in (("lacks", published - names), ("adds", names - published)):
            if some:
                found = f"{problem} {', '.join(sorted(some))}"
                yield BadInput(self._file, "categories", found, "the prompts are the file's names")

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        name, _, folder = split.partition("_")
        if name not in SETS or folder not in FOLDERS:
            fix = f"use SET_FOLDER, of {', '.join(SETS)} and of {', '.join(FOLDERS)}"
            raise BadInput("prep", f"splits.{split}", "unknown split", fix)
        images = f"{name}/{folder}"
        return {"annotations": f"{images}/{ANNOTATIONS}", "images": images}
