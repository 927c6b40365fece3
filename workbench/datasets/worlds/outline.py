"""Polygons around masks, along the edges between pixels."""

from __future__ import annotations

import numpy as np

from workbench.datasets.worlds.fixed import Mask

Point = tuple[int, int]


def mask_polygons(mask: Mask) -> list[list[int]]:
    """Return closed polygons [x0, y0, x1, y1, ...] around an (H, W) bool mask.

    Corners lie between pixels. Outlines of holes are among them: COCO's polygons have no holes,
    so a caller must check that they rasterise to the mask.
    """
    follow = _directed_edges(mask)
    polygons = []
    while follow:
        start = at = min(follow)
        heading = (0, 0)
        corners: list[int] = []
        while True:
            after = _turn(follow, at, heading)
            step = (after[0] - at[0], after[1] - at[1])
            if step != heading:
                corners += [at[1], at[0]]
            at, heading = after, step
            if at == start:
                break
        polygons.append(corners)
    return polygons


def _directed_edges(mask: Mask) -> dict[Point, list[Point]]:
    """Return the pixel edges of the border, corner to corner (row, column), mask on the right."""
    padded = np.pad(mask, 1).astype(np.int8)
    edges: dict[Point, list[Point]] = {}
    across = padded[1:] - padded[:-1]
    for row, column in np.argwhere(across).tolist():
        ends = [(row, column - 1), (row, column)]
        source, target = ends if across[row, column] > 0 else ends[::-1]
        edges.setdefault(source, []).append(target)
    down = padded[:, 1:] - padded[:, :-1]
    for row, column in np.argwhere(down).tolist():
        ends = [(row, column), (row - 1, column)]
        source, target = ends if down[row, column] > 0 else ends[::-1]
        edges.setdefault(source, []).append(target)
    return edges


def _turn(follow: dict[Point, list[Point]], at: Point, heading: Point) -> Point:
    """Take one edge that leaves a corner; where two pixels meet in it, the one to the right."""
    options = follow[at]
    right = (at[0] + heading[1], at[1] - heading[0])
    after = right if right in options else options[0]
    options.remove(after)
    if not options:
        del follow[at]
    return after
