"""AP of tubes: masks followed through a video (paper Table V: YTVIS2019, UVO).

Source: youtubevos/cocoapi ``PythonAPI/pycocotools/ytvoseval.py`` (in MMDetection as
``mmdet/evaluation/functional/ytviseval.py``): COCO AP in which the IoU of two tubes is the sum of
their overlaps over the frames divided by the sum of their unions; where one of them has no mask,
the other's area joins the union. With its frames side by side a tube is one mask and that IoU a
mask IoU, so that pycocotools does the rest. What differs from COCO: small, medium and large are
below 128², 256² px and above, by the mean area over the frames in which the tube is seen; a crowd
is matched by plain IoU. As in COCO, a tube whose annotation id is 0 can never be found, no
prediction at all is told from 0 (NaN), and at most 100 tubes a video count.

Table V's UVO column is *assumed* to be the same with all categories as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from workbench.metrics.coco_matching import PlainIoU, defined_mean, match
from workbench.metrics.rle import run_lengths

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
MAX_DETECTIONS = (1, 10, 100)
AREA_RANGES = ((0.0, 1e10), (0.0, 128.0**2), (128.0**2, 256.0**2), (256.0**2, 1e10))

RLE = Mapping[str, Any]


@dataclass(frozen=True)
class Tube:
    """One entity in one video.

    Attributes:
        video: Position of its video.
        category: Category id.
        masks: A compressed RLE a frame, None where it is not seen; all of one size.
        number: Annotation id; not used for predictions.
        crowd: Ignored in scoring; not used for predictions.
        score: Of a prediction.
    """

    video: int
    category: int
    masks: tuple[RLE | None, ...]
    number: int = 0
    crowd: bool = False
    score: float = 0.0


def tube_iou(found: Sequence[RLE | None], truth: Sequence[RLE | None]) -> float:
    """Return the spatio-temporal IoU of two tubes of the same frames; 0 where both are empty.

    Raises:
        ValueError: Different numbers of frames.
    """
    if len(found) != len(truth):
        raise ValueError(f"tubes of {len(found)} and {len(truth)} frames")
    sizes = {tuple(mask["size"]) for mask in (*found, *truth) if mask}
    if not sizes:
        return 0.0
    if len(sizes) > 1:
        raise ValueError(f"masks of different sizes: {sorted(sizes)}")
    size = sizes.pop()
    pair = [side_by_side(found, size)], [side_by_side(truth, size)]
    return float(np.asarray(mask_utils.iou(*pair, [0]))[0, 0])


def side_by_side(masks: Sequence[RLE | None], size: tuple[int, int]) -> dict[str, Any]:
    """Return the masks of a tube as one RLE whose frames follow each other from left to right.

    Args:
        masks: One a frame, of ``size``; None for a frame without a mask.
        size: (height, width) of a frame in pixels.
    """
    height, width = size
    runs: list[int] = [0]
    for mask in masks:
        lengths = [height * width] if mask is None else run_lengths(mask["counts"]).tolist()
        # An odd number of runs ends with background, as every frame begins.
        if len(runs) % 2 == 0:
            runs.append(0)
        runs[-1] += lengths[0]
        runs += lengths[1:]
    tall = [height, width * len(masks)]
    encoded: dict[str, Any] = mask_utils.frPyObjects({"size": tall, "counts": runs}, *tall)
    return encoded


def tube_ap(
    truth: Sequence[Tube],
    found: Sequence[Tube],
    sizes: Sequence[tuple[int, int]],
    class_agnostic: bool = False,
) -> dict[str, float]:
    """Score tubes of a data set.

    Args:
        truth: Annotated tubes. Categories without one are not scored.
        found: Predicted tubes.
        sizes: (height, width) in pixels of each video, by position.
        class_agnostic: Whether all categories count as one.

    Returns:
        Fractions by the names in ``METRICS``, NaN where undefined. AR1, AR10 and AR100 allow that
        many tubes a video, and are means over the ten thresholds.
    """
    if not any(not tube.crowd for tube in truth) or not found:
        return dict.fromkeys(METRICS, float("nan"))
    matched = match(
        [_record(tube, sizes, class_agnostic) for tube in truth],
        [_record(tube, sizes, class_agnostic) for tube in found],
        num_images=len(sizes),
        max_detections=MAX_DETECTIONS,
        area_ranges=AREA_RANGES,
        evaluation=PlainIoU,
    )
    return _read_out(matched["precision"], matched["recall"])


def _record(tube: Tube, sizes: Sequence[tuple[int, int]], class_agnostic: bool) -> dict[str, Any]:
    areas = [float(mask_utils.area(mask)) for mask in tube.masks if mask]
    seen = [area for area in areas if area]
    return {
        "id": tube.number,
        "image_id": tube.video + 1,
        "category_id": 1 if class_agnostic else tube.category,
        "segmentation": side_by_side(tube.masks, sizes[tube.video]),
        "area": float(np.mean(seen)) if seen else 0.0,
        "iscrowd": int(tube.crowd),
        "score": tube.score,
    }


def _read_out(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> dict[str, float]:
    return {
        "AP": defined_mean(precision[:, :, :, 0, 2]),
        "AP50": defined_mean(precision[0, :, :, 0, 2]),
        "AP75": defined_mean(precision[5, :, :, 0, 2]),
        "APs": defined_mean(precision[:, :, :, 1, 2]),
        "APm": defined_mean(precision[:, :, :, 2, 2]),
        "APl": defined_mean(precision[:, :, :, 3, 2]),
        "AR1": defined_mean(recall[:, :, 0, 0]),
        "AR10": defined_mean(recall[:, :, 0, 1]),
        "AR100": defined_mean(recall[:, :, 0, 2]),
    }
