"""Checks of annotation files that need neither pictures nor masks.

Each check yields faults, so that reading stops at the first and ``check`` reports all.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.schema import Category
from workbench.errors import BadInput

MOST_SIDE = (1 << 31) - 1  # what pycocotools can count
UNIQUE = "ids must be unique within a file"


def list_faults(content: dict[str, Any], key: str, file: Path) -> Iterator[BadInput]:
    """Yield the faults of ``content[key]`` as a list of objects."""
    value = content.get(key)
    if not isinstance(value, list):
        yield BadInput(file, key, "missing or not a list", "use a COCO-style annotation file")
        return
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            found = f"{reprlib.repr(item)} is not an object"
            yield BadInput(file, f"{key}[{index}]", found, "use a COCO-style annotation file")


def number_fault(
    record: dict[str, Any], key: str, file: Path, path: str, least: int = 0
) -> Iterator[BadInput]:
    """Yield a fault unless a field is a whole number of at least ``least``."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        found = "missing" if key not in record else reprlib.repr(value)
        yield BadInput(file, f"{path}.{key}", found, f"use a whole number of at least {least}")


def whole_number_fault(
    record: dict[str, Any], key: str, file: Path, path: str
) -> Iterator[BadInput]:
    """Yield a fault unless a field is a whole number from 0 that fits 63 bits."""
    faults = list(number_fault(record, key, file, path))
    yield from faults
    if not faults and record[key] >= 1 << 63:
        found = reprlib.repr(record[key])
        yield BadInput(file, f"{path}.{key}", found, "use a whole number below 2 to the 63")


def side_faults(record: dict[str, Any], file: Path, path: str) -> Iterator[BadInput]:
    """Yield a fault unless height and width are possible sides of a picture."""
    for key in ("height", "width"):
        faults = list(number_fault(record, key, file, path, least=1))
        yield from faults
        if not faults and record[key] > MOST_SIDE:
            found = reprlib.repr(record[key])
            yield BadInput(file, f"{path}.{key}", found, f"use at most {MOST_SIDE} pixels")


def is_image_id(value: Any) -> bool:
    """Whether a value can be an image id: ADE20K's are texts, all others' numbers."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def image_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield the faults of the image records."""
    broken = list(list_faults(content, "images", file))
    yield from broken
    if broken:
        return
    if not content["images"]:
        yield BadInput(file, "images", "empty", "use a file with at least one image")
    seen: dict[int | str, int] = {}
    for index, image in enumerate(content["images"]):
        path = f"images[{index}]"
        key = image.get("id")
        if not is_image_id(key):
            yield BadInput(file, f"{path}.id", reprlib.repr(key), "use a whole number or a text")
        elif key in seen:
            yield BadInput(file, f"{path}.id", f"{key!r} is also images[{seen[key]}]'s", UNIQUE)
        else:
            seen[key] = index
        if not isinstance(image.get("file_name"), str):
            found = reprlib.repr(image.get("file_name"))
            yield BadInput(file, f"{path}.file_name", found, "give the picture's name")
        yield from side_faults(image, file, path)


def known_ids(content: dict[str, Any]) -> set[int | str]:
    """Return the ids of the image records; only for files whose records are sound."""
    return {image["id"] for image in content["images"] if is_image_id(image.get("id"))}


def owner_fault(
    item: dict[str, Any], known: set[int | str], file: Path, path: str
) -> Iterator[BadInput]:
    """Yield a fault unless an annotation's image exists."""
    owner = item.get("image_id")
    if not is_image_id(owner) or owner not in known:
        found = f"no image has id {reprlib.repr(owner)}"
        yield BadInput(file, f"{path}.image_id", found, "remove the annotation or add the image")


def category_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield the faults of the category records."""
    broken = list(list_faults(content, "categories", file))
    yield from broken
    seen: set[int] = set()
    for index, item in enumerate(content["categories"] if not broken else []):
        path = f"categories[{index}]"
        yield from number_fault(item, "id", file, path)
        number = item.get("id")
        if isinstance(number, int) and number in seen:
            yield BadInput(file, f"{path}.id", f"{number} occurs twice", UNIQUE)
        if isinstance(number, int):
            seen.add(number)


def categories_of(categories: list[dict[str, Any]]) -> tuple[Category, ...]:
    """Return the categories; ``isthing`` (COCO) or ``type`` (EntitySeg) says thing or stuff."""
    found = []
    for item in categories:
        thing = bool(item.get("isthing", item.get("type", "thing") != "stuff"))
        found.append(Category(item["id"], str(item.get("name", item["id"])), thing))
    return tuple(found)
