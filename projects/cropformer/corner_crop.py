"""Crop dataloader: an image becomes a full view and corner crops of one size (paper 4.1, Eq. 1).

Sizes are (height, width), except the ``scale`` of the transform, which is (width, height) as
everywhere in MMCV transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

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


def resized_shape(shape: tuple[int, int], scale: Sequence[int]) -> tuple[int, int]:
    """Return the size that a view takes in the network: its short side at a given length.

    Source: detectron2's ``ResizeShortestEdge``, in its order of operations and rounding.

    Args:
        shape: (height, width) in pixels.
        scale: Length of the short side and limit of the long one, in any order.
    """
    short, limit = min(scale), max(scale)
    factor = short / min(shape)
    sides = [float(short) if side == min(shape) else factor * side for side in shape]
    if max(sides) > limit:
        factor = limit / max(sides)
        sides = [side * factor for side in sides]
    height, width = (int(side + 0.5) for side in sides)
    return height, width


def resize_view(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, 3) uint8 to (height, width) as Pillow does, which smooths where it shrinks.

    Source: detectron2's ``ResizeTransform``.
    """
    height, width = shape
    view = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(view.resize((width, height), Image.Resampling.BILINEAR))


def resize_masks(masks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize (G, H, W) to (G, height, width) by the pixels that Pillow takes as nearest."""
    rows, columns = (
        _nearest(length, target) for length, target in zip(masks.shape[1:], shape, strict=True)
    )
    return masks[:, rows[:, None], columns]


def _nearest(length: int, target: int) -> np.ndarray:
    ramp = Image.fromarray(np.arange(length, dtype=np.int32)[None])
    return np.asarray(ramp.resize((target, 1), Image.Resampling.NEAREST))[0]


def _stack_padded(arrays: list[np.ndarray], axis: int) -> np.ndarray:
    """Stack arrays whose size differs at ``axis`` and the next one, with zeros at the end."""
    sizes = np.array([array.shape[axis : axis + 2] for array in arrays])
    padded = []
    for array, missing in zip(arrays, sizes.max(0) - sizes, strict=True):
        width = [(0, 0)] * array.ndim
        width[axis : axis + 2] = [(0, int(pixels)) for pixels in missing]
        padded.append(np.pad(array, width) if missing.any() else array)
    return np.stack(padded, axis=axis)


@TRANSFORMS.register_module()
class CornerCropViews(BaseTransform):
    """Make the views of an image: the full image and none, one random or all corner crops.

    Each view is resized alone, so that its short side has one length: a crop, whose sides were cut
    to whole pixels, may come out a pixel larger or smaller than the full image. The masks go with
    them, nearest neighbour. Smaller views are padded with zeros at the lower and right border.

    Required keys: img, gt_masks (optional). Added keys: views (T, h, w, 3), view_boxes (T, 4),
    view_shapes (T, 2) of the views without padding, view_masks (G, T, h, w) bool (where gt_masks
    is given). Modified: img_shape, that of the full image.

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
        shapes = [resized_shape((y1 - y0, x1 - x0), scale) for x0, y0, x1, y1 in boxes]
        views = [
            resize_view(image[y0:y1, x0:x1], shape)
            for (x0, y0, x1, y1), shape in zip(boxes, shapes, strict=True)
        ]
        results["views"] = _stack_padded(views, axis=0)
        if "gt_masks" in results:
            masks = results["gt_masks"].masks.astype(bool)
            view_masks = [
                resize_masks(masks[:, y0:y1, x0:x1], shape)
                for (x0, y0, x1, y1), shape in zip(boxes, shapes, strict=True)
            ]
            results["view_masks"] = _stack_padded(view_masks, axis=1)
        results["view_boxes"] = boxes
        results["view_shapes"] = np.array(shapes)
        results["img_shape"] = shapes[0]
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
            "view_shapes",
        ),
    ) -> None:
        self.meta_keys = meta_keys

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` uint8 (T, 3, h, w) BGR and ``data_samples``."""
        views = np.ascontiguousarray(results["views"].transpose(0, 3, 1, 2))
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
