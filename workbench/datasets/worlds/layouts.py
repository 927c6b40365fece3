"""How stuff divides a picture: each layout gives the regions that are painted over the base."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.datasets.worlds.fixed import Ints, Mask, along, draw, grid, smooth_noise

Layout = Callable[[np.random.Generator, tuple[int, int], int], list[Mask]]


def _profile(rng: np.random.Generator, width: int, cell: int, swing: int) -> Ints:
    """Return (1, width) heights that roll by ``swing`` pixels."""
    return smooth_noise(rng, 1, width, cell)[0][None, :] * swing // 256


def _horizon(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[Mask]:
    """Bands below a rolling or tilted skyline; the last may be a wall at one side."""
    height, width = size
    rows, columns = grid(0, 0, height, width)
    masks: list[Mask] = []
    for band in range(count):
        top = height * (band + 1) // (count + 1) + draw(rng, -height // 12, height // 12)
        slope = draw(rng, -20, 20)
        line = top + columns * slope // 100 - _profile(rng, width, draw(rng, 30, 90), height // 8)
        masks.append(rows >= line)
    if count > 1 and draw(rng, 0, 2) == 0:
        edge = width * draw(rng, 20, 35) // 100
        wall = columns < edge if draw(rng, 0, 1) else columns >= width - edge
        masks[-1] = np.broadcast_to(wall & (rows >= height // 10), size)
    return masks


def _hills(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[Mask]:
    """Round hills one before another."""
    height, width = size
    rows, columns = grid(0, 0, height, width)
    masks: list[Mask] = []
    for band in range(count):
        top = height * (band + 2) // (count + 2)
        radius = width * draw(rng, 60, 130) // 100
        across = columns - draw(rng, 0, width - 1)
        masks.append(rows >= top + across * across // (2 * radius) - height // 10)
    return masks


def _fields(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[Mask]:
    """Parcels cut by straight lines, the last region a road of constant width."""
    height, width = size
    rows, columns = grid(-height // 2, -width // 2, height, width)
    turn = draw(rng, 0, 63)
    masks: list[Mask] = []
    for region in range(count - 1):
        direction = turn + 16 * region + draw(rng, -2, 2)
        masks.append(along(rows, columns, direction) > draw(rng, -height // 5, height // 5))
    bend = _profile(rng, width, 64, height // 6)
    middle = (
        along(rows, columns, turn + draw(rng, -6, 6)) + bend + draw(rng, -height // 4, height // 6)
    )
    masks.append(abs(middle) < draw(rng, 6, 13))
    return masks


def _tiles(rng: np.random.Generator, size: tuple[int, int], count: int) -> list[Mask]:
    """Platforms and pits with outlines on a 16 pixel raster."""
    height, width = size
    rows, columns = grid(0, 0, height, width)
    masks: list[Mask] = []
    for band in range(count):
        top = height * (band + 1) // (count + 1)
        steps = rng.integers(-2, 3, width // 32 + 1).astype(np.int32)
        line = (top // 16 + np.repeat(steps, 32)[None, :width]) * 16
        mask = rows >= line
        if band and draw(rng, 0, 1):
            edge = width * draw(rng, 2, 5) // 8 // 16 * 16
            mask = mask & ((columns < edge) if draw(rng, 0, 1) else (columns >= width - edge))
        masks.append(mask)
    return masks


LAYOUTS: dict[str, Layout] = {
    "horizon": _horizon,
    "hills": _hills,
    "fields": _fields,
    "tiles": _tiles,
}
