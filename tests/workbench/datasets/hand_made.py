"""A data set of one small picture, made by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from workbench.datasets.rle import label_masks

# Two entities and a crowd on a picture of 4 x 6 pixels.
LABELS = np.array(
    [[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [3, 3, 1, 1, 2, 2], [3, 3, 1, 1, 2, 2]], np.int32
)


class HandMade:
    """A data set of one picture whose files a test may damage before it is read."""

    def __init__(self, root: Path, form: str) -> None:
        self.root, self.form = root, form
        (root / "images").mkdir(parents=True)
        picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
        Image.fromarray(picture).save(root / "images/a.png")
        image = {"id": 7, "file_name": "a.png", "height": 4, "width": 6}
        categories = [{"id": 1, "name": "thing"}, {"id": 2, "name": "stuff", "isthing": 0}]
        self.content: dict[str, Any] = {"images": [image], "categories": categories}
        if form == "coco_panoptic":
            self._add_segments()
        else:
            masks = label_masks(LABELS, [1, 2, 3])
            self.content["annotations"] = [
                {
                    "id": k,
                    "image_id": 7,
                    "category_id": 1,
                    "iscrowd": int(k == 3),
                    "segmentation": m,
                }
                for k, m in enumerate(masks, start=1)
            ]
        self.manifest_content = {
            "name": "hand",
            "format": form,
            "root": ".",
            "splits": {"val": {"annotations": "a.json", "images": "images", "masks": "masks"}},
        }

    def _add_segments(self) -> None:
        (self.root / "masks").mkdir()
        # Ids above 255 and 65,535 use the green and the blue channel.
        ids = np.array([0, 5, 300, 70_000], np.int32)[LABELS]
        rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], axis=-1)
        Image.fromarray(rgb.astype(np.uint8)).save(self.root / "masks/a.png")
        segments = [
            {"id": 5, "category_id": 1, "iscrowd": 0},
            {"id": 300, "category_id": 2, "iscrowd": 0},
            {"id": 70_000, "category_id": 1, "iscrowd": 1},
        ]
        self.content["annotations"] = [
            {"image_id": 7, "file_name": "a.png", "segments_info": segments}
        ]

    def add_image(self, **fields: Any) -> None:
        self.content["images"].append({**copy.deepcopy(self.content["images"][0]), **fields})

    def write(self, text: str | None = None) -> Path:
        """Write the files and return the manifest's path."""
        text = json.dumps(self.content) if text is None else text
        (self.root / "a.json").write_text(text, encoding="utf-8")
        manifest = self.root / "manifest.json"
        manifest.write_text(json.dumps(self.manifest_content), encoding="utf-8")
        return manifest
