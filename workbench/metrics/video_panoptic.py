"""Video panoptic quality, VPQ (paper Table V: VIPSeg).

Source: VIPSeg-Dataset ``ClipPanoFCN/eval_vpq_vspw.py``. Segments that share an id in a window of k
consecutive frames are one tube; tubes are matched as the segments of an image in PQ: same category,
no crowd, IoU above 0.5, where pixels of a predicted tube on void count for nothing. Numbers are
pooled over all windows of all videos and averaged over the categories that occur; VPQ is the mean
over k = 1, 2, 4, 6, 8. k = 1 is PQ on frames.

The paper says "PQ" only. *Assumed* is VPQ; most papers leave out k = 8 (``VPQ_1246``), and PQ on
frames is ``PQ_frames``.

As in the reference: a tube's ground-truth area is the sum of the areas in the JSON and its
predicted area is counted in the map; category and crowd flag are those of the first frame in the
window; a predicted tube that is unmatched and lies by more than half on void and on the crowd tube
of its category is no false positive; of several crowd tubes of a category the last one counts. A
video shorter than k has no window. Own code: no maintained library computes it. Where the
reference fails, with no window or no category at all, the value is NaN.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.metrics.panoptic_quality import VOID, CategoryQuality, overlaps

WINDOWS = (1, 2, 4, 6, 8)
METRICS = ("VPQ", "VPQ_Th", "VPQ_St", "VPQ_1246", "PQ_frames", *(f"VPQ_{k}" for k in WINDOWS))


@dataclass(frozen=True)
class Segment:
    """What a JSON says about a segment of a frame: category, crowd flag, area in pixels."""

    category: int
    crowd: bool = False
    area: int = 0


@dataclass(frozen=True)
class Frame:
    """Annotation and prediction of one frame, reduced to what matching needs.

    Attributes:
        truth: Annotated segments by id.
        found: Predicted segments by id, with their areas in the map.
        shared: Pixels by (annotated id, predicted id), void (0) included.
    """

    truth: Mapping[int, Segment]
    found: Mapping[int, Segment]
    shared: Mapping[tuple[int, int], int]


def read_frame(
    truth_map: NDArray[np.integer[Any]],
    truth: Mapping[int, Segment],
    found_map: NDArray[np.integer[Any]],
    categories: Mapping[int, int],
) -> Frame:
    """Reduce the maps of one frame.

    Args:
        truth_map: (H, W) annotated ids, 0 for void.
        truth: Annotated segments by id.
        found_map: (H, W) predicted ids, 0 for void.
        categories: Category of each predicted id.

    Raises:
        ValueError: Maps of different sizes, or a predicted id that is in the map or among
            ``categories`` only.
    """
    if truth_map.shape != found_map.shape:
        raise ValueError(f"maps of {truth_map.shape} and {found_map.shape}")
    shared = overlaps(truth_map, found_map)
    areas: Counter[int] = Counter()
    for (_, number), pixels in shared.items():
        areas[number] += pixels
    areas.pop(VOID, None)
    odd = sorted(areas.keys() ^ (categories.keys() - {VOID}))
    if odd:
        where = "map" if odd[0] in areas else "list of segments"
        raise ValueError(f"predicted id {odd[0]} is in the {where} only")
    found = {number: Segment(categories[number], area=area) for number, area in areas.items()}
    return Frame(truth, found, shared)


@dataclass
class VideoPanopticQuality:
    """Collects videos one by one; of a video only the frames of one window are kept.

    Args:
        isthing: Whether each category is a thing, by its id; all categories that may occur.
    """

    isthing: Mapping[int, bool]
    num_windows: Counter[int] = field(default_factory=Counter)
    _tallies: dict[int, defaultdict[int, CategoryQuality]] = field(
        default_factory=lambda: {k: defaultdict(CategoryQuality) for k in WINDOWS}
    )

    def add(self, frames: Iterable[Frame]) -> None:
        """Add the frames of one video, in order.

        Raises:
            ValueError: An annotated segment has more pixels in the map than its area says, so that
                an IoU would exceed 1.
        """
        last: list[Frame] = []
        for frame in frames:
            last = [*last[-(max(WINDOWS) - 1) :], frame]
            for k in WINDOWS:
                if len(last) >= k:
                    self.num_windows[k] += 1
                    _match(_window(last[-k:]), self._tallies[k])

    def metrics(self) -> dict[str, float]:
        """Return fractions by the names in ``METRICS``, NaN where undefined."""
        qualities = {k: self._mean(k, None) for k in WINDOWS}
        return {
            "VPQ": _plain_mean(list(qualities.values())),
            "VPQ_Th": _plain_mean([self._mean(k, True) for k in WINDOWS]),
            "VPQ_St": _plain_mean([self._mean(k, False) for k in WINDOWS]),
            "VPQ_1246": _plain_mean([qualities[k] for k in (1, 2, 4, 6)]),
            "PQ_frames": qualities[1],
            **{f"VPQ_{k}": quality for k, quality in qualities.items()},
        }

    def _mean(self, k: int, things: bool | None) -> float:
        return _plain_mean(
            [
                tally.values[0]
                for category, tally in self._tallies[k].items()
                if things is None or self.isthing[category] == things
            ]
        )


def _plain_mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _window(frames: Sequence[Frame]) -> Frame:
    """Join frames: segments of one id become one, with the areas of all frames."""
    shared: Counter[tuple[int, int]] = Counter()
    for frame in frames:
        shared.update(frame.shared)
    truth = _join([frame.truth for frame in frames])
    return Frame(truth, _join([frame.found for frame in frames]), shared)


def _join(parts: Sequence[Mapping[int, Segment]]) -> dict[int, Segment]:
    first: dict[int, Segment] = {}
    areas: Counter[int] = Counter()
    for part in parts:
        for number, segment in part.items():
            first.setdefault(number, segment)
            areas[number] += segment.area
    return {n: Segment(one.category, one.crowd, areas[n]) for n, one in first.items()}


def _match(tubes: Frame, tallies: defaultdict[int, CategoryQuality]) -> None:
    truth, found, shared = tubes.truth, tubes.found, tubes.shared
    matched: set[tuple[int, int]] = set()
    for (annotated, predicted), pixels in shared.items():
        left, right = truth.get(annotated), found.get(predicted)
        if left is None or right is None or left.crowd or left.category != right.category:
            continue
        union = left.area + right.area - pixels - shared.get((VOID, predicted), 0)
        if pixels > union:
            raise ValueError(f"annotated id {annotated} has more pixels than its area says")
        iou = pixels / union
        if iou > 0.5:
            tally = tallies[left.category]
            tally.tp += 1
            tally.ious.append(iou)
            matched.add((annotated, predicted))
    _count_unmatched(tubes, matched, tallies)


def _count_unmatched(
    tubes: Frame, matched: set[tuple[int, int]], tallies: defaultdict[int, CategoryQuality]
) -> None:
    matched_truth, matched_found = ({pair[side] for pair in matched} for side in (0, 1))
    crowds = {}
    for number, segment in tubes.truth.items():
        if segment.crowd:
            crowds[segment.category] = number
        elif number not in matched_truth:
            tallies[segment.category].fn += 1
    for number, segment in tubes.found.items():
        ignored = tubes.shared.get((VOID, number), 0)
        if segment.category in crowds:
            ignored += tubes.shared.get((crowds[segment.category], number), 0)
        if number not in matched_found and ignored / segment.area <= 0.5:
            tallies[segment.category].fp += 1
