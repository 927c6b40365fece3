"""SGinW's small world: 25 sets, each with its own vocabulary, looks and ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.sginw import ANNOTATIONS, SETS
from workbench.datasets.worlds.coco_layout import outline_or_rle
from workbench.datasets.worlds.collage import (
    HUES,
    Layer,
    Surface,
    compact_layer,
    compose,
    named_colour,
    paint,
    paler,
    random_ground,
    random_pose,
)
from workbench.datasets.worlds.contact_sheet import PER_DOMAIN, ContactSheet
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.fixed import draw, image_generator
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec
from workbench.datasets.worlds.shapes import SHAPES

Record = dict[str, Any]
TEXTURES = ("flat", "stripes", "grainy", "checks", "gradient", "dots")


def write_sginw(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write the folders of all sets; return the manifest's entries, SET_FOLDER."""
    entries = {}
    for number, name in enumerate(SETS):
        for part, (folder, count) in enumerate(spec.splits.items()):
            scenes = []
            for index in range(count):
                rng = image_generator(spec.seed, 10 * number + part, index)
                scenes.append(_scene(rng, spec, name, number))
                if index == 0 and part == 0:  # a sheet of all would be hundreds of pictures
                    sheet.add(scenes[0])
            entries[f"{name}_{folder}"] = _write_folder(root, name, folder, scenes)
    return entries


def _write_folder(root: Path, name: str, folder: str, scenes: list[Scene]) -> Record:
    """Write one folder; image, annotation and category ids count from 0, as the export's do."""
    place = f"{name}/{folder}"
    images: list[Record] = []
    annotations: list[Record] = []
    for image_id, scene in enumerate(scenes):
        file = (
            f"{name.lower()}-{image_id:03d}_jpg.rf.{image_id * 2_654_435_761 % (1 << 32):08x}.jpg"
        )
        write_jpeg(root / place / file, scene.image)
        height, width = scene.labels.shape
        images.append({"id": image_id, "file_name": file, "height": height, "width": width})
        codes = label_masks(scene.labels, range(1, len(scene.entities) + 1))
        for entity, code in zip(scene.entities, codes, strict=True):
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image_id,
                    "category_id": SETS[name].index(entity.name),
                    "bbox": [int(side) for side in coco_mask.toBbox(code)],
                    "area": int(coco_mask.area(code)),
                    "segmentation": outline_or_rle(code),
                    "iscrowd": 0,
                }
            )
    names = [
        {"id": number, "name": word, "supercategory": name}
        for number, word in enumerate(SETS[name])
    ]
    content = {"images": images, "annotations": annotations, "categories": names}
    write_compact_json(root / place / ANNOTATIONS, content)
    return {"annotations": f"{place}/{ANNOTATIONS}", "images": place}


def _scene(rng: np.random.Generator, spec: SetSpec, name: str, number: int) -> Scene:
    layers = [_object(rng, spec, name, number) for _ in range(draw(rng, *spec.objects))]
    ground = paint(rng, random_ground(rng, saturation=40 + 6 * number), spec.size)
    first = number // PER_DOMAIN * PER_DOMAIN
    row = ", ".join(list(SETS)[first : first + PER_DOMAIN])
    return compose(rng, ground, layers, row, spec.noise)


def _object(rng: np.random.Generator, spec: SetSpec, name: str, number: int) -> Layer:
    """Draw an object of a class; a class looks alike in all pictures of its set."""
    kind = draw(rng, 0, len(SETS[name]) - 1)
    shapes, seed = sorted(SHAPES), 11 * number + 5 * kind
    first = named_colour((number + 3 * kind) % len(HUES), draw(rng, 160, 220), draw(rng, 150, 235))
    surface = Surface(first, paler(first, 60), TEXTURES[(number + kind) % len(TEXTURES)])
    pose = random_pose(rng, spec.extent, spec.size)
    shape = shapes[seed % len(shapes)]
    return compact_layer(rng, SETS[name][kind], shape, pose, surface, spec.size)
