"""Crop dataloader: an image becomes a full view and corner crops of one size (paper 4.1, Eq. 1).

Sizes are (height, width), except the ``scale`` of the transform, which is (width, height) as
everywhere in MMCV transforms.
"""

from __future__ import annotations

from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

CROP_CHOICES = ("none", "random", "all")


def corner_boxes(image_size: tuple[int, int], ratio: float) -> np.ndarray:
    """Return the four corner crops: upper left, upper right, lower left, lower right.

    Args:
        image_size: (height, width) in pixels.
        ratio: Side of a crop relative to the image's, in (0, 1].

    Returns:
        (4, 4) int, xyxy in pixels, each of size (int(ratio H), int(ratio W)).
    """
    height, width = image_size
    crop_h, crop_w = max(int(ratio * height), 1), max(int(ratio * width), 1)
    right, lower = width - crop_w, height - crop_h
    corners = [(0, 0), (right, 0), (0, lower), (right, lower)]
    return np.array([(x, y, x + crop_w, y + crop_h) for x, y in corners])


@TRANSFORMS.register_module()
class CornerCropViews(BaseTransform):
    """Make the views of an image: the full image and none, one random or all corner crops.

    All views are resized to the size that the full image takes within ``scale``, its aspect
    kept; the masks go with them, nearest neighbour.

    Required keys: img, gt_masks (optional). Added keys: views (list of (h, w, 3) arrays),
    view_boxes (T, 4), view_masks (G, T, h, w) bool (where gt_masks is given). Modified: img_shape.

    Args:
        scale: (short, long) limits in any order, or a list of them, one chosen at random
            (multi-scale training).
        crops: ``none``, ``random`` (one, for training) or ``all`` (four, for inference).
        ratio: Delta of the paper, 0.7.

    Raises:
        ValueError: Unknown ``crops`` or a ratio outside (0, 1].
    """

    def __init__(
        self,
        scale: tuple[int, int] | list[tuple[int, int]],
        crops: str = "all",
        ratio: float = 0.7,
    ) -> None:
        if crops not in CROP_CHOICES:
            raise ValueError(f"crops {crops!r} is not one of {', '.join(CROP_CHOICES)}")
        if not 0 < ratio <= 1:
            raise ValueError(f"ratio {ratio} is not in (0, 1]")
        self.scales = [scale] if isinstance(scale[0], int) else list(scale)
        self.crops, self.ratio = crops, ratio

    def view_boxes(self, image_size: tuple[int, int]) -> np.ndarray:
        """Return (T, 4) int boxes, xyxy in pixels, the full image first."""
        height, width = image_size
        full = np.array([(0, 0, width, height)])
        if self.crops == "none":
            return full
        corners = corner_boxes(image_size, self.ratio)
        if self.crops == "random":
            corners = corners[np.random.randint(4)][None]
        return np.concatenate((full, corners))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the views to ``results``."""
        image = results["img"]
        boxes = self.view_boxes(image.shape[:2])
        scale = (
            self.scales[np.random.randint(len(self.scales))]
            if len(self.scales) > 1
            else self.scales[0]
        )
        width, height = mmcv.rescale_size((image.shape[1], image.shape[0]), tuple(scale))
        results["views"] = [
            mmcv.imresize(image[y0:y1, x0:x1], (width, height)) for x0, y0, x1, y1 in boxes
        ]
        if "gt_masks" in results:
            results["view_masks"] = np.stack(
                [
                    results["gt_masks"].crop(box).resize((height, width)).masks.astype(bool)
                    for box in boxes
                ],
                axis=1,
            )
        results["view_boxes"] = boxes
        results["img_shape"] = (height, width)
        return results


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Pack the views of an image as model input and its entities as class-agnostic targets.

    Entities smaller than one pixel in every view are dropped, and so are crowd regions.

    Args:
        meta_keys: Keys that go into the sample's metainfo where present.
    """

    def __init__(
        self,
        meta_keys: tuple[str, ...] = (
            "img_id",
            "img_path",
            "file_name",
            "ori_shape",
            "img_shape",
            "view_boxes",
        ),
    ) -> None:
        self.meta_keys = meta_keys

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` uint8 (T, 3, h, w) BGR and ``data_samples``."""
        views = np.ascontiguousarray(np.stack(results["views"]).transpose(0, 3, 1, 2))
        sample = DetDataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        if "view_masks" in results:
            masks = results["view_masks"]
            keep = masks.any(axis=(1, 2, 3))
            if "gt_ignore_flags" in results:
                keep &= ~np.asarray(results["gt_ignore_flags"], dtype=bool)
            masks = torch.from_numpy(masks[keep])
            sample.gt_instances = InstanceData(
                labels=torch.zeros(len(masks), dtype=torch.long), masks=masks
            )
        return {"inputs": torch.from_numpy(views), "data_samples": sample}
