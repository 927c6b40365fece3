"""Panoptic quality: PQ, SQ, RQ (paper Tables IV, V, XIII, XV, XVII, XVIII).

Source: cocodataset/panopticapi ``panopticapi/evaluation.py``, rule by rule; own code, since that
project has no release that can be pinned, and loads no picture faster than it counts it. Here the
label maps are cut into runs along their rows before pixels are counted, and pictures are read one
by one.

The rules: segments match where the category is the same, the ground truth is no crowd and the IoU
is above 0.5, with the predicted pixels on void taken out of the union. The area of ground truth is
the one its JSON states. Unmatched predictions are left out where more than half of them is void or
crowd of their category; of several crowds of one category the last one listed counts. Averages are
over the categories that occur, so that PQ is not SQ times RQ.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

VOID = 0
METRICS = tuple(f"{name}{part}" for part in ("", "_Th", "_St") for name in ("PQ", "SQ", "RQ"))

_FIX = "write PNG and JSON together: every id in both, 0 for void only"
Labels = NDArray[np.integer[Any]]
Segments = Sequence[Mapping[str, Any]]


@dataclass
class CategoryQuality:
    """One category over all pictures; numbers of segments may be expected ones.

    Attributes:
        ious: Of each match. Their exact sum is the same in whatever order they come.
        tp, fp, fn: Segments that match, predicted ones that do not, and missed ones.
    """

    ious: list[float] = field(default_factory=list)
    tp: float = 0
    fp: float = 0
    fn: float = 0

    @property
    def iou(self) -> float:
        """Sum over matches."""
        return math.fsum(self.ious)

    @property
    def occurs(self) -> bool:
        """Whether the category counts in the averages."""
        return self.tp + self.fp + self.fn > 0

    @property
    def values(self) -> tuple[float, float, float]:
        """PQ, SQ and RQ as fractions; SQ is 0 where nothing matches."""
        weight = self.tp + 0.5 * self.fp + 0.5 * self.fn
        iou = self.iou
        return iou / weight, iou / self.tp if self.tp else 0.0, self.tp / weight


@dataclass
class PanopticQuality:
    """Adds up pictures.

    Attributes:
        isthing: Whether a category is a thing, by its id; no other categories may occur.
        categories: Sums by category id.
        counts: ``num_images``, ``num_segments`` that are not crowds, ``num_predictions``,
            ``predictions_ignored`` on void or crowd, ``crowds``, ``unlisted_truth_ids`` (labels
            that the ground truth's JSON lacks, neither void nor segments).
    """

    isthing: Mapping[int, bool]
    categories: dict[int, CategoryQuality] = field(
        default_factory=lambda: defaultdict(CategoryQuality)
    )
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                "num_images",
                "num_segments",
                "num_predictions",
                "predictions_ignored",
                "crowds",
                "unlisted_truth_ids",
            ),
            0,
        )
    )

    def add(
        self,
        truth: Labels,
        truth_segments: Segments,
        found: Labels,
        found_segments: Segments,
        where: str | Path = "prediction",
        truth_where: str | Path = "ground truth",
    ) -> None:
        """Add one picture.

        Args:
            truth: (H, W) segment ids, 0 for void, or (H, W, 3) uint8 colours of a PNG that stand
                for them.
            truth_segments: ``id``, ``category_id`` and, where given, ``area`` (pixels, else
                counted) and ``iscrowd`` of each.
            found: The same, of the same height and width.
            found_segments: ``id`` and ``category_id`` of each.
            where: File of the prediction, for errors.
            truth_where: File of the ground truth, for errors.

        Raises:
            BadInput: Label maps of two sizes, an id that only the label map or only the list of a
                prediction has, an id or a category that is unknown or not a number, an id twice.
        """
        if truth.shape[:2] != found.shape[:2]:
            sizes = list(found.shape[:2]), list(truth.shape[:2])
            problem = f"{sizes[0]} differs from the ground truth's {sizes[1]}"
            raise BadInput(where, "size", problem, "predict at the size of the annotations")
        pairs = overlaps(truth, found)
        annotated = self._listed(truth_segments, truth_where)
        predicted = self._listed(found_segments, where)
        areas = _areas(pairs, 1)
        _check_ids(areas, predicted, where)
        matched_truth, matched_found = self._match(pairs, annotated, predicted, areas)
        crowds = self._count_missed(annotated, matched_truth)
        self._count_wrong(pairs, predicted, areas, matched_found, crowds)
        self.counts["num_images"] += 1
        self.counts["num_predictions"] += len(predicted)
        self.counts["unlisted_truth_ids"] += len(_areas(pairs, 0).keys() - annotated.keys())

    def join(self, other: PanopticQuality) -> None:
        """Add the pictures of another one, of the same categories; in any order, all the same."""
        for category, sums in other.categories.items():
            own = self.categories[category]
            own.ious += sums.ious
            own.tp, own.fp, own.fn = own.tp + sums.tp, own.fp + sums.fp, own.fn + sums.fn
        for name, count in other.counts.items():
            self.counts[name] += count

    def metrics(self) -> dict[str, float]:
        """Return fractions by the names in ``METRICS``; NaN where no category occurs."""
        values: dict[str, float] = {}
        for part, kind in (("", None), ("_Th", True), ("_St", False)):
            chosen = [
                sums.values
                for category, sums in sorted(self.categories.items())
                if sums.occurs and kind in (None, self.isthing[category])
            ]
            means = np.mean(chosen, axis=0) if chosen else [float("nan")] * 3
            for name, value in zip(("PQ", "SQ", "RQ"), means, strict=True):
                values[f"{name}{part}"] = float(value)
        return values

    @property
    def num_categories(self) -> int:
        """Categories that occur."""
        return sum(sums.occurs for sums in self.categories.values())

    def _listed(self, segments: Segments, where: str | Path) -> dict[int, Mapping[str, Any]]:
        """Return segments by id."""
        listed: dict[int, Mapping[str, Any]] = {}
        for index, segment in enumerate(segments):
            place = f"segments_info[{index}]"
            number = segment.get("id") if isinstance(segment, Mapping) else None
            if type(number) is not int or number <= VOID or number in listed:
                problem = f"{number!r} is no positive whole number, or a second time"
                raise BadInput(where, f"{place}.id", problem, _FIX)
            category, area = segment.get("category_id"), segment.get("area", 0)
            if type(category) is not int or category not in self.isthing:
                problem = f"{category!r} is not among the categories"
                fix = "use the category ids of the annotations"
                raise BadInput(where, f"{place}.category_id", problem, fix)
            if type(area) not in (int, float) or not 0 <= area < math.inf:
                raise BadInput(where, f"{place}.area", repr(area), "give pixels, or leave it out")
            listed[number] = segment
        return listed

    def _match(
        self,
        pairs: Mapping[tuple[int, int], int],
        annotated: Mapping[int, Mapping[str, Any]],
        predicted: Mapping[int, Mapping[str, Any]],
        areas: Mapping[int, int],
    ) -> tuple[set[int], set[int]]:
        """Count matches and return the ids of both sides."""
        truth_areas = _areas(pairs, 0)
        matched: tuple[set[int], set[int]] = (set(), set())
        for (truth_id, found_id), shared in pairs.items():
            mine, other = annotated.get(truth_id), predicted.get(found_id)
            if mine is None or other is None or mine.get("iscrowd", 0):
                continue
            if mine["category_id"] != other["category_id"]:
                continue
            area = mine.get("area", truth_areas[truth_id])
            union = areas[found_id] + area - shared - pairs.get((VOID, found_id), 0)
            if union <= 0 or shared / union <= 0.5:
                continue
            sums = self.categories[mine["category_id"]]
            sums.tp += 1
            sums.ious.append(shared / union)
            matched[0].add(truth_id)
            matched[1].add(found_id)
        return matched

    def _count_missed(
        self, annotated: Mapping[int, Mapping[str, Any]], matched: set[int]
    ) -> dict[int, int]:
        """Count missed ground truth and return the crowd segment of each category."""
        crowds: dict[int, int] = {}
        for number, segment in annotated.items():
            if segment.get("iscrowd", 0):
                crowds[segment["category_id"]] = number
                self.counts["crowds"] += 1
                continue
            self.counts["num_segments"] += 1
            if number not in matched:
                self.categories[segment["category_id"]].fn += 1
        return crowds

    def _count_wrong(
        self,
        pairs: Mapping[tuple[int, int], int],
        predicted: Mapping[int, Mapping[str, Any]],
        areas: Mapping[int, int],
        matched: set[int],
        crowds: Mapping[int, int],
    ) -> None:
        """Count predictions that match nothing, unless they lie on void or crowd."""
        for number, segment in predicted.items():
            if number in matched:
                continue
            free = pairs.get((VOID, number), 0)
            if segment["category_id"] in crowds:
                free += pairs.get((crowds[segment["category_id"]], number), 0)
            if free / areas[number] > 0.5:
                self.counts["predictions_ignored"] += 1
            else:
                self.categories[segment["category_id"]].fp += 1


def overlaps(first: Labels, second: Labels) -> dict[tuple[int, int], int]:
    """Return how many pixels each pair of labels shares, by (first, second) in ascending order.

    Args:
        first: (H, W) labels from 0 to 2**31 - 1, or (H, W, 3) uint8 colours, of which the label is
            R + 256 G + 65536 B.
        second: The same, of the same height and width.
    """
    sides = [_Flat(first), _Flat(second)]
    if not sides[0].pixels:
        return {}
    begins = np.zeros(sides[0].pixels, dtype=bool)
    begins[0] = True
    for side in sides:
        begins[side.changes()] = True
    starts = np.flatnonzero(begins)
    codes = sides[0].labels(starts) << 32 | sides[1].labels(starts)
    lengths = np.diff(starts, append=len(begins))
    found, which = np.unique(codes, return_inverse=True)
    totals = np.bincount(which, weights=lengths).astype(np.int64)
    pairs = zip((found >> 32).tolist(), (found & 0xFFFFFFFF).tolist(), strict=True)
    return dict(zip(pairs, totals.tolist(), strict=True))


class _Flat:
    """A label map in one row; labels are made of colours only where they are asked for."""

    def __init__(self, labels: Labels) -> None:
        self._depth = 3 if labels.ndim == 3 else 1
        self._values = np.ascontiguousarray(labels).reshape(-1)
        self.pixels = len(self._values) // self._depth

    def changes(self) -> NDArray[np.intp]:
        """Return the pixels that differ from the one before."""
        depth = self._depth
        return np.flatnonzero(self._values[depth:] != self._values[:-depth]) // depth + 1

    def labels(self, pixels: NDArray[np.intp]) -> NDArray[np.int64]:
        if self._depth == 1:
            return self._values[pixels].astype(np.int64)
        red, green, blue = (self._values[3 * pixels + at].astype(np.int64) for at in range(3))
        return red | green << 8 | blue << 16


def _areas(pairs: Mapping[tuple[int, int], int], side: int) -> dict[int, int]:
    """Return pixels by label of one side, void left out."""
    areas: dict[int, int] = defaultdict(int)
    for pair, shared in pairs.items():
        if pair[side] != VOID:
            areas[pair[side]] += shared
    return areas


def _check_ids(areas: Mapping[int, int], predicted: Mapping[int, Any], where: str | Path) -> None:
    for number in _only_in(areas, predicted):
        raise BadInput(where, "segments_info", f"id {number} of the PNG is not listed", _FIX)
    for number in _only_in(predicted, areas):
        raise BadInput(where, "segments_info", f"id {number} has no pixel in the PNG", _FIX)


def _only_in(these: Mapping[int, Any], others: Mapping[int, Any]) -> Iterator[int]:
    return (number for number in sorted(these) if number not in others)
