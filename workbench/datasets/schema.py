"""Records that every data set is read into, and the checks' findings.

Masks are COCO run-length records ``{"size": [H, W], "counts": str}``; they stay compressed until
somebody needs pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

RLE = dict[str, Any]

ENTITY_CATEGORY_ID = 1


@dataclass(frozen=True)
class EntityImage:
    """One picture and its entities; the tuples run in parallel, one entry an entity.

    Attributes:
        image_id: Id as in the file it came from; COCO-style files use int, ADE20K str.
        file: Existing picture on disk.
        file_name: Name as the annotation file gives it.
        height, width: Size in pixels.
        masks: Run-length masks of size [height, width].
        iscrowd: Whether the mask covers several entities and is ignored in scoring.
        category_ids: Category as in the file, before entities become one class.
        segment_ids: Id of the annotation or panoptic segment, unique within the picture; of a
            semantic map the class.
        negative_ids: Classes that were looked for and are not there; of federated sets (LVIS) only.
        not_exhaustive_ids: Classes of which not all entities are annotated; likewise.
    """

    image_id: int | str
    file: Path
    file_name: str
    height: int
    width: int
    masks: tuple[RLE, ...]
    iscrowd: tuple[bool, ...]
    category_ids: tuple[int, ...]
    segment_ids: tuple[int, ...]
    negative_ids: tuple[int, ...] = ()
    not_exhaustive_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Category:
    """A category of a data set."""

    category_id: int
    name: str
    isthing: bool


@dataclass(frozen=True)
class Finding:
    """One fault that a check found: where it is, what is wrong and what to do about it.

    A note is allowed but should be known; it does not make a data set broken.
    """

    where: str
    field: str
    problem: str
    fix: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: {self.problem}; {self.fix}"


class EntityDataset(Sequence[EntityImage]):
    """The pictures of one split, in the order of the annotation file.

    Args:
        name: Name of the data set, from its manifest.
        split: Name of the split.
        keys: One key a picture, passed to ``read``.
        read: Makes the record of a key. Panoptic PNGs are decoded here, on access, so that an
            open data set takes no more memory than its JSON.
        categories: Categories of the data set.
    """

    def __init__(
        self,
        name: str,
        split: str,
        keys: Sequence[Any],
        read: Callable[[Any], EntityImage],
        categories: tuple[Category, ...] = (),
    ) -> None:
        self.name, self.split, self.categories = name, split, categories
        self._keys, self._read = keys, read

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> EntityImage: ...

    @overload
    def __getitem__(self, index: slice) -> list[EntityImage]: ...

    def __getitem__(self, index: int | slice) -> EntityImage | list[EntityImage]:
        if isinstance(index, slice):
            return [self._read(key) for key in self._keys[index]]
        return self._read(self._keys[index])

    def __iter__(self) -> Iterator[EntityImage]:
        return (self._read(key) for key in self._keys)

    def seen_categories(self) -> tuple[Category, ...]:
        """Return the categories that occur; pictures are read until every one was seen."""
        unseen = {category.category_id for category in self.categories}
        for image in self:
            unseen.difference_update(image.category_ids)
            if not unseen:
                break
        return tuple(each for each in self.categories if each.category_id not in unseen)

    def contiguous(self) -> dict[int, int]:
        """Return each category id's place among the ascending ids; EntitySeg's ids have gaps."""
        ids = sorted(category.category_id for category in self.categories)
        return {number: place for place, number in enumerate(ids)}

    def to_coco(self) -> dict[str, Any]:
        """Return class-agnostic COCO ground truth for pycocotools.

        Every entity becomes category 1 "entity"; annotation ids count from 1, since pycocotools
        takes a matched id of 0 for "unmatched"; ``area`` is the mask's area in pixels and
        ``bbox`` is xywh in pixels.
        """
        from pycocotools import mask as coco_mask

        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image in self:
            images.append(
                {
                    "id": image.image_id,
                    "file_name": image.file_name,
                    "height": image.height,
                    "width": image.width,
                }
            )
            for mask, crowd in zip(image.masks, image.iscrowd, strict=True):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image.image_id,
                        "category_id": ENTITY_CATEGORY_ID,
                        "iscrowd": int(crowd),
                        "area": int(coco_mask.area(mask)),
                        "bbox": [float(side) for side in coco_mask.toBbox(mask)],
                        "segmentation": mask,
                    }
                )
        categories = [{"id": ENTITY_CATEGORY_ID, "name": "entity"}]
        return {"images": images, "annotations": annotations, "categories": categories}
