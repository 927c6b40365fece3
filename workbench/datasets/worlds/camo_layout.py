"""CAMO++'s small world: objects with the colours and texture of what is around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.collage import Layer, compose, paint, random_ground, random_pose
from workbench.datasets.worlds.contact_sheet import ContactSheet
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.fixed import Ints, draw, image_generator
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec
from workbench.datasets.worlds.shapes import compact_mask

Record = dict[str, Any]
ANIMALS = {"fish": "fish", "moth": "heart", "crab": "spark", "owl": "balloon", "seal": "pill"}
SHIFT = 40  # most pixels by which the surface of an object is another part of the ground


def write_camo(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write a COCO file and its pictures; return the manifest's entry of the only split."""
    images: list[Record] = []
    annotations: list[Record] = []
    for index in range(spec.splits["test"]):
        scene = _scene(image_generator(spec.seed, 0, index), spec)
        sheet.add(scene)
        name, image_id = f"camopp_{index + 1:05d}.jpg", index + 1
        write_jpeg(root / "images" / name, scene.image)
        height, width = scene.labels.shape
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        codes = label_masks(scene.labels, range(1, len(scene.entities) + 1))
        for entity, code in zip(scene.entities, codes, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": list(ANIMALS).index(entity.name) + 1,
                    "iscrowd": 0,
                    "area": int(coco_mask.area(code)),
                    "bbox": [int(side) for side in coco_mask.toBbox(code)],
                    "segmentation": code,
                }
            )
    names = [{"id": number, "name": name} for number, name in enumerate(ANIMALS, start=1)]
    content = {"images": images, "annotations": annotations, "categories": names}
    write_compact_json(root / "annotations/test.json", content)
    return {"test": {"annotations": "annotations/test.json", "images": "images"}}


def _scene(rng: np.random.Generator, spec: SetSpec) -> Scene:
    height, width = spec.size
    wide = paint(rng, random_ground(rng), (height + SHIFT, width + SHIFT))
    layers = [_hidden(rng, spec, wide) for _ in range(draw(rng, *spec.objects))]
    return compose(rng, wide[:height, :width], layers, "camouflage", spec.noise)


def _hidden(rng: np.random.Generator, spec: SetSpec, wide: Ints) -> Layer:
    """Draw an animal whose surface is the ground some pixels off, lighter or darker."""
    name = list(ANIMALS)[draw(rng, 0, len(ANIMALS) - 1)]
    pose = random_pose(rng, spec.extent, spec.size, spread=80)
    mask, (top, left, bottom, right) = compact_mask(ANIMALS[name], pose, spec.size)
    down, across = draw(rng, 6, SHIFT), draw(rng, 6, SHIFT)
    image = wide[top + down : bottom + down, left + across : right + across]
    shade = draw(rng, *spec.shade) * (1 if draw(rng, 0, 1) else -1)
    return Layer(name, mask, (top, left, bottom, right), np.clip(image + shade, 0, 255))
