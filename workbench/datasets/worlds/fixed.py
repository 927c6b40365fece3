"""Integer geometry: the generator decides no pixel by a floating-point function.

``COS`` and ``SIN`` hold 64 directions scaled by 1,024. No entry lies near a rounding boundary, so
that a last-bit difference between math libraries cannot change the table.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]

DIRECTIONS = 64
UNIT = 1024
COS = tuple(round(UNIT * math.cos(2 * math.pi * k / DIRECTIONS)) for k in range(DIRECTIONS))
SIN = tuple(round(UNIT * math.sin(2 * math.pi * k / DIRECTIONS)) for k in range(DIRECTIONS))


def image_generator(seed: int, split: int, index: int) -> np.random.Generator:
    """Return the random stream of one image, independent of all other images."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, split, index])))


def draw(rng: np.random.Generator, low: int, high: int) -> int:
    """Return an integer of the closed range [low, high]."""
    return int(rng.integers(low, high + 1))


def pick(rng: np.random.Generator, weights: dict[str, int]) -> str:
    """Return a key with a chance proportional to its integer weight."""
    at = int(rng.integers(sum(weights.values())))
    for key, weight in weights.items():
        at -= weight
        if at < 0:
            return key
    raise AssertionError("weights are positive in sum")


def grid(top: int, left: int, height: int, width: int) -> tuple[Ints, Ints]:
    """Return the pixel rows (height, 1) and columns (1, width) of a box."""
    rows = np.arange(top, top + height, dtype=np.int32)[:, None]
    columns = np.arange(left, left + width, dtype=np.int32)[None, :]
    return rows, columns


def along(rows: Ints, columns: Ints, direction: int) -> Ints:
    """Return the coordinate along one of the 64 directions, in pixels (rounded down)."""
    k = direction % DIRECTIONS
    return (columns * COS[k] + rows * SIN[k]) >> 10


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: int) -> Ints:
    """Return (height, width) value noise, 0 to 256, with features of ``cell`` pixels."""
    corners = rng.integers(0, 257, (height // cell + 2, width // cell + 2)).astype(np.int32)
    rows, columns = np.arange(height), np.arange(width)
    down = (rows % cell)[:, None].astype(np.int32)
    across = (columns % cell)[None, :].astype(np.int32)
    upper, lower = corners[rows // cell], corners[rows // cell + 1]
    left = upper[:, columns // cell] * (cell - down) + lower[:, columns // cell] * down
    right = upper[:, columns // cell + 1] * (cell - down) + lower[:, columns // cell + 1] * down
    return (left * (cell - across) + right * across) // (cell * cell)
