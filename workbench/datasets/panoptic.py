"""Reads COCO panoptic files: a JSON of segments and one PNG of segment ids a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.instances import RUN_PREP, coco_place
from workbench.datasets.json_files import count_records, read_json
from workbench.datasets.pictures import read_picture, upright_size
from workbench.datasets.reader import EntityReader, SplitFiles
from workbench.datasets.rle import label_masks
from workbench.datasets.schema import Category, EntityImage
from workbench.datasets.structure import (
    UNIQUE,
    categories_of,
    category_faults,
    image_faults,
    known_ids,
    list_faults,
    number_fault,
    owner_fault,
)
from workbench.errors import BadInput, MissingInput

VOID = 0


def panoptic_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield all faults of a panoptic JSON that show without its PNGs."""
    yield from image_faults(content, file)
    yield from category_faults(content, file)
    broken = list(list_faults(content, "annotations", file))
    yield from broken
    if broken or list(list_faults(content, "images", file)):
        return
    known = known_ids(content)
    seen: dict[int | str, int] = {}
    for index, item in enumerate(content["annotations"]):
        path = f"annotations[{index}]"
        owners = list(owner_fault(item, known, file, path))
        yield from owners
        if not owners:
            owner = item["image_id"]
            if owner in seen:
                found = f"{owner!r} is also annotations[{seen[owner]}]'s"
                yield BadInput(file, f"{path}.image_id", found, "keep one annotation an image")
            seen.setdefault(owner, index)
        if not isinstance(item.get("file_name"), str):
            found = repr(item.get("file_name"))
            yield BadInput(file, f"{path}.file_name", found, "give the PNG's name")
        yield from _segment_faults(item, file, path)


def _segment_faults(item: dict[str, Any], file: Path, path: str) -> Iterator[BadInput]:
    """Yield the faults of one picture's segments."""
    segments = item.get("segments_info")
    if not isinstance(segments, list) or not all(isinstance(one, dict) for one in segments):
        fix = "use a COCO panoptic file"
        yield BadInput(file, f"{path}.segments_info", "missing or not a list of objects", fix)
        return
    seen: set[int] = set()
    for index, segment in enumerate(segments):
        where = f"{path}.segments_info[{index}]"
        yield from number_fault(segment, "id", file, where, least=1)
        yield from number_fault(segment, "category_id", file, where)
        number = segment.get("id")
        if isinstance(number, int) and number in seen:
            yield BadInput(file, f"{where}.id", f"{number} occurs twice", UNIQUE)
        if isinstance(number, int):
            seen.add(number)


