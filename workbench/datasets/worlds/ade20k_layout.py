"""Writes scenes as ADE20K's scene parsing subset, with the files of Mask2Former's scripts.

As there, image ids are texts, semantic maps have void 0 and classes from 1 (and once more with
void 255 and classes from 0), and pixels of things without an instance are void.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.coco_layout import segment_ids
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.png import write_gray_png, write_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.spec import WorldSpec
from workbench.datasets.worlds.vocabulary import STUFF, THINGS
from workbench.files import write_text

Record = dict[str, Any]
CLASSES = (*THINGS, *STUFF)
FOLDERS = {"train": "training", "val": "validation"}
NAMES = "objectInfo150.txt"


class Ade20kWriter:
    """Writes the pictures and maps of one split as they come; ``close`` writes the JSON files.

    Args:
        root: Folder of the data set.
        split: "train" or "val".
        spec: The world's parameters.
    """

    def __init__(self, root: Path, split: str, spec: WorldSpec) -> None:
        self._root, self._split, self._spec = root, split, spec
        self._images: list[Record] = []
        self._instances: list[Record] = []
        self._panoptic: list[Record] = []

    def add(self, index: int, scene: Scene) -> None:
        """Write the picture of a scene and its maps, and note its segments."""
        name, folder = f"ADE_{self._split}_{index + 1:08d}", FOLDERS[self._split]
        stream = [self._spec.seed, len(FOLDERS[self._split]), index]
        rng = np.random.Generator(np.random.PCG64(stream))
        labels = scene.labels.copy()
        small = [n for n, entity in enumerate(scene.entities, start=1) if entity.kind == "small"]
        if small and draw(rng, 1, 100) <= self._spec.void_percent:
            labels[labels == small[0]] = 0
        write_jpeg(self._root / "images" / folder / f"{name}.jpg", scene.image)
        height, width = labels.shape
        self._images.append(
            {"id": name, "file_name": f"{name}.jpg", "height": height, "width": width}
        )
        # A class without an instance: the semantic map knows it, the panoptic one has void.
        semantic = np.array([0, *(CLASSES.index(e.name) + 1 for e in scene.entities)], np.uint8)
        write_gray_png(self._root / "annotations" / folder / f"{name}.png", semantic[scene.labels])
        shifted = semantic[scene.labels] - np.uint8(1)
        write_gray_png(self._root / "annotations_detectron2" / folder / f"{name}.png", shifted)
        self._write_instances(scene, labels, folder, name)
        self._write_panoptic(rng, scene, labels, name)

    def _write_instances(
        self, scene: Scene, labels: np.ndarray[Any, np.dtype[np.int32]], folder: str, name: str
    ) -> None:
        """Write the PNG of class (red) and instance (green) and note the instances."""
        table = np.zeros((len(scene.entities) + 1, 3), np.uint8)
        numbers = [n for n, entity in enumerate(scene.entities, start=1) if entity.isthing]
        numbers = [number for number in numbers if (labels == number).any()]
        for instance, number in enumerate(numbers, start=1):
            table[number] = (THINGS.index(scene.entities[number - 1].name) + 1, instance, 0)
        write_png(self._root / "annotations_instance" / folder / f"{name}.png", table[labels])
        for number, code in zip(numbers, label_masks(labels, numbers), strict=True):
            self._instances.append(
                {
                    "id": len(self._instances) + 1,
                    "image_id": name,
                    "category_id": CLASSES.index(scene.entities[number - 1].name),
                    "iscrowd": 0,
                    "area": int(coco_mask.area(code)),
                    "bbox": [int(side) for side in coco_mask.toBbox(code)],
                    "segmentation": code,
                }
            )

    def _write_panoptic(
        self,
        rng: np.random.Generator,
        scene: Scene,
        labels: np.ndarray[Any, np.dtype[np.int32]],
        name: str,
    ) -> None:
        ids = np.array([0, *segment_ids(rng, len(scene.entities))], np.int32)
        colours = ids[labels]
        rgb = np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=-1)
        folder = self._root / f"ade20k_panoptic_{self._split}"
        write_png(folder / f"{name}.png", rgb.astype(np.uint8))
        numbers = [int(number) for number in np.unique(labels) if number]
        segments = [
            {
                "id": int(ids[number]),
                "category_id": CLASSES.index(scene.entities[number - 1].name),
                "area": int(coco_mask.area(code)),
                "bbox": [int(side) for side in coco_mask.toBbox(code)],
                "iscrowd": 0,
            }
            for number, code in zip(numbers, label_masks(labels, numbers), strict=True)
        ]
        self._panoptic.append(
            {"image_id": name, "file_name": f"{name}.png", "segments_info": segments}
        )

    def close(self) -> dict[str, Record]:
        """Write the JSON files and class names; return the manifest's entries of the splits."""
        part = self._split
        every = [
            {"id": at, "name": name, "isthing": int(name in THINGS), "color": [at, 9 * at % 256, 0]}
            for at, name in enumerate(CLASSES)
        ]
        things = [{"id": item["id"], "name": item["name"]} for item in every if item["isthing"]]
        for form, records, categories in (
            ("panoptic", self._panoptic, every),
            ("instance", self._instances, things),
        ):
            content = {"images": self._images, "annotations": records, "categories": categories}
            write_compact_json(self._root / f"ade20k_{form}_{part}.json", content)
        rows = [f"{at}\t0\t0\t0\t{name}\n" for at, name in enumerate(CLASSES, start=1)]
        write_text(self._root / NAMES, "".join(["Idx\tRatio\tTrain\tVal\tName\n", *rows]))
        images = f"images/{FOLDERS[part]}"
        semantic = {"masks": f"annotations/{FOLDERS[part]}", "names": NAMES}
        values = {"first": 1, "classes": len(CLASSES), "ignore": 0}
        panoptic = {"annotations": f"ade20k_panoptic_{part}.json", "images": images}
        instance = {"annotations": f"ade20k_instance_{part}.json", "images": images}
        return {
            part: {**panoptic, "masks": f"ade20k_panoptic_{part}"},
            f"{part}_semantic": {"format": "semantic_maps", "images": images, **semantic, **values},
            f"{part}_instance": {"format": "coco_instances", **instance},
        }
