"""Thin entities: poles, rods, wires, arcs and zigzags, stamped along an integer curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.fixed import COS, DIRECTIONS, SIN, UNIT, Mask, draw

Points = NDArray[np.int64]
Box = tuple[int, int, int, int]
SCALE = 16

THIN_SHAPES = ("pole", "rod", "wire", "arc", "zigzag", "fork")


def _bezier(points: list[tuple[int, int]], steps: int) -> Points:
    """Return (steps + 1, 2) points of a quadratic curve through (row, column) controls x 16."""
    start, bend, end = np.array(points, dtype=np.int64)
    t = np.arange(steps + 1, dtype=np.int64)[:, None]
    rest = steps - t
    return (rest * rest * start + 2 * t * rest * bend + t * t * end) // (steps * steps)


def _line(start: tuple[int, int], end: tuple[int, int], steps: int) -> Points:
    middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
    return _bezier([start, middle, end], steps)


def _moved(start: tuple[int, int], direction: int, length: int) -> tuple[int, int]:
    """Return the point ``length`` pixels along a direction, coordinates x 16."""
    k = direction % DIRECTIONS
    down = length * SCALE * SIN[k] // UNIT
    return start[0] + down, start[1] + length * SCALE * COS[k] // UNIT


def _arc(centre: tuple[int, int], radius: int, first: int, sweep: int) -> Points:
    """Return a circular arc of ``sweep`` 64ths, interpolated between table directions."""
    corners = [_moved(centre, first + k, radius) for k in range(sweep + 1)]
    steps = max(radius // 4, 2)
    pieces = [_line(a, b, steps) for a, b in zip(corners, corners[1:], strict=False)]
    return np.concatenate(pieces)


def _zigzag(start: tuple[int, int], direction: int, length: int, teeth: int) -> Points:
    pieces, at, step = [], start, max(length // teeth, 4)
    for tooth in range(teeth):
        after = _moved(at, direction + (8 if tooth % 2 else -8), step)
        pieces.append(_line(at, after, 2 * step))
        at = after
    return np.concatenate(pieces)


def _fork(start: tuple[int, int], direction: int, length: int) -> Points:
    end = _moved(start, direction, length)
    middle = _moved(start, direction, length // 2)
    branches = [_moved(middle, direction + turn, length // 2) for turn in (-9, 9)]
    pieces = [_line(start, end, 2 * length)]
    return np.concatenate(pieces + [_line(middle, tip, length) for tip in branches])


def curve_points(name: str, rng: np.random.Generator, length: int, size: tuple[int, int]) -> Points:
    """Draw a thin shape of about ``length`` pixels somewhere in the image.

    Returns:
        (P, 2) int64, (row, column) in 1/16 pixel; consecutive points less than a pixel apart.
    """
    height, width = size
    row, column = draw(rng, 8, height - 9) * SCALE, draw(rng, 8, width - 9) * SCALE
    direction = draw(rng, 0, DIRECTIONS - 1)
    centre = (row, column)
    start = _moved(centre, direction + 32, length // 2)
    end = _moved(centre, direction, length // 2)
    if name == "pole":
        tilt = draw(rng, -1, 1)
        start, end = _moved(centre, 48 + tilt, length // 2), _moved(centre, 16 + tilt, length // 2)
        return _line(start, end, 2 * length)
    if name == "wire":
        sag = _moved(centre, direction + 16, draw(rng, length // 6, length // 2))
        return _bezier([start, sag, end], 2 * length)
    if name == "arc":
        sweep = draw(rng, 16, 40)
        return _arc(centre, max(length * 10 // sweep, 6), direction, sweep)
    if name == "zigzag":
        return _zigzag(start, direction, length, draw(rng, 3, 5))
    if name == "fork":
        return _fork(start, direction, length)
    return _line(start, end, 2 * length)


def _stamp(width: int) -> NDArray[np.int64]:
    """Return the (K, 2) offsets of a disc ``width`` pixels wide."""
    side = np.arange(width)
    off = 2 * side - (width - 1)
    inside = off[:, None] ** 2 + off[None, :] ** 2 <= width * width
    rows, columns = np.nonzero(inside)
    return np.stack([rows, columns], axis=1) - width // 2


def thin_mask(points: Points, width: int, size: tuple[int, int], block: int) -> tuple[Mask, Box]:
    """Rasterise a curve with a pen ``width`` pixels wide, on blocks of ``block`` pixels.

    Returns:
        The mask of the part inside the image and its box (top, left, bottom, right).
    """
    pixels = np.unique((points + SCALE // 2) >> 4, axis=0)
    if block > 1:
        pixels = np.unique(pixels // block * block, axis=0)
        width = max(width // block, 1) * block
    stamped = (pixels[:, None, :] + _stamp(width)[None, :, :]).reshape(-1, 2)
    if block > 1:
        cells = np.unique(stamped // block, axis=0)
        offsets = np.stack(np.nonzero(np.ones((block, block))), axis=1)
        stamped = (cells[:, None, :] * block + offsets[None]).reshape(-1, 2)
    inside = ((stamped >= 0) & (stamped < np.array(size))).all(axis=1)
    stamped = stamped[inside]
    if len(stamped) == 0:
        return np.zeros((0, 0), dtype=bool), (0, 0, 0, 0)
    top, left = stamped.min(axis=0)
    bottom, right = stamped.max(axis=0) + 1
    mask = np.zeros((bottom - top, right - left), dtype=bool)
    mask[stamped[:, 0] - top, stamped[:, 1] - left] = True
    return mask, (int(top), int(left), int(bottom), int(right))
