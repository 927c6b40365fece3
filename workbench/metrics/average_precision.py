"""COCO's precision and recall of masks, gathered picture by picture.

Letters: T IoU thresholds, R recall points, K categories, A area ranges, N detections.

Source: cocodataset/cocoapi ``COCOeval``; equal to pycocotools at 100 detections an image. The masks
of one picture are held at a time; of each detection 22 bytes stay, its score among them, which the
exact curve needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from workbench.metrics.mask_matching import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MAX_DETECTIONS,
    RECALL_POINTS,
    Matches,
    TruthMasks,
    match,
    outside,
)

ImageId = int | str
Floats = NDArray[np.float64]

_AREAS, _THRESHOLDS = len(AREA_RANGES), len(IOU_THRESHOLDS)
_FLAGS = 2 * _AREAS * _THRESHOLDS
_DETECTION = np.dtype([("score", "<f8"), ("image", "<u4"), ("flags", "u1", _FLAGS // 8)])


@dataclass(frozen=True)
class Curves:
    """Precision and recall of all categories; -1 where a category has no ground truth.

    Attributes:
        precision: (T, R, K, A).
        recall: (T, K, A).
    """

    precision: Floats
    recall: Floats

    def mean_precision(self, threshold: int | None = None, area: int = 0) -> float:
        """Return AP at all IoU thresholds or at one, in an area range; NaN where undefined."""
        return _defined_mean(self._at(self.precision, threshold)[..., area])

    def mean_recall(self, threshold: int | None = None) -> float:
        """Return AR at all IoU thresholds or at one; NaN where undefined."""
        return _defined_mean(self._at(self.recall, threshold)[..., 0])

    def of_category(self, category: int) -> float:
        """Return the AP of the category at a place; NaN where undefined."""
        return _defined_mean(self.precision[:, :, category, 0])

    @staticmethod
    def _at(values: Floats, threshold: int | None) -> Floats:
        return values if threshold is None else values[threshold]


class AveragePrecision:
    """Adds up pictures.

    Args:
        categories: Ids of the categories; None for one category that takes all masks.
    """

    def __init__(self, categories: Sequence[int] | None = None) -> None:
        self._categories = None if categories is None else tuple(categories)
        self._detections: dict[int, bytearray] = defaultdict(bytearray)
        self._counting: dict[int, NDArray[np.int64]] = {}
        self._images: list[ImageId] = []

    def add(
        self,
        image_id: ImageId,
        truth: Sequence[Mapping[str, Any]],
        found: Sequence[Mapping[str, Any]],
    ) -> None:
        """Match one picture's masks; each picture once, in any order.

        Args:
            image_id: Pictures rank by it where scores are equal: numbers before texts.
            truth: ``id``, ``segmentation`` (compressed RLE) and, where given, ``area`` (pixels,
                else the mask's), ``iscrowd`` and, with categories, ``category_id``.
            found: ``segmentation`` and ``score``, with categories also ``category_id``.
        """
        ordinal = len(self._images)
        self._images.append(image_id)
        if self._categories is None:
            self._add(0, ordinal, truth, found)
            return
        truths, detections = _by_category(truth), _by_category(found)
        for category in truths.keys() | detections.keys():
            self._add(category, ordinal, truths.get(category, []), detections.get(category, []))

    def _add(
        self,
        category: int,
        ordinal: int,
        truth: Sequence[Mapping[str, Any]],
        found: Sequence[Mapping[str, Any]],
    ) -> None:
        masks = _truth_masks(truth)
        counting = (~masks.ignored).sum(axis=1)
        self._counting[category] = self._counting.get(category, 0) + counting
        scores = np.array([item["score"] for item in found], dtype=np.float64)
        order = np.argsort(-scores, kind="stable")[:MAX_DETECTIONS]
        if not len(order):
            return
        matches = _match([found[at]["segmentation"] for at in order], truth, masks)
        flags = np.stack([matches.hit, matches.ignored]).reshape(_FLAGS, len(order))
        records = np.empty(len(order), dtype=_DETECTION)
        records["score"], records["image"] = scores[order], ordinal
        records["flags"] = np.packbits(flags.T, axis=1)
        self._detections[category] += records.tobytes()

    def join(self, other: AveragePrecision) -> None:
        """Add the pictures of another one, of the same categories; in any order, all the same."""
        first = len(self._images)
        self._images += other._images
        for category, counting in other._counting.items():
            self._counting[category] = self._counting.get(category, 0) + counting
        for category, found in other._detections.items():
            records = np.frombuffer(found, dtype=_DETECTION).copy()
            records["image"] += first
            self._detections[category] += records.tobytes()

    def curves(self) -> Curves:
        """Return the curves of all categories, in the order they were given."""
        categories = (0,) if self._categories is None else self._categories
        precision = np.full(
            (_THRESHOLDS, len(RECALL_POINTS), len(categories), _AREAS), -1, dtype=np.float64
        )
        recall = np.full((_THRESHOLDS, len(categories), _AREAS), -1, dtype=np.float64)
        rank = self._ranks()
        for at, category in enumerate(categories):
            counting = self._counting.get(category)
            if counting is None or not counting.any():
                continue
            detections = np.frombuffer(self._detections[category], dtype=_DETECTION)
            order = np.lexsort((rank[detections["image"]], -detections["score"]))
            flags = detections["flags"][order]
            for area in np.flatnonzero(counting):
                for threshold in range(_THRESHOLDS):
                    hit = _flag(flags, 0, area, threshold)
                    wrong = ~hit & ~_flag(flags, 1, area, threshold)
                    sampled, reached = _curve(hit, wrong, int(counting[area]))
                    precision[threshold, :, at, area] = sampled
                    recall[threshold, at, area] = reached
        return Curves(precision, recall)

    def _ranks(self) -> NDArray[np.int64]:
        """Return the place of each added picture in the order of their ids."""
        ranks = np.empty(len(self._images), dtype=np.int64)
        order = sorted(range(len(self._images)), key=lambda at: _id_order(self._images[at]))
        ranks[order] = np.arange(len(order))
        return ranks


def _id_order(image_id: ImageId) -> tuple[bool, int, str]:
    if isinstance(image_id, str):
        return True, 0, image_id
    return False, image_id, ""


def _by_category(items: Iterable[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    groups: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        groups[item["category_id"]].append(item)
    return groups


def _truth_masks(truth: Sequence[Mapping[str, Any]]) -> TruthMasks:
    areas = [item.get("area") for item in truth]
    if None in areas:
        measured = mask_utils.area([item["segmentation"] for item in truth])
        areas = [own if own is not None else int(a) for own, a in zip(areas, measured, strict=True)]
    return TruthMasks(
        areas=np.array(areas, dtype=np.float64),
        crowd=np.array([bool(item.get("iscrowd", 0)) for item in truth], dtype=bool),
        findable=np.array([item["id"] != 0 for item in truth], dtype=bool),
    )


def _match(
    found: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]], masks: TruthMasks
) -> Matches:
    areas = np.asarray(mask_utils.area(list(found)), dtype=np.float64)
    if not truth:
        shape = (_AREAS, _THRESHOLDS, len(found))
        unmatched = np.broadcast_to(outside(areas)[:, None], shape)
        return Matches(np.zeros(shape, dtype=bool), unmatched)
    crowd = masks.crowd.astype(np.uint8).tolist()
    ious = mask_utils.iou(list(found), [item["segmentation"] for item in truth], crowd)
    return match(np.asarray(ious), masks, areas)


def _flag(flags: NDArray[np.uint8], kind: int, area: int, threshold: int) -> NDArray[np.bool_]:
    """Return (N,) of the packed flags: kind 0 is hit, 1 is ignored."""
    bit = (kind * _AREAS + area) * _THRESHOLDS + threshold
    return (flags[:, bit // 8] >> (7 - bit % 8) & 1).astype(bool)


def _curve(hit: NDArray[np.bool_], wrong: NDArray[np.bool_], counting: int) -> tuple[Floats, float]:
    """Return (R,) precision at the recall points, made monotone from the right, and recall."""
    sampled = np.zeros(len(RECALL_POINTS))
    if not len(hit):
        return sampled, 0.0
    right, errors = np.cumsum(hit).astype(np.float64), np.cumsum(wrong)
    recall = right / counting
    precision = right / (errors + right + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALL_POINTS, side="left")
    inside = at < len(envelope)
    sampled[inside] = envelope[at[inside]]
    return sampled, float(recall[-1])


def _defined_mean(values: Floats) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")
