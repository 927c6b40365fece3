"""Registered transforms for photographs."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from workbench.errors import BadInput
from workbench.photos import read_photo


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Read the photograph at ``img_path`` upright, whatever its mode (see `read_photo`).

    Annotations are pixels of the upright photograph, so its size must be the annotated one: an
    orientation in EXIF that the annotation tool did not apply would shift every mask.

    Required keys: img_path; height and width where the photograph has annotations. Added keys:
    img (H, W, 3) uint8 BGR, img_shape, ori_shape, both (height, width).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the pixels to ``results``.

        Raises:
            BadInput: The file cannot be read, or its size differs from the annotation's.
        """
        path = results["img_path"]
        image = read_photo(path)
        size = image.shape[:2]
        annotated = (results.get("height", size[0]), results.get("width", size[1]))
        if size != annotated:
            problem = f"upright it is {size[0]} x {size[1]}, annotated as "
            problem += f"{annotated[0]} x {annotated[1]}"
            fix = "annotate the upright photograph, or remove its EXIF orientation"
            raise BadInput(path, "height, width", problem, fix)
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = size
        return results
