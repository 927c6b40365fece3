"""Drawing entities over a photograph."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

GOLDEN_RATIO = 0.618034  # successive hues stay far apart however many there are
TINT = 0.5
OUTLINE = (255, 255, 255)
ROWS = 256  # of a strip; the photograph is never held as floats


def entity_colours(count: int) -> NDArray[np.uint8]:
    """Return (count + 1, 3) uint8 BGR; row 0, no entity, is black."""
    colours = [(0.0, 0.0, 0.0)]
    for index in range(count):
        hue = (index * GOLDEN_RATIO) % 1
        value = (1.0, 0.75, 0.9)[index % 3]
        colours.append(colorsys.hsv_to_rgb(hue, (0.9, 0.65)[index % 2], value)[::-1])
    return (np.array(colours) * 255).round().astype(np.uint8)


def draw_overlay(image: NDArray[np.uint8], label_map: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Tint each entity in a colour of its own and outline it, in strips.

    Args:
        image: (H, W, 3) uint8, BGR.
        label_map: (H, W) uint16, 0 where no entity is.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        ValueError: The sizes differ.
    """
    import cv2

    if image.shape[:2] != label_map.shape:
        raise ValueError(f"photograph {image.shape[:2]}, label map {label_map.shape}")
    tints = (entity_colours(int(label_map.max())) * TINT).astype(np.uint8)
    reach = max(1, round(max(label_map.shape) / 1500))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    drawn = image.copy()
    height = len(label_map)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        above, below = max(0, top - reach), min(height, bottom + reach)
        near = label_map[above:below]
        edges = cv2.erode(near, kernel) != near
        labels = label_map[top:bottom]
        strip = drawn[top:bottom]
        inside = labels > 0
        strip[inside] = (strip[inside] * (1 - TINT)).astype(np.uint8) + tints[labels[inside]]
        strip[edges[top - above : bottom - above]] = OUTLINE
    return drawn
