"""LVIS's small world: many classes, most of them rare, and not every picture annotated for all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.coco_layout import outline_or_rle
from workbench.datasets.worlds.collage import (
    HUES,
    Surface,
    compact_layer,
    compose,
    named_colour,
    paint,
    paler,
    random_ground,
    random_pose,
)
from workbench.datasets.worlds.contact_sheet import ContactSheet
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.fixed import draw, image_generator, pick
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec
from workbench.datasets.worlds.shapes import SHAPES

Record = dict[str, Any]
COCO_URL = "http://images.cocodataset.org"
CLASSES = tuple(f"{hue}_{shape}" for shape in sorted(SHAPES) for hue in HUES)
# As LVIS's, the k-th class in a shuffled order is about k times as rare as the first.
WEIGHTS = {name: 4000 // (1 + at * 77 % len(CLASSES)) for at, name in enumerate(CLASSES)}
_UNSEEN_PERCENT = 25


def write_lvis(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write LVIS's files; return the manifest's entries."""
    entries = {}
    for number, (split, count) in enumerate(spec.splits.items()):
        images: list[Record] = []
        annotations: list[Record] = []
        for index in range(count):
            rng = image_generator(spec.seed, number, index)
            scene = _scene(rng, spec)
            sheet.add(scene)
            # LVIS's splits mix the folders of COCO's.
            folder = "train2017" if index % 3 else "val2017"
            image_id = 100_000 * number + 37 * index + 9
            name = f"{folder}/{image_id:012d}.jpg"
            write_jpeg(root / name, scene.image)
            found, about = _annotations(rng, scene, image_id, len(annotations))
            annotations += found
            size = {"height": spec.size[0], "width": spec.size[1]}
            images.append({"id": image_id, "coco_url": f"{COCO_URL}/{name}", **size, **about})
        content = {"images": images, "annotations": annotations}
        content["categories"] = _categories(annotations)
        path = f"annotations/lvis_v1_{split}.json"
        write_compact_json(root / path, content)
        entries[split] = {"annotations": path, "images": "."}
    return entries


def _scene(rng: np.random.Generator, spec: SetSpec) -> Scene:
    layers = []
    for _ in range(draw(rng, *spec.objects)):
        name = pick(rng, WEIGHTS)
        hue, _, shape = name.partition("_")
        first = named_colour(HUES.index(hue), draw(rng, 150, 220), draw(rng, 150, 240))
        surface = Surface(first, paler(first, draw(rng, 10, 50)), "grainy")
        for _ in range(draw(rng, 1, 2)):
            pose = random_pose(rng, spec.extent, spec.size)
            layers.append(compact_layer(rng, name, shape, pose, surface, spec.size))
    ground = paint(rng, random_ground(rng), spec.size)
    return compose(rng, ground, layers, "lvis", spec.noise)


def _annotations(
    rng: np.random.Generator, scene: Scene, image_id: int, before: int
) -> tuple[list[Record], Record]:
    """Return annotations of the classes that this picture is annotated for, and its lists."""
    counts = Counter(entity.name for entity in scene.entities)
    seen = {name for name in sorted(counts) if draw(rng, 1, 100) > _UNSEEN_PERCENT}
    partial = {name for name in sorted(seen) if counts[name] > 1 and draw(rng, 0, 2) == 0}
    absent = [name for name in CLASSES if name not in counts]
    order = rng.permutation(len(absent))[: draw(rng, 3, 6)]
    codes = label_masks(scene.labels, range(1, len(scene.entities) + 1))
    skipped: set[str] = set()
    found: list[Record] = []
    for entity, code in zip(scene.entities, codes, strict=True):
        if entity.name not in seen:
            continue
        if entity.name in partial and entity.name not in skipped:
            skipped.add(entity.name)
            continue
        found.append(
            {
                "id": before + len(found) + 1,
                "image_id": image_id,
                "category_id": CLASSES.index(entity.name) + 1,
                "segmentation": outline_or_rle(code),
                "bbox": [float(side) for side in coco_mask.toBbox(code)],
                "area": float(coco_mask.area(code)),
            }
        )
    numbers = {
        "neg_category_ids": sorted(CLASSES.index(absent[int(at)]) + 1 for at in order),
        "not_exhaustive_category_ids": sorted(CLASSES.index(name) + 1 for name in partial),
    }
    return found, numbers


def _categories(annotations: list[Record]) -> list[Record]:
    instances = Counter(item["category_id"] for item in annotations)
    pictures = Counter(
        category for category, _ in {(a["category_id"], a["image_id"]) for a in annotations}
    )
    found = []
    for number, name in enumerate(CLASSES, start=1):
        often = "f" if pictures[number] > 10 else "c" if pictures[number] > 2 else "r"
        counts = {"image_count": pictures[number], "instance_count": instances[number]}
        words = {"name": name, "synonyms": [name], "synset": f"{name}.n.01", "def": name}
        found.append({"id": number, **words, "frequency": often, **counts})
    return found
