"""Writes scenes as EntitySeg's release lays out its classes: instance, semantic and panoptic.

As in the release, the class-labelled pictures are folder 01's, semantic and panoptic maps are of
the size of ``images_lr``, panoptic records name the picture instead of the map, and instance ids
have gaps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.coco_layout import segment_ids
from workbench.datasets.worlds.curves import THIN_SHAPES
from workbench.datasets.worlds.encode import (
    low_resolution,
    resize_image,
    resize_labels,
    write_compact_json,
    write_jpeg,
)
from workbench.datasets.worlds.png import write_gray_png, write_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.spec import WorldSpec
from workbench.datasets.worlds.vocabulary import CATEGORY_IDS, STUFF, THINGS
from workbench.files import write_text

Record = dict[str, Any]
FOLDER = "entity_01_11580"
ANNOTATIONS = "annotations"
VOID = 255
# Rare classes have entities, but are no semantic class: thin things here.
SEMANTIC = tuple(name for name in (*THINGS, *STUFF) if name not in THIN_SHAPES)
INSTANCE_IDS = {name: 5 * CATEGORY_IDS[name] + 2 for name in THINGS}
_SPLIT_STREAM = {"train": 1, "val": 2}


class EntitySegClassesWriter:
    """Writes the pictures and maps of one split as they come; ``close`` writes lists and JSON.

    Args:
        root: Folder of the data set.
        split: "train" or "val".
        spec: The world's parameters; ``lr`` is needed.
    """

    def __init__(self, root: Path, split: str, spec: WorldSpec) -> None:
        self._root, self._split, self._spec = root, split, spec
        self._images: list[Record] = []
        self._instances: list[Record] = []
        self._panoptic: list[Record] = []
        self._pairs: list[str] = []

    def add(self, index: int, scene: Scene) -> None:
        """Write the picture of a scene and its maps, and note its entities."""
        stem, image_id = f"{scene.domain}_{self._split}_{index:06d}", index + 1
        height, width = scene.labels.shape
        low = low_resolution((height, width), *(self._spec.lr or (min(height, width), 1 << 16)))
        write_jpeg(self._root / "images" / FOLDER / f"{stem}.jpg", scene.image)
        small = resize_image(scene.image, low)
        write_jpeg(self._root / "images_lr" / FOLDER / f"{stem}.jpg", small)
        record = {"id": image_id, "file_name": f"{stem}.jpg", "width": width, "height": height}
        self._images.append(record)
        self._note_instances(scene, image_id)
        labels = resize_labels(scene.labels, low)
        self._write_semantic(scene, labels, stem)
        self._write_panoptic(scene, labels, stem, image_id)

    def _note_instances(self, scene: Scene, image_id: int) -> None:
        codes = label_masks(scene.labels, range(1, len(scene.entities) + 1))
        for entity, code in zip(scene.entities, codes, strict=True):
            if not entity.isthing:
                continue
            self._instances.append(
                {
                    "id": len(self._instances) + 1,
                    "image_id": image_id,
                    "category_id": INSTANCE_IDS[entity.name],
                    "iscrowd": 0,
                    "area": int(coco_mask.area(code)),
                    "bbox": [int(side) for side in coco_mask.toBbox(code)],
                    "segmentation": code,
                }
            )

    def _write_semantic(self, scene: Scene, labels: NDArray[np.int32], stem: str) -> None:
        values = [VOID]
        values += [SEMANTIC.index(e.name) if e.name in SEMANTIC else VOID for e in scene.entities]
        folder = f"semantic_segmentation/semantic_maps_{self._split}"
        path = self._root / ANNOTATIONS / folder / f"{stem}.png"
        write_gray_png(path, np.array(values, np.uint8)[labels])
        self._pairs.append(f"{stem}.jpg {stem}.png\n")

    def _write_panoptic(
        self, scene: Scene, labels: NDArray[np.int32], stem: str, image_id: int
    ) -> None:
        stream = [self._spec.seed, _SPLIT_STREAM[self._split], image_id]
        rng = np.random.Generator(np.random.PCG64(stream))
        ids = np.array([0, *segment_ids(rng, len(scene.entities))], np.int32)
        colours = ids[labels]
        rgb = np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=-1)
        folder = f"panoptic_segmentation/panoptic_maps_{self._split}"
        write_png(self._root / ANNOTATIONS / folder / f"{stem}.png", rgb.astype(np.uint8))
        seen = np.bincount(labels.ravel(), minlength=len(ids)).tolist()
        segments = [
            {"id": int(ids[number]), "category_id": CATEGORY_IDS[entity.name], "iscrowd": 0}
            for number, entity in enumerate(scene.entities, start=1)
            if seen[number]
        ]
        record = {"image_id": image_id, "file_name": f"{stem}.jpg", "segments_info": segments}
        self._panoptic.append(record)

    def close(self) -> dict[str, Record]:
        """Write lists and JSON files; return the manifest's entries of the splits."""
        part = self._split
        instances = f"{ANNOTATIONS}/instance_segmentation/entityv2_01_instances_{part}.json"
        content = {"images": self._images, "annotations": self._instances}
        things = [{"id": n, "name": name, "type": "thing"} for name, n in INSTANCE_IDS.items()]
        write_compact_json(self._root / instances, {**content, "categories": things})
        panoptic = f"{ANNOTATIONS}/panoptic_segmentation/entityv2_01_panoptic_{part}.json"
        categories = [
            {"id": number, "name": name, "isthing": int(name in THINGS)}
            for name, number in CATEGORY_IDS.items()
        ]
        content = {"annotations": self._panoptic, "categories": categories}
        write_compact_json(self._root / panoptic, content)
        listed = f"{ANNOTATIONS}/semantic_segmentation/{part}.txt"
        write_text(self._root / listed, "".join(self._pairs))
        full, low = f"images/{FOLDER}", f"images_lr/{FOLDER}"
        maps = {
            kind: f"{ANNOTATIONS}/{kind}_segmentation/{kind}_maps_{part}"
            for kind in ("semantic", "panoptic")
        }
        values = {"first": 0, "classes": len(SEMANTIC), "ignore": VOID}
        semantic = {"annotations": listed, "images": low, "masks": maps["semantic"], **values}
        segments = {"annotations": panoptic, "images": low, "masks": maps["panoptic"]}
        return {
            f"{part}_instance": {"annotations": instances, "images": full},
            f"{part}_semantic": {"format": "semantic_maps", **semantic},
            f"{part}_panoptic": {"format": "coco_panoptic", **segments},
        }
