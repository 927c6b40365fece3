"""Writes scenes as COCO 2017 lays out panoptic and instance annotations on disk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.schema import RLE
from workbench.datasets.worlds.domains import hue_colour
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.narrative_spec import NarrativeSpec
from workbench.datasets.worlds.outline import mask_polygons
from workbench.datasets.worlds.png import write_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.spec import WorldSpec
from workbench.datasets.worlds.vocabulary import CATEGORY_IDS, STUFF

VOID = 0
_SPLIT_IDS = {"train": 0, "captions": 250_000, "val": 500_000}

Record = dict[str, Any]


class CocoWriter:
    """Writes the pictures and PNGs of one split as they come; ``close`` writes the JSON files.

    Args:
        root: Folder of the data set.
        split: "train" or "val".
        spec: The world's parameters.
    """

    def __init__(self, root: Path, split: str, spec: WorldSpec | NarrativeSpec) -> None:
        self._root, self._split, self._spec = root, split, spec
        self._images: list[Record] = []
        self._panoptic: list[Record] = []
        self._instances: list[Record] = []

    def add(self, index: int, scene: Scene) -> None:
        """Write the picture of a scene and its PNG, and note its segments."""
        image_id = _SPLIT_IDS[self._split] + index + 1
        rng = np.random.Generator(np.random.PCG64([self._spec.seed, image_id]))
        labels, crowd = _blemished(rng, scene, self._spec)
        seen = np.flatnonzero(np.bincount(labels.ravel())).tolist()
        numbers = [number for number in seen if number != VOID]
        ids = segment_ids(rng, len(numbers))
        name, size = f"{image_id:012d}", labels.shape
        write_jpeg(self._root / f"{self._split}2017/{name}.jpg", scene.image)
        painted = np.zeros(len(scene.entities) + 1, np.int32)
        painted[numbers] = ids
        colours = painted[labels]
        rgb = np.stack([colours & 255, colours >> 8 & 255, colours >> 16], axis=-1)
        write_png(self._root / f"panoptic_{self._split}2017/{name}.png", rgb.astype(np.uint8))
        self._images.append(
            {"id": image_id, "file_name": f"{name}.jpg", "width": size[1], "height": size[0]}
        )
        segments = []
        codes = label_masks(labels, numbers)
        for number, segment_id, code in zip(numbers, ids, codes, strict=True):
            segment = _segment(scene.entities[number - 1].name, number == crowd, code)
            segments.append({"id": segment_id, **segment})
            if scene.entities[number - 1].isthing:
                shape = plain_counts(code) if number == crowd else outline_or_rle(code)
                instance = {"id": len(self._instances) + 1, "image_id": image_id, **segment}
                self._instances.append({**instance, "segmentation": shape})
        self._panoptic.append(
            {"image_id": image_id, "file_name": f"{name}.png", "segments_info": segments}
        )

    def close(self) -> dict[str, Record]:
        """Write the JSON files; return the manifest's entry of the split."""
        things = [category for category in _categories() if category["isthing"]]
        for category in things:
            del category["isthing"], category["color"]
        panoptic = f"annotations/panoptic_{self._split}2017.json"
        files = {
            panoptic: (self._panoptic, _categories()),
            f"annotations/instances_{self._split}2017.json": (self._instances, things),
        }
        for path, (records, categories) in files.items():
            content = {"images": self._images, "annotations": records}
            write_compact_json(self._root / path, {**content, "categories": categories})
        entry = {
            "annotations": panoptic,
            "images": f"{self._split}2017",
            "masks": f"panoptic_{self._split}2017",
        }
        return {self._split: entry}


def _categories() -> list[Record]:
    found = []
    for order, (name, number) in enumerate(CATEGORY_IDS.items()):
        colour = hue_colour(order * 590 % 1536, 200, 220).tolist()
        thing = int(name not in STUFF)
        kind = "thing" if thing else "stuff"
        found.append(
            {"supercategory": kind, "color": colour, "isthing": thing, "id": number, "name": name}
        )
    return found


def _blemished(
    rng: np.random.Generator, scene: Scene, spec: WorldSpec | NarrativeSpec
) -> tuple[NDArray[np.int32], int | None]:
    """Merge some small entities into a crowd and leave one unlabelled, as spec's chances say.

    Returns:
        The (H, W) labels with void 0 and the number of the crowd, if there is one.
    """
    labels = scene.labels.copy()
    small = [n for n, entity in enumerate(scene.entities, start=1) if entity.kind == "small"]
    crowd = None
    if draw(rng, 1, 100) <= spec.crowd_percent and len(small) > 1:
        names = Counter(scene.entities[n - 1].name for n in small)
        common = names.most_common(1)[0][0]
        crowd = next(n for n in small if scene.entities[n - 1].name == common)
        members = [n for n in small if scene.entities[n - 1].name == common]
        # A crowd of one kind where there is one; else any two small entities stand together.
        for number in members if len(members) > 1 else small[:2]:
            labels[labels == number] = crowd
    if draw(rng, 1, 100) <= spec.void_percent:
        rest = [n for n in small if n != crowd and (labels == n).any()]
        if rest:
            labels[labels == rest[draw(rng, 0, len(rest) - 1)]] = VOID
    return labels, crowd


def segment_ids(rng: np.random.Generator, count: int) -> list[int]:
    """Return distinct ids over all three bytes of a PNG colour, as COCO's random ones."""
    ids: list[int] = []
    while len(ids) < count:
        number = draw(rng, 1, (1 << 24) - 1)
        if number not in ids:
            ids.append(number)
    return ids


def _segment(name: str, crowd: bool, code: RLE) -> Record:
    return {
        "category_id": CATEGORY_IDS[name],
        "iscrowd": int(crowd),
        "bbox": [int(side) for side in coco_mask.toBbox(code)],
        "area": int(coco_mask.area(code)),
    }


def outline_or_rle(code: RLE) -> list[list[int]] | RLE:
    """Return polygons where they give the mask exactly, else the run-length mask."""
    polygons = mask_polygons(coco_mask.decode(code).astype(bool))
    if min(len(polygon) for polygon in polygons) >= 6:
        again = coco_mask.merge(coco_mask.frPyObjects(polygons, *code["size"]))
        if again["counts"].decode() == code["counts"]:
            return polygons
    return code


def plain_counts(code: RLE) -> RLE:
    """Return a mask as plain counts, column by column, as COCO's crowds and YouTube-VIS have it."""
    flat = coco_mask.decode(code).ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    ends = [0, *changes, len(flat)]
    counts = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    return {"size": code["size"], "counts": counts}
