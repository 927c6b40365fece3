"""Ground truth of COCO's form, picture by picture: a dict, a file, or a data set.

Annotation ids of COCO files stay as they are: pycocotools can never find a mask of id 0, and a
score that should compare with published ones must not either.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.datasets.json_stream import Part
from workbench.errors import BadInput, MissingInput
from workbench.metrics.coco_checks import (
    FIX,
    Annotation,
    annotation_id,
    categories_of,
    check_image,
    check_structure,
    image_sizes,
    masked,
)
from workbench.metrics.json_records import RecordsByImage
from workbench.metrics.predictions import ImageId, ImageSizes
from workbench.shards import ALONE, Shard

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset


@dataclass(frozen=True)
class ImageTruth:
    """Checked annotations of one picture.

    Attributes:
        image_id: Id of the picture.
        size: (height, width) in pixels.
        annotations: ``id``, ``segmentation`` (compressed RLE of that size), ``iscrowd`` (0 or 1)
            and, where the source has them, ``category_id`` and ``area`` in pixels.
    """

    image_id: ImageId
    size: tuple[int, int]
    annotations: list[Annotation]


class Truth(ABC):
    """Annotated pictures, which can be gone through several times.

    Attributes:
        categories: Names by category id.
        source: What the annotations came from, for errors.
    """

    categories: dict[int, str]
    source: str | Path
    _num_entities: int | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of pictures."""

    @abstractmethod
    def images(self, shard: Shard) -> Iterator[ImageTruth]:
        """Read the pictures of a shard one by one; use ``part`` or the iterator of the object."""

    def __iter__(self) -> Iterator[ImageTruth]:
        """Yield the pictures one by one.

        Raises:
            BadInput: An annotation that cannot be used.
        """
        return self.part(ALONE)

    def part(self, shard: Shard) -> Iterator[ImageTruth]:
        """Yield the pictures of one of several processes, all of which go through theirs.

        Raises:
            BadInput: An annotation that cannot be used.
        """
        entities = 0
        for image in self.images(shard):
            entities += sum(not one["iscrowd"] for one in image.annotations)
            yield image
        self._num_entities = sum(shard.everyone(entities))

    @property
    def num_entities(self) -> int:
        """Masks that are not crowds; reads all pictures unless that was done before."""
        if self._num_entities is None:
            for _ in self:
                pass
        assert self._num_entities is not None
        return self._num_entities


class CocoTruth(Truth):
    """Ground truth of a COCO dict, checked as a whole.

    Args:
        content: ``images``, ``annotations`` and, for metrics by class, ``categories``.
        source: File it came from, for errors.

    Raises:
        BadInput: See ``check_ground_truth``.
    """

    def __init__(self, content: Mapping[str, Any], source: str | Path = "ground truth") -> None:
        check_structure(content, source)
        self.source, self._sizes = source, image_sizes(content)
        self._annotations: dict[ImageId, list[tuple[str, Any]]] = defaultdict(list)
        for index, annotation in enumerate(content["annotations"]):
            place = f"annotations[{index}]"
            self._annotations[annotation["image_id"]].append((place, annotation))
        self.categories = categories_of(content.get("categories", ()), source)

    def __len__(self) -> int:
        return len(self._sizes)

    def images(self, shard: Shard) -> Iterator[ImageTruth]:
        for image_id, size in shard.of(self._sizes.items()):
            annotations = self._annotations.get(image_id, [])
            yield ImageTruth(image_id, size, masked(annotations, size, self.source))


