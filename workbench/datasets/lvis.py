"""LVIS v1: COCO-style instances of many classes, not all of them annotated in every picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.datasets.instances import InstanceReader
from workbench.datasets.schema import EntityImage
from workbench.errors import BadInput


class LvisReader(InstanceReader):
    """Makes entity records from an LVIS file.

    A picture's folder and name are the last two parts of its ``coco_url``, for LVIS's splits mix
    COCO's. Nothing is a crowd. The records say which classes were looked for in vain and which are
    not annotated in full (``neg_category_ids``, ``not_exhaustive_category_ids``).

    Source: LVIS v1's files and API.
    """

    @staticmethod
    def named(image: Any) -> Any:
        if not isinstance(image, dict) or "file_name" in image:
            return image
        url = image.get("coco_url")
        if not isinstance(url, str):
            return image
        return {**image, "file_name": "/".join(url.split("/")[-2:])}

    def __call__(self, index: int) -> EntityImage:
        found, image = super().__call__(index), self._images[index]
        field = f"images[{index}]"
        return replace(
            found,
            negative_ids=self._classes(image, "neg_category_ids", field),
            not_exhaustive_ids=self._classes(image, "not_exhaustive_category_ids", field),
        )

    def _classes(self, image: dict[str, Any], key: str, field: str) -> tuple[int, ...]:
        value = image.get(key, [])
        if not isinstance(value, list) or any(type(item) is not int for item in value):
            raise BadInput(self._file, f"{field}.{key}", "not a list of ids", "use LVIS's own file")
        return tuple(value)

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        if split not in ("train", "val"):
            raise BadInput("prep", f"splits.{split}", "unknown split", "use train or val")
        return {"annotations": f"annotations/lvis_v1_{split}.json", "images": "."}
