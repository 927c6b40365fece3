"""Reads COCO-style instance files; EntitySeg's entity files are of this style too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.instance_index import InstanceIndex
from workbench.datasets.json_files import count_records
from workbench.datasets.reader import EntityReader, Fault, SplitFiles
from workbench.datasets.rle import as_rle
from workbench.datasets.schema import Category, EntityImage
from workbench.datasets.structure import categories_of
from workbench.errors import BadInput, MissingInput

RUN_PREP = "run the prep stage of this data set"


def coco_place(kind: str, split: str) -> dict[str, Any]:
    """Return where COCO 2017 keeps the "instances" or "panoptic" files of a split.

    Raises:
        BadInput: Unknown split.
    """
    if split not in ("train", "val"):
        raise BadInput("prep", f"splits.{split}", "unknown split", "use train or val")
    return {
        "annotations": f"annotations/{kind}_{split}2017.json",
        "images": f"{split}2017",
        "masks": f"panoptic_{split}2017" if kind == "panoptic" else None,
    }


class InstanceReader(EntityReader):
    """Makes entity records from a COCO-style instance file."""

    def __init__(self, files: SplitFiles) -> None:
        self._folder = files.folder()
        self.where = self._file = files.file()
        self._index = InstanceIndex(self._file, RUN_PREP, self.named)
        for fault in self._index.faults:
            raise fault
        self._images = self._index.images
        self.categories: tuple[Category, ...] = categories_of(self._index.categories)

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        yield from InstanceIndex(files.file(), RUN_PREP, cls.named).faults

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        return count_records(files.file())

    @staticmethod
    def named(image: Any) -> Any:
        """Return an image record with ``file_name``; forms that name it otherwise override it."""
        return image

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        return coco_place("instances", split)

    def __len__(self) -> int:
        return len(self._images)

    def image_ids(self) -> list[int | str]:
        return [image["id"] for image in self._images]

    def __call__(self, index: int) -> EntityImage:
        image = self._images[index]
        size = (image["height"], image["width"])
        numbers = self._index.of_image(index)
        masks = [
            as_rle(item.get("segmentation"), size, self._file, f"annotations[{at}].segmentation")
            for at, item in self._index.read(numbers)
        ]
        return EntityImage(
            image_id=image["id"],
            file=self._picture(index),
            file_name=image["file_name"],
            height=size[0],
            width=size[1],
            masks=tuple(masks),
            iscrowd=tuple(self._index.iscrowd[numbers].tolist()),
            category_ids=tuple(self._index.category_ids[numbers].tolist()),
            segment_ids=tuple(self._index.ids[numbers].tolist()),
        )

    def faults(self, index: int) -> Iterator[Fault]:
        image = self._images[index]
        size = (image["height"], image["width"])
        try:
            self._picture(index)
        except (BadInput, MissingInput) as fault:
            yield fault
        known = {category.category_id for category in self.categories}
        for at, item in self._index.read(self._index.of_image(index)):
            try:
                as_rle(
                    item.get("segmentation"), size, self._file, f"annotations[{at}].segmentation"
                )
            except BadInput as fault:
                yield fault
            if known and item["category_id"] not in known:
                field = f"annotations[{at}].category_id"
                found = f"{item['category_id']} is no category of the file"
                yield BadInput(self._file, field, found, "use a file with all its categories")

    def notes(self) -> Iterator[Fault]:
        zeros = int((self._index.ids == 0).sum())
        if zeros:
            problem = f"{zeros} annotation id is 0, which pycocotools takes for unmatched"
            yield BadInput(self._file, "annotations", problem, "ours count from 1")

    def units(self) -> dict[str, int]:
        return {**super().units(), "entities": len(self._index.ids)}

    def picture(self, index: int) -> tuple[Path, tuple[int, int], str]:
        image = self._images[index]
        return self._picture(index), (image["height"], image["width"]), f"images[{index}]"

    def _picture(self, index: int) -> Path:
        name = self._images[index]["file_name"]
        return self._folder.find(name, self._file, f"images[{index}].file_name")
