"""Statistics of annotated entities and their shapes (paper Table I).

The paper refers to its appendix for the shapes; *assumed*, from COCO-Amodal (Zhu et al. 2017):
"Entity Complexity" is convexity, area / area of the convex hull, and "Entity Simplicity" is
sqrt(4 pi area) / perimeter. Both are at most 1 and lower for a more complex shape, as the arrows of
the table say. Shapes are OpenCV's outer contours through pixel centres: contour areas and arc
lengths summed over the parts of an entity, one hull around all of them. An entity whose contour has
no area (a line, a point) has no shape, is left out of these two means and counted. Own code: no
public code was found.

Further readings that the paper leaves open, all reported: an image's size is sqrt(width x height)
(``ImageRes_avg``), the mean of both sides or the longer side; shapes are averaged over all entities
or, first, over each image's. Crowds are left out and counted. ``Valid_Area`` is the share of an
image that its entities cover, mean over images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from workbench.metrics.rle import run_lengths

METRICS = (
    "ImageRes_avg",
    "EntityNum_avg",
    "EntityNum_max",
    "Entity_Complexity",
    "Entity_Simplicity",
    "Valid_Area",
    "ImageRes_mean_side",
    "ImageRes_long_side",
    "Entity_Complexity_by_image",
    "Entity_Simplicity_by_image",
)
UNITS = {
    "ImageRes_avg": "px",
    "EntityNum_avg": "entities",
    "EntityNum_max": "entities",
    "ImageRes_mean_side": "px",
    "ImageRes_long_side": "px",
    **dict.fromkeys((name for name in METRICS if name.startswith(("Entity_", "Valid"))), "ratio"),
}

RLE = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """Contour of one entity: convexity and simplicity, both above 0 and at most 1."""

    convexity: float
    simplicity: float


def shape_of(mask: RLE | NDArray[Any]) -> Shape | None:
    """Return the shape of a mask, or None where its contour encloses nothing.

    Args:
        mask: Compressed RLE, or (H, W) array that is not zero inside.
    """
    pixels = _crop(mask) if isinstance(mask, Mapping) else (np.asarray(mask) != 0).view(np.uint8)
    if not pixels.size:
        return None
    contours, _ = cv2.findContours(
        np.ascontiguousarray(pixels), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    area = sum(cv2.contourArea(contour) for contour in contours)
    perimeter = sum(cv2.arcLength(contour, True) for contour in contours)
    if not area or not perimeter:
        return None
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours)))
    return Shape(convexity=area / hull, simplicity=math.sqrt(4 * math.pi * area) / perimeter)


def _crop(mask: RLE) -> NDArray[np.uint8]:
    """Decode the columns and rows that a mask reaches: most are small in large pictures."""
    left, top, width, height = (int(side) for side in mask_utils.toBbox(mask))
    full_height = mask["size"][0]
    ends = np.cumsum(run_lengths(mask["counts"]))
    start, stop = left * full_height, (left + width) * full_height
    lengths = np.diff(np.clip(ends, start, stop), prepend=start)
    inside = (np.arange(len(lengths)) % 2).astype(np.uint8)
    columns = np.repeat(inside, lengths).reshape(width, full_height)
    return columns[:, top : top + height].T


@dataclass
class ShapeStatistics:
    """Collects images one by one; keeps sums only.

    Attributes:
        num_images: Images seen.
        num_entities: Their entities, crowds aside.
        num_crowds: Crowds, which are left out.
        num_without_shape: Entities left out of convexity and simplicity.
    """

    num_images: int = 0
    num_entities: int = 0
    num_crowds: int = 0
    num_without_shape: int = 0
    _most: int = 0
    _sides: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    _covered: float = 0.0
    _shapes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    _of_images: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    _num_shaped_images: int = 0

    def add(self, size: tuple[int, int], masks: Iterable[RLE], crowds: Iterable[bool]) -> None:
        """Add one image.

        Args:
            size: (height, width) in pixels.
            masks: Compressed RLE of each entity, of that size.
            crowds: Whether each is a crowd.

        Raises:
            ValueError: Not as many flags as masks.
        """
        flagged = list(zip(masks, crowds, strict=True))
        entities = [mask for mask, crowd in flagged if not crowd]
        self.num_images += 1
        self.num_entities += len(entities)
        self.num_crowds += len(flagged) - len(entities)
        self._most = max(self._most, len(entities))
        height, width = size
        self._sides += (math.sqrt(height * width), (height + width) / 2, max(height, width))
        if entities:
            self._covered += float(mask_utils.area(mask_utils.merge(entities))) / (height * width)
        shapes = [shape for shape in map(shape_of, entities) if shape]
        self.num_without_shape += len(entities) - len(shapes)
        if shapes:
            values = np.array([(shape.convexity, shape.simplicity) for shape in shapes])
            self._shapes += values.sum(axis=0)
            self._of_images += values.mean(axis=0)
            self._num_shaped_images += 1

    def metrics(self) -> dict[str, float]:
        """Return values by the names in ``METRICS``, in ``UNITS``; NaN where undefined."""
        images = self.num_images or math.nan
        shaped = self.num_entities - self.num_without_shape or math.nan
        sides, shapes = self._sides / images, self._shapes / shaped
        by_image = self._of_images / (self._num_shaped_images or math.nan)
        values = (
            sides[0],
            self.num_entities / images,
            self._most if self.num_images else math.nan,
            *shapes,
            self._covered / images,
            *sides[1:],
            *by_image,
        )
        return {name: float(value) for name, value in zip(METRICS, values, strict=True)}
