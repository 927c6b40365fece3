"""Outlines of compact entities as integer predicates.

A shape is tested in its own frame: ``u`` and ``v`` are (h, w) int32 coordinates along its axes, in
1/256 of its half-sizes, so that the square from -256 to 256 encloses the usual shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.datasets.worlds.fixed import COS, DIRECTIONS, SIN, UNIT, Ints, Mask, grid

Predicate = Callable[[Ints, Ints], Mask]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Pose:
    """Place of a compact shape: centre and half-sizes in pixels, direction out of 64.

    ``block`` is the side of the blocks that the outline is drawn with, 1 for single pixels.
    """

    row: int
    column: int
    half_width: int
    half_height: int
    direction: int
    block: int = 1


def polygon(*corners: tuple[int, int]) -> Predicate:
    """Return the even-odd inside test of a polygon with corners (u, v)."""

    def inside(u: Ints, v: Ints) -> Mask:
        found = np.zeros(np.broadcast_shapes(u.shape, v.shape), dtype=bool)
        for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if v0 == v1:
                continue
            (u0, v0), (u1, v1) = sorted([(u0, v0), (u1, v1)], key=lambda corner: corner[1])
            crossed = (v >= v0) & (v < v1)
            found ^= crossed & ((u - u0) * (v1 - v0) < (u1 - u0) * (v - v0))
        return found

    return inside


def regular(count: int, inner: int = 0, radius: int = 256) -> Predicate:
    """Return a regular polygon, or a star when ``inner`` (its inner radius) is positive."""
    corners = []
    steps = count * 2 if inner else count
    for step in range(steps):
        reach = inner if inner and step % 2 else radius
        k = (step * DIRECTIONS) // steps % DIRECTIONS
        corners.append((reach * SIN[k] // UNIT, -reach * COS[k] // UNIT))
    return polygon(*corners)


def _disc(u: Ints, v: Ints, radius: int = 256) -> Mask:
    return u * u + v * v <= radius * radius


def _ring(u: Ints, v: Ints) -> Mask:
    return _disc(u, v) & ~_disc(u, v, 140)


def _square(u: Ints, v: Ints) -> Mask:
    return (abs(u) <= 226) & (abs(v) <= 226)


def _bar(u: Ints, v: Ints) -> Mask:
    return (abs(u) <= 256) & (abs(v) <= 110)


def _pill(u: Ints, v: Ints) -> Mask:
    beyond = np.maximum(abs(u) - 140, 0)
    return beyond * beyond + v * v <= 112 * 112


def _frame(u: Ints, v: Ints) -> Mask:
    return _square(u, v) & ~((abs(u) <= 120) & (abs(v) <= 120))


def _cross(u: Ints, v: Ints) -> Mask:
    return ((abs(u) <= 85) & (abs(v) <= 250)) | ((abs(v) <= 85) & (abs(u) <= 250))


def _crescent(u: Ints, v: Ints) -> Mask:
    return _disc(u, v) & ~_disc(u - 120, v, 215)


def _half_disc(u: Ints, v: Ints) -> Mask:
    return _disc(u, v) & (v <= 20)


def _heart(u: Ints, v: Ints) -> Mask:
    lobes = _disc(abs(u) - 120, v + 90, 135)
    return lobes | ((v >= -90) & (abs(u) * 23 + (v + 90) * 17 <= 5865))


def _tree(u: Ints, v: Ints) -> Mask:
    crown = _disc(u, v + 80, 175)
    return crown | ((abs(u) <= 45) & (v >= 0) & (v <= 256))


def _car(u: Ints, v: Ints) -> Mask:
    body = (abs(u) <= 256) & (v >= -20) & (v <= 90)
    cabin = (abs(u + 20) <= 140 + v // 4) & (v >= -130) & (v <= 0)
    wheels = _disc(abs(u) - 150, v - 90, 62)
    return body | cabin | wheels


def _mushroom(u: Ints, v: Ints) -> Mask:
    cap = _disc(u, v) & (v <= 0)
    return cap | ((abs(u) <= 95) & (v >= 0) & (v <= 240))


def _fish(u: Ints, v: Ints) -> Mask:
    body = (u + 60) * (u + 60) * 3 + v * v * 5 <= 3 * 196 * 196
    tail = (u >= 90) & (u <= 250) & (abs(v) * 10 <= (u - 70) * 8)
    return body | tail


def _balloon(u: Ints, v: Ints) -> Mask:
    bag = _disc(u, v + 60, 190)
    return bag | ((abs(u) <= 55) & (v >= 100) & (v <= 250))


SHAPES: dict[str, Predicate] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "bar": _bar,
    "pill": _pill,
    "frame": _frame,
    "cross": _cross,
    "crescent": _crescent,
    "half-disc": _half_disc,
    "heart": _heart,
    "tree": _tree,
    "car": _car,
    "mushroom": _mushroom,
    "fish": _fish,
    "balloon": _balloon,
    "triangle": polygon((0, -250), (240, 200), (-240, 200)),
    "diamond": polygon((0, -256), (180, 0), (0, 256), (-180, 0)),
    "pentagon": regular(5),
    "hexagon": regular(6),
    "star": regular(5, inner=110),
    "spark": regular(8, inner=130),
    "arrow": polygon(
        (0, -256), (200, -20), (80, -20), (80, 250), (-80, 250), (-80, -20), (-200, -20)
    ),
    "house": polygon((0, -256), (220, -60), (180, -60), (180, 230), (-180, 230), (-180, -60)),
    "rocket": polygon(
        (0, -256), (90, -90), (90, 120), (190, 240), (-190, 240), (-90, 120), (-90, -90)
    ),
    "boat": polygon(
        (-20, -250), (150, 60), (256, 60), (170, 210), (-170, 210), (-256, 60), (-20, 60)
    ),
    "bolt": polygon(
        (40, -256), (-150, 40), (-20, 40), (-60, 256), (160, -60), (30, -60), (110, -256)
    ),
}


def compact_mask(name: str, pose: Pose, size: tuple[int, int]) -> tuple[Mask, Box]:
    """Rasterise a shape.

    Args:
        name: Key of ``SHAPES``.
        pose: Where it lies.
        size: (height, width) of the image.

    Returns:
        (h, w) bool mask of the part inside the image and its box (top, left, bottom, right); the
        box is empty when the shape lies outside.
    """
    reach = (max(pose.half_width, pose.half_height) * 3) // 2 + pose.block
    top, left = max(pose.row - reach, 0), max(pose.column - reach, 0)
    bottom = min(pose.row + reach, size[0])
    right = min(pose.column + reach, size[1])
    if bottom <= top or right <= left:
        return np.zeros((0, 0), dtype=bool), (0, 0, 0, 0)
    rows, columns = grid(top, left, bottom - top, right - left)
    if pose.block > 1:
        rows = rows // pose.block * pose.block + pose.block // 2
        columns = columns // pose.block * pose.block + pose.block // 2
    down, across = 2 * (rows - pose.row) + 1, 2 * (columns - pose.column) + 1
    cos, sin = COS[pose.direction % DIRECTIONS], SIN[pose.direction % DIRECTIONS]
    u = (across * cos + down * sin) * 128 // (UNIT * pose.half_width)
    v = (down * cos - across * sin) * 128 // (UNIT * pose.half_height)
    # Far-away pixels would overflow the products of the predicates; 1,000 is outside every shape.
    mask = SHAPES[name](np.clip(u, -1000, 1000), np.clip(v, -1000, 1000))
    return mask, (top, left, bottom, right)
