"""EntitySeg's entity files: COCO-style, under either of two naming schemes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.datasets.instances import InstanceReader
from workbench.errors import BadInput, MissingInput

_SPLIT = re.compile(r"^(train|val)(_0[123])?(_lr)?$")
_FOLDERS = {"_01": "entity_01_11580", "_02": "entity_02_11598", "_03": "entity_03_10049"}
_ANNOTATION_FOLDERS = ("annotations/entity_segmentation", "annotations", ".")


class EntitySegReader(InstanceReader):
    """Makes entity records from an EntitySeg entity file; see ``InstanceReader``."""

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        match = _SPLIT.match(split)
        if match is None:
            fix = "use train, val, train_01 to val_03, train_lr or val_lr"
            raise BadInput("prep", f"splits.{split}", "unknown split", fix)
        part, number, low = match[1], match[2] or "", match[3] or ""
        names = (
            f"entityv2{number or '_010203'}_entity_{part}{low}.json",
            f"entityseg_{part}{number}{low}.json",
        )
        images = f"images{low}"
        if number and (root / images / _FOLDERS[number]).is_dir():
            images = f"{images}/{_FOLDERS[number]}"
        for folder in _ANNOTATION_FOLDERS:
            for name in names:
                if (root / folder / name).is_file():
                    path = name if folder == "." else f"{folder}/{name}"
                    return {"annotations": path, "images": images, "masks": None}
        raise MissingInput(
            root / _ANNOTATION_FOLDERS[0] / names[0], f"nor is {names[1]}; get EntitySeg"
        )
