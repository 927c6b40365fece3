"""AP of tubes: masks followed through a video (paper Table V: YTVIS2019, UVO).

Source: youtubevos/cocoapi ``PythonAPI/pycocotools/ytvoseval.py`` (in MMDetection as
``mmdet/evaluation/functional/ytviseval.py``): COCO AP in which the IoU of two tubes is the sum of
their overlaps over the frames divided by the sum of their unions; where one of them has no mask,
the other's area joins the union. pycocotools does the rest. What differs from COCO: small, medium
and large are below 128², 256² px and above, by the mean area over the frames in which the tube is
seen; a crowd is matched by plain IoU, not by the share of the detection. As in COCO, a tube whose
annotation id is 0 can never be found, no prediction at all is told from 0 (NaN), and at most 100
tubes a video count.

Table V's UVO column is *assumed* to be the same with all categories as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils
from pycocotools.cocoeval import COCOeval

from workbench.metrics.coco_matching import defined_mean, match

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
        ValueError: Different numbers of frames, or masks of different sizes.
    """
    return float(tube_ious([found], [truth])[0, 0])


def tube_ious(
    found: Sequence[Sequence[RLE | None]], truth: Sequence[Sequence[RLE | None]]
) -> NDArray[np.float64]:
    """Return the (D, G) spatio-temporal IoUs of the tubes of one video.

    Args:
        found: D tubes, each a mask (compressed RLE, or None) a frame.
        truth: G tubes of the same frames.

    Raises:
        ValueError: Different numbers of frames, or masks of different sizes.
    """
    lengths = {len(tube) for tube in (*found, *truth)}
    sizes = {tuple(mask["size"]) for tube in (*found, *truth) for mask in tube if mask}
    if len(lengths) > 1 or len(sizes) > 1:
        raise ValueError(f"tubes of {sorted(lengths)} frames with masks of {sorted(sizes)}")
    shared = np.zeros((len(found), len(truth)))
    for frame in range(max(lengths, default=0)):
        rows = [at for at, tube in enumerate(found) if tube[frame]]
        columns = [at for at, tube in enumerate(truth) if tube[frame]]
        if rows and columns:
            masks = [found[at][frame] for at in rows], [truth[at][frame] for at in columns]
            shared[np.ix_(rows, columns)] += _shared_pixels(*masks)
    total = _total_areas(found)[:, None] + _total_areas(truth)[None]
    return np.divide(shared, total - shared, out=np.zeros_like(shared), where=shared > 0)


def _shared_pixels(left: list[Any], right: list[Any]) -> NDArray[np.float64]:
    """Return the pixels that masks have in common; pycocotools gives IoUs only."""
    ious = np.asarray(mask_utils.iou(left, right, [0] * len(right)), dtype=np.float64)
    areas = mask_utils.area(left)[:, None].astype(np.float64) + mask_utils.area(right)[None]
    # Whole numbers below 2**32, far from where doubles lose them.
    return np.rint(ious * areas / (1 + ious))


def _total_areas(tubes: Sequence[Sequence[RLE | None]]) -> NDArray[np.float64]:
    return np.array([float(_areas(tube).sum()) for tube in tubes])


def _areas(tube: Sequence[RLE | None]) -> NDArray[np.integer[Any]]:
    """Return the areas in pixels of the frames that have a mask."""
    masks = [mask for mask in tube if mask]
    return np.asarray(mask_utils.area(masks)) if masks else np.zeros(0, dtype=np.int64)


class _TubeEvaluation(COCOeval):
    """COCO evaluation whose images are videos; a ``segmentation`` holds its tube's frames."""

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802, N803
        """Return the IoUs of a video's tubes of one category, best score first."""
        truth, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not truth and not found:
            return []
        order = np.argsort([-one["score"] for one in found], kind="mergesort")
        best = [found[at]["segmentation"]["frames"] for at in order[: self.params.maxDets[-1]]]
        return tube_ious(best, [one["segmentation"]["frames"] for one in truth])


def tube_ap(
    truth: Sequence[Tube],
    found: Sequence[Tube],
    num_videos: int,
    class_agnostic: bool = False,
) -> dict[str, float]:
    """Score tubes of a data set.

    Args:
        truth: Annotated tubes. Categories without one are not scored.
        found: Predicted tubes.
        num_videos: Videos of the data set, also those without a tube.
        class_agnostic: Whether all categories count as one.

    Returns:
        Fractions by the names in ``METRICS``, NaN where undefined. AR1, AR10 and AR100 allow that
        many tubes a video, and are means over the ten thresholds.
    """
    if not any(not tube.crowd for tube in truth) or not found:
        return dict.fromkeys(METRICS, float("nan"))
    matched = match(
        [_record(tube, class_agnostic) for tube in truth],
        [_record(tube, class_agnostic) for tube in found],
        num_images=num_videos,
        max_detections=MAX_DETECTIONS,
        area_ranges=AREA_RANGES,
        evaluation=_TubeEvaluation,
    )
    return _read_out(matched["precision"], matched["recall"])


def _record(tube: Tube, class_agnostic: bool) -> dict[str, Any]:
    areas = _areas(tube.masks)
    seen = areas[areas > 0]
    return {
        "id": tube.number,
        "image_id": tube.video + 1,
        "category_id": 1 if class_agnostic else tube.category,
        # pycocotools passes on what has counts as it is.
        "segmentation": {"counts": "", "frames": tube.masks},
        "area": float(seen.mean()) if seen.size else 0.0,
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