class CocoTruthFile(Truth):
    """Ground truth of a COCO annotation file, read picture by picture.

    Args:
        path: The file.

    Raises:
        MissingInput: No such file.
        BadInput: Damaged, or ids and sizes that cannot be used; masks are checked when read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingInput(path, "give the annotation file of the split")
        self.source: Path = path
        self._sizes: ImageSizes = {}
        self._ids = IdRanges()
        categories: list[Any] = []

        def seen(part: Part) -> None:
            if part.key == "images":
                self._see_image(part)
            elif part.key == "annotations":
                self._see_annotation(part)
            elif part.key == "categories":
                categories.append(part.value)

        self._records = RecordsByImage(path, "annotations", FIX, seen)
        if not self._sizes:
            raise BadInput(path, "images", "empty", "give a data set with at least one image")
        self._check_ids()
        self.categories = categories_of(categories, path)

    def __len__(self) -> int:
        return len(self._sizes)

    def images(self, shard: Shard) -> Iterator[ImageTruth]:
        for image_id, size in shard.of(self._sizes.items()):
            records = self._records.of(image_id)
            yield ImageTruth(image_id, size, masked(records, size, self.source))

    def _see_image(self, part: Part) -> None:
        place = f"images[{part.index}]"
        check_image(part.value, place, self.source)
        image_id = part.value["id"]
        if image_id in self._sizes:
            raise BadInput(self.source, f"{place}.id", f"{image_id!r} a second time", FIX)
        self._sizes[image_id] = (part.value["height"], part.value["width"])

    def _see_annotation(self, part: Part) -> None:
        self._ids.add(annotation_id(part.value, f"annotations[{part.index}]", self.source))

    def _check_ids(self) -> None:
        again = self._ids.repeated()
        if again is not None:
            problem = f"id {again} a second time"
            raise BadInput(self.source, "annotations", problem, FIX)
        for image_id in self._records.image_ids():
            if image_id not in self._sizes:
                place = f"{self._records.first(image_id)}.image_id"
                raise BadInput(self.source, place, f"{image_id!r} is not among the images", FIX)


class IdRanges:
    """Ids in the order they are added; those that count up by one take no more memory."""

    def __init__(self) -> None:
        self._starts, self._ends = array("q"), array("q")

    def add(self, number: int) -> None:
        """Add an id of 64 bits."""
        if self._ends and number == self._ends[-1] + 1:
            self._ends[-1] = number
        else:
            self._starts.append(number)
            self._ends.append(number)

    def repeated(self) -> int | None:
        """Return an id that was added twice."""
        starts, ends = (np.frombuffer(side, dtype=np.int64) for side in (self._starts, self._ends))
        order = np.argsort(starts, kind="stable")
        overlapping = np.flatnonzero(starts[order][1:] <= ends[order][:-1])
        return int(starts[order][1:][overlapping[0]]) if len(overlapping) else None


class DatasetTruth(Truth):
    """Ground truth of a data set read by its adapter.

    Ids count from 1 in each picture, so that all masks can be found; areas are those of the masks.

    Args:
        dataset: One split.
    """

    def __init__(self, dataset: EntityDataset) -> None:
        self._dataset, self.source = dataset, f"{dataset.name} {dataset.split}"
        self.categories = {one.category_id: one.name for one in dataset.categories}

    def __len__(self) -> int:
        return len(self._dataset)

    def images(self, shard: Shard) -> Iterator[ImageTruth]:
        for at in shard.of(range(len(self._dataset))):
            image = self._dataset[at]
            fields = zip(image.masks, image.iscrowd, image.category_ids, strict=True)
            annotations = [
                {"id": at, "segmentation": mask, "iscrowd": int(crowd), "category_id": category}
                for at, (mask, crowd, category) in enumerate(fields, start=1)
            ]
            yield ImageTruth(image.image_id, (image.height, image.width), annotations)


def check_ground_truth(
    ground_truth: Mapping[str, Any], source: str | Path = "ground truth"
) -> None:
    """Refuse a COCO dict that pycocotools would silently score wrongly.

    Raises:
        BadInput: No image; an image without id, height or width; an id twice; an annotation of an
            unknown image; a mask that is missing, damaged or of another size. ``source`` names
            the file.
    """
    for _ in CocoTruth(ground_truth, source):
        pass
