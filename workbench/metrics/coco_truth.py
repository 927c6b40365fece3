"""Ground truth of COCO's form, picture by picture: a dict, a file, or a data set.

Annotation ids of COCO files stay as they are: pycocotools can never find a mask of id 0, and a
score that should compare with published ones must not either.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.datasets.json_stream import Part
from workbench.datasets.rle import as_rle
from workbench.errors import BadInput, MissingInput
from workbench.metrics.json_records import RecordsByImage
from workbench.metrics.predictions import ImageId, ImageSizes, is_finite_number
from workbench.metrics.rle import first_rle_problem

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset

_FIX = "correct the annotation file"
Annotation = dict[str, Any]


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
    def images(self) -> Iterator[ImageTruth]:
        """Read the pictures one by one; use the iterator of the object."""

    def __iter__(self) -> Iterator[ImageTruth]:
        """Yield the pictures one by one.

        Raises:
            BadInput: An annotation that cannot be used.
        """
        entities = 0
        for image in self.images():
            entities += sum(not one["iscrowd"] for one in image.annotations)
            yield image
        self._num_entities = entities

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

    def images(self) -> Iterator[ImageTruth]:
        for image_id, size in self._sizes.items():
            annotations = self._annotations.get(image_id, [])
            yield ImageTruth(image_id, size, _masked(annotations, size, self.source))


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

        self._records = RecordsByImage(path, "annotations", _FIX, seen)
        if not self._sizes:
            raise BadInput(path, "images", "empty", "give a data set with at least one image")
        self._check_ids()
        self.categories = categories_of(categories, path)

    def __len__(self) -> int:
        return len(self._sizes)

    def images(self) -> Iterator[ImageTruth]:
        for image_id, size in self._sizes.items():
            records = self._records.of(image_id)
            yield ImageTruth(image_id, size, _masked(records, size, self.source))

    def _see_image(self, part: Part) -> None:
        place = f"images[{part.index}]"
        _check_image(part.value, place, self.source)
        image_id = part.value["id"]
        if image_id in self._sizes:
            raise BadInput(self.source, f"{place}.id", f"{image_id!r} a second time", _FIX)
        self._sizes[image_id] = (part.value["height"], part.value["width"])

    def _see_annotation(self, part: Part) -> None:
        self._ids.add(_annotation_id(part.value, f"annotations[{part.index}]", self.source))

    def _check_ids(self) -> None:
        again = self._ids.repeated()
        if again is not None:
            problem = f"id {again} a second time"
            raise BadInput(self.source, "annotations", problem, _FIX)
        for image_id in self._records.image_ids():
            if image_id not in self._sizes:
                place = f"{self._records.first(image_id)}.image_id"
                raise BadInput(self.source, place, f"{image_id!r} is not among the images", _FIX)


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

    def images(self) -> Iterator[ImageTruth]:
        for image in self._dataset:
            fields = zip(image.masks, image.iscrowd, image.category_ids, strict=True)
            annotations = [
                {"id": at, "segmentation": mask, "iscrowd": int(crowd), "category_id": category}
                for at, (mask, crowd, category) in enumerate(fields, start=1)
            ]
            yield ImageTruth(image.image_id, (image.height, image.width), annotations)


def image_sizes(ground_truth: Mapping[str, Any]) -> ImageSizes:
    """Return (height, width) in pixels of each image of a COCO dict, by image id."""
    return {image["id"]: (image["height"], image["width"]) for image in ground_truth["images"]}


def load_ground_truth(path: Path) -> dict[str, Any]:
    """Read a COCO annotation file whole.

    Raises:
        MissingInput: No such file.
        BadInput: Not JSON, or without ``images`` and ``annotations``.
    """
    if not path.is_file():
        raise MissingInput(path, "give the annotation file of the split")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", _FIX) from error
    for field in ("images", "annotations"):
        if not isinstance(value, dict) or not isinstance(value.get(field), list):
            raise BadInput(path, field, "not a list", _FIX)
    check_ground_truth(value, path)
    return value


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


def check_structure(ground_truth: Mapping[str, Any], source: str | Path) -> None:
    """Refuse a COCO dict whose images or annotations cannot be told apart; masks are not read.

    Raises:
        BadInput: See ``check_ground_truth``.
    """
    images, annotations = ground_truth["images"], ground_truth["annotations"]
    if not images:
        raise BadInput(source, "images", "empty", "give a data set with at least one image")
    for index, image in enumerate(images):
        _check_image(image, f"images[{index}]", source)
    _check_unique(source, "images", images)
    sizes = image_sizes(ground_truth)
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        _annotation_id(annotation, place, source)
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in sizes:
            problem = f"{image_id!r} is not among the images"
            raise BadInput(source, f"{place}.image_id", problem, _FIX)
    _check_unique(source, "annotations", annotations)


def categories_of(listed: Sequence[Any], source: str | Path) -> dict[int, str]:
    """Return names by id of a COCO list of categories.

    Raises:
        BadInput: A category without a whole number as its id, or an id twice.
    """
    names: dict[int, str] = {}
    for index, category in enumerate(listed):
        number = category.get("id") if isinstance(category, Mapping) else None
        if isinstance(number, bool) or not isinstance(number, int) or number in names:
            problem = f"{number!r} is missing, not a whole number, or a second time"
            raise BadInput(source, f"categories[{index}].id", problem, _FIX)
        names[number] = str(category.get("name", number))
    return names


def _check_image(image: Any, place: str, source: str | Path) -> None:
    for field, kind in (("id", int | str), ("height", int), ("width", int)):
        if not isinstance(image, Mapping) or not isinstance(image.get(field), kind):
            raise BadInput(source, f"{place}.{field}", "missing or of another kind", _FIX)


def _annotation_id(annotation: Any, place: str, source: str | Path) -> int:
    number = annotation.get("id") if isinstance(annotation, Mapping) else None
    if not isinstance(number, int) or abs(number) >= 1 << 63:
        raise BadInput(source, f"{place}.id", "missing or not a whole number", _FIX)
    return number


def _check_unique(source: str | Path, field: str, records: Sequence[Mapping[str, Any]]) -> None:
    seen = set()
    for index, record in enumerate(records):
        if record["id"] in seen:
            problem = f"{record['id']!r} a second time"
            raise BadInput(source, f"{field}[{index}].id", problem, _FIX)
        seen.add(record["id"])


def _masked(
    annotations: Sequence[tuple[str, Any]], size: tuple[int, int], source: str | Path
) -> list[Annotation]:
    """Return a picture's annotations with their masks as compressed RLE."""
    masks = [
        _compressed(annotation.get("segmentation"), size, place, source)
        for place, annotation in annotations
    ]
    fault = first_rle_problem(masks, size)
    if fault:
        raise BadInput(source, f"{annotations[fault[0]][0]}.segmentation", fault[1], _FIX)
    found = []
    for (place, annotation), mask in zip(annotations, masks, strict=True):
        one = {
            "id": annotation["id"],
            "segmentation": mask,
            "iscrowd": int(bool(annotation.get("iscrowd", 0))),
        }
        for field, sound in (("category_id", _is_whole), ("area", is_finite_number)):
            value = annotation.get(field)
            if value is None:
                continue
            if not sound(value):
                raise BadInput(source, f"{place}.{field}", f"{value!r} is no number", _FIX)
            one[field] = value
        found.append(one)
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _compressed(mask: Any, size: tuple[int, int], place: str, source: str | Path) -> Any:
    """Convert polygons and plain runs; anything else is left to the check of compressed RLE."""
    plain = isinstance(mask, Mapping) and isinstance(mask.get("counts"), list)
    if plain and mask.get("size") not in (list(size), tuple(size)):
        raise BadInput(source, f"{place}.segmentation", "size differs from the image's", _FIX)
    if plain or isinstance(mask, list):
        return as_rle(mask, size, Path(source), f"{place}.segmentation")
    return mask
