"""The last step of a picture: light, lens and sensor, outlines, or blocks of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.domains import Domain
from workbench.datasets.worlds.fixed import Ints, along, draw, grid

OUTLINE = np.array([28, 24, 36], dtype=np.int32)


def finish(
    rng: np.random.Generator,
    domain: Domain,
    image: Ints,
    labels: NDArray[np.int32],
    kinds: list[str],
    noise: int,
) -> NDArray[np.uint8]:
    """Turn painted colours into the picture.

    Args:
        rng: Stream of this image.
        domain: Decides the steps.
        image: (H, W, 3) colours, 0 to 255.
        labels: (H, W) entity of each pixel, from 1.
        kinds: Kind of entity k at index k - 1.
        noise: Largest noise in grey levels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if domain.name == "cartoon":
        image = _outlined(image, labels, kinds)
    elif domain.name == "game":
        image = image // 24 * 24 + 12
    else:
        image = _exposed(rng, _blurred(_lit(rng, image)), noise)
    return np.clip(image, 0, 255).astype(np.uint8)


def _exposed(rng: np.random.Generator, image: Ints, noise: int) -> Ints:
    """Add the noise of a sensor."""
    level = draw(rng, noise // 2, noise)
    return image + rng.integers(-level, level, image.shape, dtype=np.int8, endpoint=True)


def _lit(rng: np.random.Generator, image: Ints) -> Ints:
    """Brighten one side and darken the other."""
    height, width = image.shape[:2]
    rows, columns = grid(-height // 2, -width // 2, height, width)
    light = 256 + along(rows, columns, draw(rng, 0, 63)) * draw(rng, 0, 90) // max(height, width)
    return image * light[:, :, None] >> 8


def _blurred(image: Ints) -> Ints:
    """Blur lightly (1-4-1 in both directions, borders repeated)."""
    padded = np.pad(image, ((1, 1), (0, 0), (0, 0)), mode="edge")
    image = (padded[:-2] + 4 * padded[1:-1] + padded[2:]) // 6
    padded = np.pad(image, ((0, 0), (1, 1), (0, 0)), mode="edge")
    return (padded[:, :-2] + 4 * padded[:, 1:-1] + padded[:, 2:]) // 6


def _outlined(image: Ints, labels: NDArray[np.int32], kinds: list[str]) -> Ints:
    """Draw a dark line on the border pixels of large and medium entities."""
    edge = np.zeros(labels.shape, dtype=bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    wide = np.array([False, *(kind in ("large", "medium") for kind in kinds)])
    edge &= wide[labels]
    image = image.copy()
    image[edge] = OUTLINE
    return image
