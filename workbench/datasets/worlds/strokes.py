"""Objects made of strokes: wheels, fences, trees, ladders and webs, all integer geometry.

A stroke is its points, (P, 2) int64 in 1/16 pixel as (row, column), and its width in quarters of
the object's usual one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.fixed import COS, DIRECTIONS, SIN, UNIT, draw

Point = tuple[int, int]
Stroke = tuple[NDArray[np.int64], int]
Maker = Callable[[np.random.Generator, tuple[int, int], int, int], list[Stroke]]
SCALE = 16


def _line(start: Point, end: Point, weight: int = 4) -> Stroke:
    """Return a straight stroke between two points in pixels."""
    ends = np.array([start, end], dtype=np.int64) * SCALE
    steps = max(int(abs(ends[1] - ends[0]).max()) // SCALE, 1)
    t = np.arange(steps + 1, dtype=np.int64)[:, None]
    return (ends[0] * (steps - t) + ends[1] * t) // steps, weight


def _away(start: Point, direction: int, length: int) -> Point:
    k = direction % DIRECTIONS
    return start[0] + length * SIN[k] // UNIT, start[1] + length * COS[k] // UNIT


def _circle(centre: Point, radius: int, weight: int = 4) -> list[Stroke]:
    corners = [_away(centre, k, radius) for k in range(DIRECTIONS + 1)]
    return [_line(a, b, weight) for a, b in zip(corners, corners[1:], strict=False)]


def _middle(rng: np.random.Generator, size: tuple[int, int]) -> Point:
    row, column = (draw(rng, side * 42 // 100, side * 58 // 100) for side in size)
    return row, column


def _wheel(
    rng: np.random.Generator, size: tuple[int, int], extent: int, count: int
) -> list[Stroke]:
    centre, radius, turn = _middle(rng, size), extent // 2, draw(rng, 0, 15)
    strokes = _circle(centre, radius, 8) + _circle(centre, radius * 9 // 10, 2)
    strokes += _circle(centre, max(radius // 8, 4), 8)
    for spoke in range(count):
        direction = turn + spoke * DIRECTIONS // count
        hub = _away(centre, direction + 10 * (1 - spoke % 2 * 2), radius // 8)
        strokes.append(_line(hub, _away(centre, direction, radius), 2))
    return strokes


def _fence(
    rng: np.random.Generator, size: tuple[int, int], extent: int, count: int
) -> list[Stroke]:
    centre, half = _middle(rng, size), extent // 2
    slope = draw(rng, -12, 12)
    strokes = []
    for post in range(count + 1):
        column = centre[1] - half + post * extent // count
        row = centre[0] + (column - centre[1]) * slope // 100
        heavy = 6 if post % 5 == 0 else 3
        strokes.append(_line((row - half // 2, column), (row + half // 2, column), heavy))
    for rail in (-2, 0, 2):
        rows = [centre[0] + rail * half // 5 + side * half * slope // 100 for side in (-1, 1)]
        strokes.append(_line((rows[0], centre[1] - half), (rows[1], centre[1] + half), 5))
    return strokes


def _tree(rng: np.random.Generator, size: tuple[int, int], extent: int, count: int) -> list[Stroke]:
    """Grow branches breadth first: each of the newest ends carries two more."""
    middle = _middle(rng, size)
    root, length = (middle[0] + extent // 2, middle[1]), extent * 3 // 10
    ends = [(root, 48)]
    strokes: list[Stroke] = []
    weight = 10
    while len(strokes) < 3 * count and length >= 6:
        after = []
        for start, direction in ends:
            tip = _away(start, direction, length)
            strokes.append(_line(start, tip, max(weight, 2)))
            turn = draw(rng, 4, 8)
            after += [(tip, direction + turn), (tip, direction - draw(rng, 4, 8))]
        ends, length, weight = after, length * 3 // 4, weight * 2 // 3
    return strokes


def _ladder(
    rng: np.random.Generator, size: tuple[int, int], extent: int, count: int
) -> list[Stroke]:
    centre, turn, half = _middle(rng, size), draw(rng, 44, 52), extent // 2
    sides = [_away(centre, turn + 16 * sign, extent // 8) for sign in (-1, 1)]
    feet = [_away(side, turn, -half) for side in sides]
    tops = [_away(side, turn, half) for side in sides]
    strokes = [_line(foot, top, 6) for foot, top in zip(feet, tops, strict=True)]
    for rung in range(1, count):
        at = [_away(foot, turn, rung * extent // count) for foot in feet]
        strokes.append(_line(at[0], at[1], 3))
    return strokes


def _web(rng: np.random.Generator, size: tuple[int, int], extent: int, count: int) -> list[Stroke]:
    """Knot a net in a frame: lines that hang and lines that lean."""
    centre, half = _middle(rng, size), extent // 2
    top, left = centre[0] - half * 2 // 3, centre[1] - half
    height, width = half * 4 // 3, extent
    corners = [(top, left), (top, left + width), (top + height, left + width), (top + height, left)]
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    strokes = [_line(a, b, 7) for a, b in pairs]
    for line in range(1, count):
        across, down = line * width // count, line * height // count
        sag = draw(rng, 0, height // count // 2)
        lean = min(across + width // count, width) if line % 2 else across
        strokes.append(_line((top, left + across), (top + height, left + lean), 2))
        strokes.append(_line((top + down, left), (top + down + sag, left + width), 2))
    return strokes


STROKES: dict[str, Maker] = {
    "wheel": _wheel,
    "fence": _fence,
    "tree": _tree,
    "ladder": _ladder,
    "web": _web,
}
