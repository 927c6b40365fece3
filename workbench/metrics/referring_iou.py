"""cIoU and gIoU of referring and reasoning segmentation (paper Tables IX and XIV).

Source: dvlab-research/LISA ``train_ds.py`` (``validate``) and ``utils/utils.py``; own code, since
no library has them and MMDetection's ``RefSegMetric`` knows no ignored pixels and gives 0 where
both masks are empty. Every expression counts once. Ignored pixels count nowhere. An expression
without a target has IoU 1 where the prediction is empty too, else 0, and its pixels enter the union
of cIoU. Ground truth is one binary mask: where parts of a region overlap the reference loses the
overlap, which is not reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

METRICS = ("cIoU", "gIoU")
# Both as in the reference; gIoU of a perfect prediction of n pixels is n / (n + 1e-5).
_SUM_EPSILON, _EACH_EPSILON = 1e-10, 1e-5

RLE = dict[str, Any]
Mask = RLE | NDArray[Any]


class ReferringIoU:
    """Adds up expressions."""

    def __init__(self) -> None:
        self.intersection = self.union = 0
        self.without_target = self.count = 0
        self._ious = 0.0

    def add(self, found: Mask | None, target: Mask, ignore: Mask | None = None) -> float:
        """Add an expression and return its IoU, with the reference's small denominator.

        Args:
            found: Predicted mask; None for an empty one.
            target: Annotated mask of the same size.
            ignore: Pixels that do not count.

        Raises:
            ValueError: Masks of different sizes.
        """
        aimed = _rle(target)
        masks = [aimed, aimed if found is None else _rle(found)]
        left = [] if ignore is None else [_rle(ignore)]
        for mask in masks + left:
            if list(mask["size"]) != list(aimed["size"]):
                raise ValueError(f"masks of sizes {list(mask['size'])} and {list(aimed['size'])}")
        target_area = _area([aimed], left)
        found_area = shared = 0
        if found is not None:
            found_area = _area(masks[1:], left)
            shared = _area([mask_utils.merge(masks, intersect=True)], left)
        union = target_area + found_area - shared
        iou = shared / (union + _EACH_EPSILON) if union else 1.0
        self.intersection, self.union = self.intersection + shared, self.union + union
        self.without_target += target_area == 0
        self.count += 1
        self._ious += iou
        return iou

    def metrics(self) -> dict[str, float]:
        """Return cIoU and gIoU as fractions, NaN without any expression."""
        if not self.count:
            return dict.fromkeys(METRICS, float("nan"))
        return {
            "cIoU": self.intersection / (self.union + _SUM_EPSILON),
            "gIoU": self._ious / self.count,
        }


def _rle(mask: Mask) -> RLE:
    if isinstance(mask, Mapping):
        return dict(mask)
    encoded: RLE = mask_utils.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return encoded


def _area(masks: list[RLE], ignored: list[RLE]) -> int:
    """Return the pixels of one mask outside an ignored one."""
    area = int(mask_utils.area(masks[0]))
    if not ignored or not area:
        return area
    return area - int(mask_utils.area(mask_utils.merge([masks[0], ignored[0]], intersect=True)))