class PanopticReader(EntityReader):
    """Makes entity records from a COCO panoptic file; a PNG is decoded when its image is read."""

    needs = ("annotations", "images", "masks")
    folders = ("images", "masks")

    def __init__(self, files: SplitFiles) -> None:
        file, folder, masks = files.file(), files.folder(), files.folder("masks")
        content = _content(files)
        for fault in panoptic_faults(content, file):
            raise fault
        self.where = self._file = file
        self._folder, self._masks = folder, masks
        self._images: list[dict[str, Any]] = content["images"]
        self._annotations: list[dict[str, Any]] = content["annotations"]
        self._of = {item["image_id"]: at for at, item in enumerate(self._annotations)}
        self.categories: tuple[Category, ...] = categories_of(content["categories"])

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[BadInput]:
        return panoptic_faults(_content(files), files.file())

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        found = count_records(files.file())
        if not found["num_images"] and "images" not in read_json(files.file(), RUN_PREP):
            found["num_images"] = len(_content(files).get("images", []))
        return found

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        return coco_place("panoptic", split)

    def __len__(self) -> int:
        return len(self._images)

    def image_ids(self) -> list[int | str]:
        return [image["id"] for image in self._images]

    def __call__(self, index: int) -> EntityImage:
        """Return the record of image ``index``; void pixels belong to no entity."""
        image = self._images[index]
        labels, segments = self._labels(index)
        for fault in self._mismatches(index, labels, segments):
            raise fault
        ids = [segment["id"] for segment in segments]
        return EntityImage(
            image_id=image["id"],
            file=self._picture(index),
            file_name=image["file_name"],
            height=image["height"],
            width=image["width"],
            masks=tuple(label_masks(labels, ids)),
            iscrowd=tuple(bool(segment.get("iscrowd", 0)) for segment in segments),
            category_ids=tuple(segment["category_id"] for segment in segments),
            segment_ids=tuple(ids),
        )

    def faults(self, index: int) -> Iterator[BadInput | MissingInput]:
        try:
            self._picture(index)
        except (BadInput, MissingInput) as fault:
            yield fault
        try:
            labels, segments = self._labels(index)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        yield from self._mismatches(index, labels, segments)

    def units(self) -> dict[str, int]:
        segments = sum(len(item["segments_info"]) for item in self._annotations)
        return {**super().units(), "entities": segments}

    def picture(self, index: int) -> tuple[Path, tuple[int, int], str]:
        image = self._images[index]
        return self._picture(index), (image["height"], image["width"]), f"images[{index}]"

    def _picture(self, index: int) -> Path:
        name = self._images[index]["file_name"]
        return self._folder.find(name, self._file, f"images[{index}].file_name")

    def _labels(self, index: int) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
        """Return the (H, W) segment ids of an image and its segments, (0, 0) without annotation."""
        image = self._images[index]
        size = (image["height"], image["width"])
        at = self._of.get(image["id"])
        if at is None:
            return np.zeros((0, 0), dtype=np.int32), []
        annotation = self._annotations[at]
        field = f"annotations[{at}].file_name"
        path = self._masks.find(map_name(annotation["file_name"]), self._file, field)
        labels = segment_ids(read_picture(path))
        if labels.shape != size:
            found = f"{list(labels.shape)} differs from the image's {list(size)}"
            raise BadInput(path, "size", found, "use the PNG of this image")
        return labels, annotation["segments_info"]

    def _mismatches(
        self, index: int, labels: NDArray[np.int32], segments: list[dict[str, Any]]
    ) -> Iterator[BadInput]:
        """Yield a fault for each id that only the PNG or only the JSON has."""
        painted = set(np.unique(labels).tolist()) - {VOID}
        listed = {segment["id"] for segment in segments}
        at = self._of.get(self._images[index]["id"])
        field = f"annotations[{at}].segments_info"
        for number in sorted(listed - painted):
            found = f"segment {number} has no pixel in the PNG"
            yield BadInput(self._file, field, found, "use the PNG of this image")
        for number in sorted(painted - listed):
            found = f"id {number} of the PNG is not listed"
            yield BadInput(self._file, field, found, "use the PNG of this image")


def map_name(file_name: str) -> str:
    """Return the PNG's name of an annotation, which EntitySeg gives its picture's name.

    Source: qqlu/Entity (the map is named by what is before the first dot).
    """
    path = PurePosixPath(file_name)
    if path.suffix.lower() == ".png":
        return file_name
    return path.with_name(f"{path.name.split('.')[0]}.png").as_posix() if path.name else file_name


def _content(files: SplitFiles) -> dict[str, Any]:
    """Return the JSON, with image records where the file has none, as EntitySeg's may.

    Raises:
        BadInput: Not JSON, or a picture whose size is needed cannot be read.
        MissingInput: The file, or both a picture and its PNG are not there.
    """
    content = read_json(files.file(), RUN_PREP)
    items = content.get("annotations")
    if "images" in content or not isinstance(items, list):
        return content
    pictures, masks, images = files.folder(), files.folder("masks"), []
    for at, item in enumerate(items):
        name = item.get("file_name") if isinstance(item, dict) else None
        if not isinstance(name, str) or PurePosixPath(name).suffix.lower() == ".png":
            return content
        field = f"annotations[{at}].file_name"
        try:
            path = pictures.find(name, files.file(), field)
        except MissingInput:  # to be reported when its picture is read
            path = masks.find(map_name(name), files.file(), field)
        height, width = upright_size(path)
        record = {"id": item.get("image_id"), "file_name": name, "height": height, "width": width}
        images.append(record)
    return {**content, "images": images}


def segment_ids(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return (H, W) ids, R + 256 G + 65536 B, of an (H, W, 3) uint8 RGB picture."""
    parts = image.astype(np.int32)
    return parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16
