"""Greedy matching of one picture's detections with its ground truth, as COCO does it.

Letters: A area ranges, T IoU thresholds, D detections by descending score, G ground-truth masks.

Source: cocodataset/cocoapi ``COCOeval.evaluateImg``; own code, since pycocotools' own loop over all
pairs takes most of an evaluation's time and faster-coco-eval, whose values are equal, keeps the
masks of the whole data set in memory. Masks' overlaps come from pycocotools. Most detections reach
the lowest threshold with one ground truth that no other reaches: they are settled at once, and only
the rest are taken in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Both as COCO's parameters compute them; 0.05 steps are not exact in binary.
IOU_THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10, dtype=np.float64)
RECALL_POINTS: Floats = np.linspace(0.0, 1.0, 101, dtype=np.float64)
AREA_RANGES: Floats = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
AREA_NAMES = ("all", "small", "medium", "large")
MAX_DETECTIONS = 100

_REACHED: Floats = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
_SHAPE = (len(AREA_RANGES), len(IOU_THRESHOLDS))


@dataclass(frozen=True)
class TruthMasks:
    """Ground truth of one picture and category.

    Attributes:
        areas: (G,) pixels, which decide the area range.
        crowd: (G,) whether the mask is ignored and may absorb many detections.
        findable: (G,) False where the annotation id is 0, which COCO reads as "not matched".
    """

    areas: Floats
    crowd: Bools
    findable: Bools

    @property
    def ignored(self) -> Bools:
        """(A, G): crowds, and masks outside an area range."""
        return self.crowd | outside(self.areas)


@dataclass(frozen=True)
class Matches:
    """What became of the detections; those in neither array are false positives.

    Attributes:
        hit: (A, T, D) matched with a ground truth that counts.
        ignored: (A, T, D) neither right nor wrong.
    """

    hit: Bools
    ignored: Bools


def outside(areas: Floats) -> Bools:
    """Return (A, N): whether (N,) areas lie outside each range."""
    return (areas < AREA_RANGES[:, :1]) | (areas > AREA_RANGES[:, 1:])


def match(ious: Floats, truth: TruthMasks, areas: Floats) -> Matches:
    """Match detections with ground truth at every threshold and area range.

    A detection takes the free ground truth of highest IoU that reaches the threshold, the later of
    equals; one that counts before one that is ignored. Only crowds can be taken again.

    Args:
        ious: (D, G), detections by descending score; with a crowd, the share of the detection.
        truth: Ground truth.
        areas: (D,) pixels of the detections.
    """
    ignored_truth = truth.ignored
    chosen = _choose(ious, truth.crowd, ignored_truth)
    found = chosen >= 0
    if not found.any():
        ignored = np.broadcast_to(outside(areas)[:, None], found.shape)
        return Matches(found, ignored)
    takes_ignored = found & ignored_truth[np.arange(_SHAPE[0])[:, None, None], chosen]
    matched = found & truth.findable[chosen]
    ignored = takes_ignored | (~matched & outside(areas)[:, None])
    return Matches(matched & ~ignored, ignored)


def _choose(ious: Floats, crowd: Bools, ignored: Bools) -> NDArray[np.intp]:
    """Return (A, T, D): the ground truth that each detection takes, -1 for none."""
    chosen = np.full((*_SHAPE, len(ious)), -1, dtype=np.intp)
    reaches = ious >= _REACHED[0]
    rivals = reaches.sum(axis=0)
    contested = (reaches & ((rivals > 1) & ~crowd)).any(axis=1) | (reaches.sum(axis=1) > 1)
    rows, columns = np.nonzero(reaches & ~contested[:, None])
    chosen[:, :, rows] = np.where(ious[rows, columns] >= _REACHED[:, None], columns, -1)
    taken = np.zeros((*_SHAPE, len(crowd)), dtype=bool)
    for row in np.flatnonzero(contested):
        _take(chosen[:, :, row], taken, ious[row], crowd, ignored)
    return chosen


def _take(
    chosen: NDArray[np.intp], taken: Bools, ious: Floats, crowd: Bools, ignored: Bools
) -> None:
    """Let one detection choose: fill (A, T) ``chosen`` and mark (A, T, G) ``taken``."""
    near = np.flatnonzero(ious >= _REACHED[0])
    near = near[np.argsort(ious[near], kind="stable")]
    free = (ious[near] >= _REACHED[:, None]) & ~taken[:, :, near]
    counts = ~ignored[:, None, near]
    preference = np.where(free, 1 + np.arange(len(near)) + counts * len(near), 0)
    best = preference.argmax(axis=-1)
    reached = np.take_along_axis(preference, best[..., None], axis=-1)[..., 0] > 0
    chosen[:] = np.where(reached, near[best], -1)
    at = np.nonzero(reached & ~crowd[chosen])
    taken[(*at, chosen[at])] = True
