"""Writes scenes as EntitySeg's release lays them out on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.encode import (
    low_resolution,
    resize_image,
    resize_labels,
    write_compact_json,
    write_jpeg,
)
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.spec import WorldSpec
from workbench.datasets.worlds.vocabulary import CATEGORY_IDS, STUFF

FOLDERS = ("entity_01_11580", "entity_02_11598", "entity_03_10049")
ANNOTATIONS = "annotations/entity_segmentation"

Record = dict[str, Any]


class EntitySegWriter:
    """Writes the pictures of one split as they come; ``close`` writes the annotation files.

    Args:
        root: Folder of the data set.
        split: "train" or "val".
        spec: The world's parameters.
    """

    def __init__(self, root: Path, split: str, spec: WorldSpec) -> None:
        self._root, self._split, self._spec = root, split, spec
        self._full, self._low = empty_file(), empty_file()
        self._folders = [empty_file() for _ in FOLDERS]

    def add(self, index: int, scene: Scene) -> None:
        """Write the picture of a scene and note its entities."""
        which = index % len(FOLDERS)
        name = f"{scene.domain}_{self._split}_{index:06d}.jpg"
        path = f"{FOLDERS[which]}/{name}"
        write_jpeg(self._root / "images" / path, scene.image)
        height, width = scene.labels.shape
        size = height, width
        entities = entity_records(scene, scene.labels)
        note_picture(self._full, path, size, entities)
        # As in the release, ids of a folder's own file start again at 1 and names are bare.
        note_picture(self._folders[which], name, size, entities)
        if self._spec.lr is not None:
            size = low_resolution(size, *self._spec.lr)
            write_jpeg(self._root / "images_lr" / path, resize_image(scene.image, size))
            note_picture(
                self._low, path, size, entity_records(scene, resize_labels(scene.labels, size))
            )

    def close(self) -> dict[str, Record]:
        """Write the JSON files; return the manifest's entries of the splits."""
        combined = f"{ANNOTATIONS}/entityv2_010203_entity_{self._split}"
        files = {f"{combined}.json": self._full}
        entries = {self._split: split_entry(f"{combined}.json", "images")}
        for number, folder in enumerate(self._folders, start=1):
            files[f"{ANNOTATIONS}/entityv2_{number:02d}_entity_{self._split}.json"] = folder
        if self._spec.lr is not None:
            files[f"{combined}_lr.json"] = self._low
            entries[f"{self._split}_lr"] = split_entry(f"{combined}_lr.json", "images_lr")
        for path, content in files.items():
            write_compact_json(self._root / path, content)
        return entries


def split_entry(annotations: str, images: str) -> Record:
    """Return the manifest's entry of a split of this form."""
    return {"annotations": annotations, "images": images, "masks": None}


def empty_file() -> Record:
    """Return an annotation file without pictures; category 0 is "unknown", as in the release."""
    names = {"unknown": 0, **CATEGORY_IDS}
    categories = []
    for name, number in names.items():
        kind = "stuff" if name in STUFF else "thing"
        categories.append(
            {"id": number, "name": name, "supercategory": kind, "c_name": name, "type": kind}
        )
    return {"images": [], "annotations": [], "categories": categories}


def entity_records(scene: Scene, labels: NDArray[np.int32]) -> list[Record]:
    """Return the entities with a pixel at this size, without ids."""
    found = []
    codes = label_masks(labels, range(1, len(scene.entities) + 1))
    for entity, code in zip(scene.entities, codes, strict=True):
        area = int(coco_mask.area(code))
        if area:
            record = {
                "category_id": CATEGORY_IDS[entity.name],
                "iscrowd": 0,
                "area": area,
                "bbox": [int(side) for side in coco_mask.toBbox(code)],
                "segmentation": code,
                "attribute": entity.kind,
            }
            found.append(record)
    return found


def note_picture(target: Record, name: str, size: tuple[int, ...], entities: list[Record]) -> None:
    """Append a picture and its entities, numbered from 1 within the file."""
    image_id = len(target["images"]) + 1
    height, width = size
    target["images"].append({"id": image_id, "file_name": name, "width": width, "height": height})
    for entity in entities:
        number = len(target["annotations"]) + 1
        target["annotations"].append({"id": number, "image_id": image_id, **entity})
