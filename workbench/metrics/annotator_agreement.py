"""How well two annotators agree (paper Table II).

(a) ``mAP``: class-agnostic COCO mask AP (see ``entity_ap``) with one annotator's masks as
detections and the other's as ground truth. There are no scores, so all are 1, and since a hundred
detections would cut off crowded images, as many count as the fullest image has. With equal scores
the value depends on the order: images by id, in an image annotations by id. AP is not symmetric
and the paper prints one value a pair; *assumed*: the row predicts, the column is ground truth.
``mAP_reversed`` is the other direction.

(b) ``ACC``: of the masks that both annotators have, the share to which they gave the same class,
pooled over the entities (*assumed*). A pair is two equal masks of one image.

Crowds of the predicting side are left out, those of the other are ignored as COCO does. Annotation
ids only order: none is lost for being 0, unlike in scoring a model's entities. Own code around
pycocotools: no library has this protocol.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from workbench.metrics.coco_matching import defined_mean, match
from workbench.metrics.rle import run_lengths

METRICS = ("mAP", "mAP_reversed", "ACC")
# Of the fullest image of EntitySeg; more are allowed where an image has more.
LEAST_DETECTIONS = 236

RLE = Mapping[str, Any]


@dataclass(frozen=True)
class AnnotatedImage:
    """One annotator's entities of one image, ordered by annotation id; the tuples run in parallel.

    Attributes:
        masks: Compressed RLE.
        classes: Whatever names a class: equal values are the same class.
        crowds: Whether the mask covers several entities; all False when left empty.
    """

    masks: tuple[RLE, ...]
    classes: tuple[Hashable, ...]
    crowds: tuple[bool, ...] = field(default=())

    def flagged(self) -> list[tuple[RLE, bool]]:
        """Return each mask with its crowd flag."""
        return list(zip(self.masks, self.crowds or (False,) * len(self.masks), strict=True))


@dataclass(frozen=True)
class Agreement:
    """Result of one comparison.

    Attributes:
        metrics: Fractions in [0, 1] by the names in ``METRICS``, NaN where undefined.
        num_predicted, num_truth: Entities of the two, crowds aside.
        num_paired: Masks that both have, from which ACC is.
        num_crowds: Masks of either that are crowds.
    """

    metrics: dict[str, float]
    num_predicted: int
    num_truth: int
    num_paired: int
    num_crowds: int

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        alone = self.num_predicted + self.num_truth - 2 * self.num_paired
        if not self.num_paired:
            return ["No mask is the same in both: ACC is undefined."]
        if alone:
            return [f"{alone} masks of one annotator alone are left out of ACC."]
        return []


def agreement(predicted: Sequence[AnnotatedImage], truth: Sequence[AnnotatedImage]) -> Agreement:
    """Compare two annotators.

    Args:
        predicted: The annotator of the row, an entry an image, in the order of image ids.
        truth: The annotator of the column, of the same images.

    Raises:
        ValueError: Different numbers of images.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} and {len(truth)} images")
    same, paired = 0, 0
    for row, column in zip(predicted, truth, strict=True):
        pairs = _pairs(row, column)
        paired += len(pairs)
        same += sum(row.classes[i] == column.classes[j] for i, j in pairs)
    flags = [[crowd for image in side for _, crowd in image.flagged()] for side in
             (predicted, truth)]  # fmt: skip
    return Agreement(
        metrics={
            "mAP": _precision(predicted, truth),
            "mAP_reversed": _precision(truth, predicted),
            "ACC": same / paired if paired else float("nan"),
        },
        num_predicted=flags[0].count(False),
        num_truth=flags[1].count(False),
        num_paired=paired,
        num_crowds=flags[0].count(True) + flags[1].count(True),
    )


def _pairs(row: AnnotatedImage, column: AnnotatedImage) -> list[tuple[int, int]]:
    """Return positions of equal masks, one to one, in order."""
    free: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for at, (mask, crowd) in enumerate(column.flagged()):
        if not crowd:
            free[_key(mask)].append(at)
    pairs = []
    for at, (mask, crowd) in enumerate(row.flagged()):
        equal = [] if crowd else free[_key(mask)]
        if equal:
            pairs.append((at, equal.pop(0)))
    return pairs


def _key(mask: RLE) -> tuple[int, ...]:
    return tuple(run_lengths(mask["counts"]).tolist())


def _precision(predicted: Sequence[AnnotatedImage], truth: Sequence[AnnotatedImage]) -> float:
    targets = [
        {**_record(at, mask), "id": 0, "iscrowd": int(crowd)}
        for at, image in enumerate(truth, start=1)
        for mask, crowd in image.flagged()
    ]
    for number, target in enumerate(targets, start=1):
        target["id"] = number
    found = [
        {**_record(at, mask), "score": 1.0}
        for at, image in enumerate(predicted, start=1)
        for mask, crowd in image.flagged()
        if not crowd
    ]
    if not found or all(target["iscrowd"] for target in targets):
        return float("nan")
    most = int(np.bincount([one["image_id"] for one in found]).max())
    limits = (1, 10, max(LEAST_DETECTIONS, most))
    matched = match(targets, found, len(truth), limits, [(0.0, 1e10)])
    return defined_mean(matched["precision"][:, :, :, 0, 2])


def _record(image: int, mask: RLE) -> dict[str, Any]:
    area = float(mask_utils.area(mask))
    return {"image_id": image, "category_id": 1, "segmentation": dict(mask), "area": area}
