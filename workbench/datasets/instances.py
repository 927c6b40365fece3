"""Reads COCO-style instance files; EntitySeg's entity files are of this style too."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.json_files import count_records, read_json
from workbench.datasets.reader import EntityReader, SplitFiles
from workbench.datasets.rle import as_rle
from workbench.datasets.schema import Category, EntityImage
from workbench.datasets.structure import (
    annotation_faults,
    categories_of,
    category_faults,
    image_faults,
)
from workbench.errors import BadInput, MissingInput

logger = logging.getLogger(__name__)

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


def instance_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield all faults of an instance file that show without pictures and masks."""
    yield from image_faults(content, file)
    yield from annotation_faults(content, file)
    yield from category_faults(content, file)


class InstanceReader(EntityReader):
    """Makes entity records from a COCO-style instance file."""

    def __init__(self, files: SplitFiles) -> None:
        folder, file = files.folder(), files.file()
        content = read_json(file, RUN_PREP)
        for fault in instance_faults(content, file):
            raise fault
        self.where = self._file = file
        self._folder = folder
        self._images: list[dict[str, Any]] = content["images"]
        self._entities: dict[int | str, list[int]] = defaultdict(list)
        self._annotations: list[dict[str, Any]] = content["annotations"]
        for index, item in enumerate(self._annotations):
            self._entities[item["image_id"]].append(index)
        zeros = sum(item["id"] == 0 for item in self._annotations)
        if zeros:
            logger.warning("%s: %d annotation id is 0; ours count from 1", file, zeros)
        self.categories: tuple[Category, ...] = categories_of(content)

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[BadInput]:
        return instance_faults(read_json(files.file(), RUN_PREP), files.file())

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        return count_records(files.file())

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
        numbers = self._entities.get(image["id"], [])
        items = [self._annotations[at] for at in numbers]
        return EntityImage(
            image_id=image["id"],
            file=self._picture(index),
            file_name=image["file_name"],
            height=size[0],
            width=size[1],
            masks=tuple(
                as_rle(
                    item.get("segmentation"), size, self._file, f"annotations[{at}].segmentation"
                )
                for at, item in zip(numbers, items, strict=True)
            ),
            iscrowd=tuple(bool(item.get("iscrowd", 0)) for item in items),
            category_ids=tuple(item["category_id"] for item in items),
            segment_ids=tuple(item["id"] for item in items),
        )

    def faults(self, index: int) -> Iterator[BadInput | MissingInput]:
        image = self._images[index]
        size = (image["height"], image["width"])
        try:
            self._picture(index)
        except (BadInput, MissingInput) as fault:
            yield fault
        for at in self._entities.get(image["id"], []):
            segmentation = self._annotations[at].get("segmentation")
            try:
                as_rle(segmentation, size, self._file, f"annotations[{at}].segmentation")
            except BadInput as fault:
                yield fault

    def picture(self, index: int) -> tuple[Path, tuple[int, int], str]:
        image = self._images[index]
        return self._picture(index), (image["height"], image["width"]), f"images[{index}]"

    def _picture(self, index: int) -> Path:
        name = self._images[index]["file_name"]
        return self._folder.find(name, self._file, f"images[{index}].file_name")
