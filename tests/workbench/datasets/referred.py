"""RefCOCO and ReasonSeg of two small pictures, made by hand, for tests to damage."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PICTURES = "images/mscoco/images/train2014"


def picture(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(path)


def ref(number: int, annotation: int, image: int, split: str, *texts: str) -> dict[str, Any]:
    ids = [number * 10 + at for at in range(len(texts))]
    return {
        "sent_ids": ids,
        "file_name": f"COCO_train2014_{image:012d}_{annotation}.jpg",
        "ann_id": annotation,
        "ref_id": number,
        "image_id": image,
        "split": split,
        "category_id": 3,
        "sentences": [
            {"tokens": text.split(), "raw": text.upper(), "sent_id": at, "sent": text}
            for at, text in zip(ids, texts, strict=True)
        ],
    }


class HandMadeRefcoco:
    """Two pictures of 8 x 10 pixels with three annotations, four refs."""

    def __init__(self, root: Path) -> None:
        self.root, self.protocol = root, 2
        names = [f"COCO_train2014_{k:012d}.jpg" for k in (5, 6)]
        for name in names:
            picture(root / PICTURES / name, (8, 10))
        self.instances: dict[str, Any] = {
            "images": [
                {"id": 5 + k, "file_name": name, "height": 8, "width": 10}
                for k, name in enumerate(names)
            ],
            "annotations": [
                # Two overlapping parts: columns 0 to 3 and 2 to 5 of rows 0 to 3.
                {"id": 21, "image_id": 5, "category_id": 3,
                 "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4], [2, 0, 6, 0, 6, 4, 2, 4]]},
                {"id": 22, "image_id": 5, "category_id": 3,
                 "segmentation": [[6, 5, 9, 5, 9, 8, 6, 8]]},
                {"id": 23, "image_id": 6, "category_id": 3,
                 "segmentation": {"size": [8, 10], "counts": [40, 8, 32]}},
            ],
            "categories": [{"id": 3, "name": "dog"}],
        }  # fmt: skip
        self.refs: Any = [
            ref(1, 21, 5, "train", "left dog", "dog on the left"),
            ref(2, 22, 5, "val", "the small one"),
            ref(3, 23, 6, "testA", "only dog"),
            ref(4, 23, 6, "testAB", "dog", "animal", "thing"),
        ]

    def write(self, split: str = "train") -> Path:
        """Write the files and return a manifest with one split."""
        folder = self.root / "refcoco"
        folder.mkdir(exist_ok=True)
        (folder / "instances.json").write_text(json.dumps(self.instances))
        data = self.refs if isinstance(self.refs, bytes) else pickle.dumps(self.refs, self.protocol)
        (folder / "refs(unc).p").write_bytes(data)
        entry = {
            "annotations": "refcoco/instances.json",
            "images": PICTURES,
            "refs": "refcoco/refs(unc).p",
        }
        return manifest(self.root, "refcoco", {split: entry})


class HandMadeReasonseg:
    """One picture of 20 x 30 pixels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "ReasonSeg/val"
        picture(self.folder / "a.jpg", (20, 30))
        self.code = "utf-8"
        self.content: dict[str, Any] = {
            "text": ["What could you eat?", "the food"],
            "is_sentence": True,
            "shapes": [
                {"label": "ignore", "points": [[4, 4], [7, 4], [7, 7], [4, 7]]},
                {"label": "target", "points": [[2.9, 2.2], [12.6, 2], [12, 9.99], [2, 9]]},
                {"label": "flag", "points": [[0, 0], [29, 0], [29, 19]]},
                {"label": "target", "points": [[5, 5], [6, 5], [6, 6], [5, 6]]},
            ],
        }

    def write(self) -> Path:
        text = json.dumps(self.content, ensure_ascii=False)
        (self.folder / "a.json").write_bytes(text.encode(self.code))
        return manifest(self.root, "reasonseg", {"val": {"images": "ReasonSeg/val"}})


def manifest(root: Path, form: str, splits: dict[str, Any]) -> Path:
    path = root / "manifest.json"
    path.write_text(json.dumps({"name": "hand", "format": form, "root": ".", "splits": splits}))
    return path
