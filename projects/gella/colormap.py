"""Colormaps: entity masks as one picture in which every entity has a colour of its own (4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0
CANDIDATES = 32

Colors = NDArray[np.uint8]
LabelMap = NDArray[np.integer]


def random_colors(count: int, rng: np.random.Generator) -> Colors:
    """Draw one colour an entity, at random but far from one another.

    Each new colour is, of some draws, the one farthest from those before it and from the black
    background; the order is then shuffled, so that a colour says nothing about its entity.

    Args:
        count: Number of entities.
        rng: Source of randomness; the same state gives the same colours.

    Returns:
        (count, 3) uint8.
    """
    chosen = np.zeros((count + 1, 3), np.int32)
    for index in range(1, count + 1):
        drawn = rng.integers(0, 256, (CANDIDATES, 3), dtype=np.int32)
        distances = np.abs(drawn[:, None] - chosen[None, :index]).sum(-1).min(1)
        chosen[index] = drawn[distances.argmax()]
    return rng.permutation(chosen[1:].astype(np.uint8), axis=0)


def location_colors(labels: LabelMap, count: int) -> Colors:
    """Give entities colours by their centres of gravity (Table XVb, "Location").

    As Painter (arXiv 2212.02499) does for instances: the picture is divided into a grid whose cells
    have colours evenly spread over the colour cube, and an entity takes its centre's cell. Entities
    with the same cell share a colour.

    Args:
        labels: (H, W) entity numbers 1 to ``count``; 0 is background.
        count: Number of entities.

    Returns:
        (count, 3) uint8; an entity without pixels is white.
    """
    steps = 8
    height, width = labels.shape
    flat = labels.ravel()
    rows, columns = np.divmod(np.arange(flat.size), width)
    areas = np.bincount(flat, minlength=count + 1)[1 : count + 1]
    safe = np.maximum(areas, 1)
    row = np.bincount(flat, rows, count + 1)[1 : count + 1] / safe
    column = np.bincount(flat, columns, count + 1)[1 : count + 1] / safe
    cell_row = np.minimum((row * steps / height).astype(int), steps - 1)
    cell_column = np.minimum((column * steps / width).astype(int), steps - 1)
    cells = cell_row * steps + cell_column
    # 64 cells on a 4 x 4 x 4 grid of the cube without black.
    levels = np.array([64, 128, 192, 255])
    colors = np.stack([levels[cells // 16], levels[cells // 4 % 4], levels[cells % 4]], axis=1)
    colors[areas == 0] = 255
    return colors.astype(np.uint8)


def paint(labels: LabelMap, colors: Colors) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 colormap of a label map; background is black.

    Args:
        labels: (H, W) entity numbers; 0 is background.
        colors: (N, 3) uint8, colour of entity k at index k - 1.
    """
    palette = np.concatenate([np.full((1, 3), BACKGROUND, np.uint8), colors])
    return palette[labels]


def label_map(masks: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Flatten masks to (H, W) int32 numbers; where they overlap, the earlier mask is on top.

    Args:
        masks: (N, H, W), best first.
    """
    labels = np.zeros(masks.shape[1:], np.int32)
    for number in range(len(masks), 0, -1):
        labels[masks[number - 1]] = number
    return labels
