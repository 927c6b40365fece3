"""Reads COCO-style instance files; EntitySeg's entity files are of this style too."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.images import ImageFolder
from workbench.datasets.manifest import read_json
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


def instance_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield all faults of an instance file that show without pictures and masks."""
    yield from image_faults(content, file)
    yield from annotation_faults(content, file)
    yield from category_faults(content, file)


class InstanceReader:
    """Makes entity records from a COCO-style instance file.

    Args:
        file: The annotation file.
        folder: Where its pictures are.

    Raises:
        BadInput: Broken structure, duplicate ids, or an annotation without its image.
        MissingInput: No such file.
    """

    def __init__(self, file: Path, folder: ImageFolder) -> None:
        content = read_json(file, "run the prep stage of this data set")
        for fault in instance_faults(content, file):
            raise fault
        self._file, self._folder = file, folder
        self._images: list[dict[str, Any]] = content["images"]
        self._entities: dict[int | str, list[int]] = defaultdict(list)
        self._annotations: list[dict[str, Any]] = content["annotations"]
        for index, item in enumerate(self._annotations):
            self._entities[item["image_id"]].append(index)
        zeros = sum(item["id"] == 0 for item in self._annotations)
        if zeros:
            logger.warning("%s: %d annotation id is 0; ours count from 1", file, zeros)
        self.categories: tuple[Category, ...] = categories_of(content)

    def __len__(self) -> int:
        return len(self._images)

    def image_ids(self) -> list[int | str]:
        """Return the ids of the images, in order."""
        return [image["id"] for image in self._images]

    def __call__(self, index: int) -> EntityImage:
        """Return the record of image ``index``.

        Raises:
            BadInput: A mask of the image is unusable, or its name is.
            MissingInput: Its picture is not there.
        """
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
        """Yield all faults of the masks and the picture's name of image ``index``."""
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
        """Return the file, (height, width) and JSON path of image ``index``."""
        image = self._images[index]
        return self._picture(index), (image["height"], image["width"]), f"images[{index}]"

    def _picture(self, index: int) -> Path:
        name = self._images[index]["file_name"]
        return self._folder.find(name, self._file, f"images[{index}].file_name")
