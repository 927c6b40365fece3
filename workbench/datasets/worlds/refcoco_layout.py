"""Writes scenes with referring expressions as refer lays out RefCOCO, RefCOCO+ and RefCOCOg."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from workbench.datasets.refcoco import PICTURES, REFS
from workbench.datasets.rle import label_masks
from workbench.datasets.worlds.coco_layout import outline_or_rle
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.expression_sheet import ExpressionSheet
from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.grounding_scene import GroundingScene, make_grounding_scene
from workbench.datasets.worlds.referring_facts import seen_things
from workbench.datasets.worlds.referring_grammar import expressions
from workbench.datasets.worlds.referring_spec import EXPRESSION_SPLITS, ReferringSpec
from workbench.datasets.worlds.vocabulary import CATEGORY_IDS, THINGS

FOLDERS = {"refcoco": "refcoco", "refcoco_plus": "refcoco+", "refcocog": "refcocog"}
# In the real sets testA has people and testB everything else; here round shapes stand in.
ROUND = ("disc", "ring")
EXPRESSION_STREAM = 11
MOST_TRIES = 40

Record = dict[str, Any]


def write_refcoco(root: Path, spec: ReferringSpec) -> dict[str, Record]:
    """Write pictures, instances and refs; return the manifest's entries of the splits."""
    world = _World(root, spec)
    # The place in the format's own list, not in the world's, starts a split's streams.
    for number, split in enumerate(EXPRESSION_SPLITS[spec.format]):
        world.add_split(number, split, spec.splits.get(split, 0))
    world.close()
    folder = FOLDERS[spec.format]
    entry = {
        "annotations": f"{folder}/instances.json",
        "images": PICTURES,
        "masks": None,
        "refs": f"{folder}/{REFS[folder]}",
    }
    return {split: dict(entry) for split in spec.splits}


class _World:
    """Collects pictures, annotations and refs of all splits, numbered through."""

    def __init__(self, root: Path, spec: ReferringSpec) -> None:
        self._root, self._spec = root, spec
        self._images: list[Record] = []
        self._annotations: list[Record] = []
        self._refs: list[Record] = []
        self._sentences = 0
        self._sheet = ExpressionSheet()

    def add_split(self, number: int, split: str, count: int) -> None:
        """Add ``count`` pictures with at least one ref; scenes without one are passed over."""
        made = index = 0
        while made < count and index < count * MOST_TRIES:
            found = make_grounding_scene(self._spec.scene, number, index)
            rng = np.random.Generator(
                np.random.PCG64([self._spec.scene.seed, number, index, EXPRESSION_STREAM])
            )
            made += self._add_scene(rng, found, split)
            index += 1

    def _add_scene(self, rng: np.random.Generator, found: GroundingScene, split: str) -> bool:
        """Add a scene if it has targets; tell whether it has."""
        things = seen_things(found)
        said: dict[int, list[str]] = {}
        wanted = draw(rng, *self._spec.targets)
        for at in rng.permutation(len(things)).tolist():
            thing = things[at]
            if split in ("testA", "testB") and (thing.look.name in ROUND) != (split == "testA"):
                continue
            count = draw(rng, *self._spec.expressions)
            side = self._spec.scene.side
            texts = expressions(rng, self._spec.format, thing, things, side, count)
            if texts:
                said[thing.number] = texts
            if len(said) == wanted:
                break
        if said:
            self._write(found, split, said)
        return bool(said)

    def _write(self, found: GroundingScene, split: str, said: dict[int, list[str]]) -> None:
        image_id, labels = len(self._images) + 1, found.scene.labels
        name = f"COCO_train2014_{image_id:012d}.jpg"
        write_jpeg(self._root / PICTURES / name, found.scene.image)
        height, width = labels.shape
        self._images.append(
            {"id": image_id, "file_name": name, "height": height, "width": width, "license": 1}
        )
        things = [n for n, look in enumerate(found.looks, start=1) if look.colour is not None]
        for thing, code in zip(things, label_masks(labels, things), strict=True):
            number = len(self._annotations) + 1
            category = CATEGORY_IDS[found.looks[thing - 1].name]
            self._annotations.append(
                {
                    "id": number,
                    "image_id": image_id,
                    "category_id": category,
                    "iscrowd": 0,
                    "area": int(coco_mask.area(code)),
                    "bbox": [int(side) for side in coco_mask.toBbox(code)],
                    "segmentation": outline_or_rle(code),
                }
            )
            if thing in said:
                self._refer(image_id, number, category, split, said[thing])
                self._sheet.add(found.scene.image, labels == thing, said[thing])

    def _refer(
        self, image_id: int, annotation: int, category: int, split: str, texts: list[str]
    ) -> None:
        ids = [*range(self._sentences, self._sentences + len(texts))]
        self._sentences += len(texts)
        sentences = [
            {
                "tokens": text.split(),
                "raw": f"{text.capitalize()}.",
                "sent_id": number,
                "sent": text,
            }
            for number, text in zip(ids, texts, strict=True)
        ]
        self._refs.append(
            {
                "sent_ids": ids,
                # As in the real files, the annotation's id is part of a name that no file has.
                "file_name": f"COCO_train2014_{image_id:012d}_{annotation}.jpg",
                "ann_id": annotation,
                "ref_id": len(self._refs),
                "image_id": image_id,
                "split": split,
                "sentences": sentences,
                "category_id": category,
            }
        )

    def close(self) -> None:
        """Write the files of all splits."""
        folder = self._root / FOLDERS[self._spec.format]
        content = {
            "info": {"description": "generated"},
            "licenses": [{"id": 1, "name": "generated", "url": ""}],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [
                {"supercategory": "thing", "id": CATEGORY_IDS[name], "name": name}
                for name in THINGS
            ],
        }
        write_compact_json(folder / "instances.json", content)
        (folder / REFS[folder.name]).write_bytes(plain_bytes(self._refs))
        self._sheet.write(self._root / "contact_sheet.png")


def plain_bytes(value: Any) -> bytes:
    """Return a pickle of protocol 2 whose bytes depend on the value alone.

    A pickle with a memo depends on which equal texts happen to be one object.
    """
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=2)
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()
