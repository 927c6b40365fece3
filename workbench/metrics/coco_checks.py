"""Checks of COCO annotations that pycocotools would silently score wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.datasets.rle import as_rle
from workbench.errors import BadInput
from workbench.metrics.predictions import ImageSizes, is_finite_number
from workbench.metrics.rle import first_rle_problem

FIX = "correct the annotation file"
Annotation = dict[str, Any]


def image_sizes(ground_truth: Mapping[str, Any]) -> ImageSizes:
    """Return (height, width) in pixels of each image of a COCO dict, by image id."""
    return {image["id"]: (image["height"], image["width"]) for image in ground_truth["images"]}


def check_structure(ground_truth: Mapping[str, Any], source: str | Path) -> None:
    """Refuse a COCO dict whose images or annotations cannot be told apart; masks are not read.

    Raises:
        BadInput: See ``coco_truth.check_ground_truth``.
    """
    images, annotations = ground_truth["images"], ground_truth["annotations"]
    if not images:
        raise BadInput(source, "images", "empty", "give a data set with at least one image")
    for index, image in enumerate(images):
        check_image(image, f"images[{index}]", source)
    _check_unique(source, "images", images)
    sizes = image_sizes(ground_truth)
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        annotation_id(annotation, place, source)
        image_id = annotation.get("image_id")
        if not isinstance(image_id, int | str) or image_id not in sizes:
            problem = f"{image_id!r} is not among the images"
            raise BadInput(source, f"{place}.image_id", problem, FIX)
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
            raise BadInput(source, f"categories[{index}].id", problem, FIX)
        names[number] = str(category.get("name", number))
    return names


def check_image(image: Any, place: str, source: str | Path) -> None:
    """Refuse an image record without id, height and width; ``place`` says where it stands."""
    for field, kind in (("id", int | str), ("height", int), ("width", int)):
        if not isinstance(image, Mapping) or not isinstance(image.get(field), kind):
            raise BadInput(source, f"{place}.{field}", "missing or of another kind", FIX)


def annotation_id(annotation: Any, place: str, source: str | Path) -> int:
    """Return the id of an annotation, or refuse one that 64 bits cannot hold."""
    number = annotation.get("id") if isinstance(annotation, Mapping) else None
    if not isinstance(number, int) or abs(number) >= 1 << 63:
        raise BadInput(source, f"{place}.id", "missing or not a whole number", FIX)
    return number


def _check_unique(source: str | Path, field: str, records: Sequence[Mapping[str, Any]]) -> None:
    seen = set()
    for index, record in enumerate(records):
        if record["id"] in seen:
            problem = f"{record['id']!r} a second time"
            raise BadInput(source, f"{field}[{index}].id", problem, FIX)
        seen.add(record["id"])


def masked(
    annotations: Sequence[tuple[str, Any]], size: tuple[int, int], source: str | Path
) -> list[Annotation]:
    """Return a picture's annotations, each given with its place, their masks as compressed RLE.

    Raises:
        BadInput: A mask is missing, damaged or of another size than (height, width), or another
            field is no number.
    """
    masks = [
        _compressed(annotation.get("segmentation"), size, place, source)
        for place, annotation in annotations
    ]
    fault = first_rle_problem(masks, size)
    if fault:
        raise BadInput(source, f"{annotations[fault[0]][0]}.segmentation", fault[1], FIX)
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
                raise BadInput(source, f"{place}.{field}", f"{value!r} is no number", FIX)
            one[field] = value
        found.append(one)
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _compressed(mask: Any, size: tuple[int, int], place: str, source: str | Path) -> Any:
    """Convert polygons and plain runs; anything else is left to the check of compressed RLE."""
    plain = isinstance(mask, Mapping) and isinstance(mask.get("counts"), list)
    if plain and mask.get("size") not in (list(size), tuple(size)):
        raise BadInput(source, f"{place}.segmentation", "size differs from the image's", FIX)
    if plain or isinstance(mask, list):
        return as_rle(mask, size, Path(source), f"{place}.segmentation")
    return mask
