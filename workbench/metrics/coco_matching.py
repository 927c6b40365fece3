"""Stock COCO matching of masks, with what the protocols built on it change.

Used where COCO's evaluation runs on something else than scored detections of images: annotators'
masks (Table II) and tubes (Table V).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def match(
    truth: Sequence[dict[str, Any]],
    found: Sequence[dict[str, Any]],
    num_images: int,
    max_detections: Sequence[int],
    area_ranges: Sequence[tuple[float, float]],
    evaluation: type[COCOeval] = COCOeval,
) -> dict[str, NDArray[np.float64]]:
    """Match detections with ground truth and accumulate precision and recall.

    Args:
        truth: ``id``, ``image_id`` from 1 to ``num_images``, ``category_id``, ``segmentation``
            (RLE), ``area`` and ``iscrowd`` of each mask. An id of 0 can never be found.
        found: The same without ``iscrowd``, with ``score``; ids are given here, from 1.
        num_images: Detections of equal score are ranked in the order of the images.
        max_detections: Ascending; an image's best by score count.
        area_ranges: Smallest and largest area of each range.
        evaluation: ``COCOeval``, or a subclass with another IoU.

    Returns:
        ``precision`` (threshold, recall point, category, area range, number of detections) and
        ``recall`` without the second axis; -1 where undefined.
    """
    categories = sorted({one["category_id"] for one in truth})
    # pycocotools asks for sizes and, the masks being run lengths, does not use them.
    images = [{"id": n, "height": 0, "width": 0} for n in range(1, num_images + 1)]
    numbered = [{**one, "id": at, "iscrowd": 0} for at, one in enumerate(found, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = evaluation(
            _index(images, [dict(one) for one in truth], categories),
            _index(images, numbered, categories),
            iouType="segm",
        )
        evaluator.params.maxDets = list(max_detections)
        evaluator.params.areaRng = [list(ends) for ends in area_ranges]
        evaluator.params.areaRngLbl = [str(at) for at in range(len(area_ranges))]
        evaluator.evaluate()
        evaluator.accumulate()
    return {name: evaluator.eval[name] for name in ("precision", "recall")}


def _index(
    images: list[dict[str, int]], annotations: list[dict[str, Any]], categories: list[int]
) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": str(number)} for number in categories],
    }
    coco.createIndex()
    return coco


def defined_mean(values: NDArray[np.float64]) -> float:
    """Return the mean of what is defined (above -1), NaN where nothing is."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")
