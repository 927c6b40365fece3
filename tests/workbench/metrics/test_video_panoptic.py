"""VPQ: PQ's worked example as a video of one frame, a slow loop over tubes, edge cases."""

import numpy as np
import pytest

from workbench.metrics.video_panoptic import (
    METRICS,
    WINDOWS,
    Segment,
    VideoPanopticQuality,
    read_frame,
)

TRUTH = np.array([[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 0, 0, 4, 4]] * 2)
FOUND = np.array([[1, 1, 1, 1, 2, 2], [1, 1, 1, 2, 2, 2], [5, 5, 6, 6, 7, 7], [5, 8, 6, 6, 7, 7]])
CATEGORIES = {1: 10, 2: 20, 5: 20, 6: 10, 7: 10, 8: 10}
ISTHING = {10: True, 20: False, 30: True}


def truth_segments():
    areas = {number: int((number == TRUTH).sum()) for number in (1, 2, 3, 4)}
    categories = {1: 10, 2: 20, 3: 10, 4: 10}
    return {n: Segment(categories[n], n == 4, area) for n, area in areas.items()}


def example():
    return read_frame(TRUTH, truth_segments(), FOUND, CATEGORIES)


def test_worked_example_of_pq_is_one_frame():
    quality = VideoPanopticQuality(ISTHING)
    quality.add([example()])
    metrics = quality.metrics()
    assert metrics["PQ_frames"] == metrics["VPQ_1"] == pytest.approx(0.492063, abs=5e-7)
    assert np.isnan([metrics["VPQ_2"], metrics["VPQ"], metrics["VPQ_1246"]]).all()
    assert tuple(metrics) == METRICS


def test_a_still_video_has_the_quality_of_its_frame():
    quality = VideoPanopticQuality(ISTHING)
    quality.add([example()] * 9)
    metrics = quality.metrics()
    assert metrics["VPQ"] == pytest.approx(0.492063, abs=5e-7)
    assert metrics["VPQ_1246"] == pytest.approx(metrics["VPQ"])
    assert metrics["VPQ_Th"] == pytest.approx(0.428571, abs=5e-7)
    assert metrics["VPQ_St"] == pytest.approx(0.555556, abs=5e-7)
    assert quality.num_windows == {k: 10 - k for k in WINDOWS}


def test_an_id_that_changes_costs_only_longer_windows():
    truth = {1: Segment(10, area=4)}
    square = np.ones((2, 2), int)
    frames = [read_frame(square, truth, square * n, {n: 10}) for n in (1, 2)]
    quality = VideoPanopticQuality(ISTHING)
    quality.add(frames)
    # Each predicted tube covers half of the annotated one: IoU 0.5 is no match.
    assert quality.metrics()["VPQ_1"] == 1.0
    assert quality.metrics()["VPQ_2"] == 0.0


def random_video(rng, num_frames, size=(9, 11)):
    """Blocky maps; predictions follow the truth, with other ids, noise and void."""
    categories = {n: int(rng.choice([10, 20, 30])) for n in range(1, 7)}
    crowds = {n: bool(rng.random() < 0.2) for n in categories}
    found_of = {n: int(rng.choice([10, 20, 30])) if rng.random() < 0.3 else categories[n % 7 or 1]
                for n in range(1, 10)}  # fmt: skip
    blocks = rng.integers(0, 7, size)
    frames = []
    for _ in range(num_frames):
        blocks = np.where(rng.random(size) < 0.15, rng.integers(0, 7, size), blocks)
        found = np.where(rng.random(size) < 0.2, rng.integers(0, 10, size), blocks)
        if rng.random() < 0.1:
            found = np.zeros_like(found)
        areas = {n: int((blocks == n).sum()) for n in categories if (blocks == n).any()}
        truth = {n: Segment(categories[n], crowds[n], area) for n, area in areas.items()}
        frames.append((blocks, truth, found, {n: found_of[n] for n in set(found.flat) - {0}}))
    return frames


def slow_window(frames, table):
    """Match the tubes of one window by masks over all its frames."""
    truth_maps = np.stack([truth for truth, _, _, _ in frames])
    found_maps = np.stack([found for _, _, found, _ in frames])
    truth, found = {}, {}
    for _, segments, _, categories in frames:
        truth = segments | truth
        found = categories | found
    pairs = [(g, p) for g in truth for p in found if not truth[g].crowd]
    pairs = [(g, p) for g, p in pairs if truth[g].category == found[p]]
    matches = {}
    for g, p in pairs:
        inside, predicted = truth_maps == g, found_maps == p
        area = sum(s[g].area for _, s, _, _ in frames if g in s)
        on_void = (predicted & (truth_maps == 0)).sum()
        shared = (inside & predicted).sum()
        iou = shared / max(area + predicted.sum() - shared - on_void, 1)
        if iou > 0.5:
            matches[g, p] = iou
    table += [(found[p], "right", iou) for (_, p), iou in matches.items()]
    missed = truth.keys() - {g for g, _ in matches}
    table += [(truth[g].category, "missed", 0) for g in missed if not truth[g].crowd]
    order = [g for _, segments, _, _ in frames for g in segments]
    for p in found.keys() - {p for _, p in matches}:
        predicted = found_maps == p
        ignored = (predicted & (truth_maps == 0)).sum()
        crowds = [g for g, s in truth.items() if s.crowd and s.category == found[p]]
        if crowds:
            last = max(crowds, key=order.index)
            ignored += (predicted & (truth_maps == last)).sum()
        if ignored / predicted.sum() <= 0.5:
            table.append((found[p], "wrong", 0))


def slow_quality(videos, k, only=None):
    table = []
    for frames in videos:
        for start in range(len(frames) - k + 1):
            slow_window(frames[start : start + k], table)
    values = []
    for category in {row[0] for row in table} if only is None else only:
        rows = [row for row in table if row[0] == category]
        weight = sum(1.0 if row[1] == "right" else 0.5 for row in rows)
        if rows:
            values.append(sum(row[2] for row in rows) / weight)
    return np.mean(values) if values else np.nan


@pytest.mark.parametrize("seed", range(15))
def test_equal_to_slow_tubes(seed):
    rng = np.random.default_rng(seed)
    videos = [random_video(rng, int(rng.integers(1, 12))) for _ in range(4)]
    quality = VideoPanopticQuality(ISTHING)
    for frames in videos:
        quality.add(read_frame(*frame) for frame in frames)
    metrics = quality.metrics()
    by_window = {k: slow_quality(videos, k) for k in WINDOWS}
    for k, value in by_window.items():
        assert metrics[f"VPQ_{k}"] == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert metrics["VPQ"] == pytest.approx(np.mean(list(by_window.values())), nan_ok=True)
    things = np.mean([slow_quality(videos, k, (10, 30)) for k in WINDOWS])
    assert metrics["VPQ_Th"] == pytest.approx(things, nan_ok=True)


def test_nothing_predicted_misses_everything():
    nothing = np.zeros_like(TRUTH)
    quality = VideoPanopticQuality(ISTHING)
    quality.add([read_frame(TRUTH, truth_segments(), nothing, {})] * 8)
    assert quality.metrics()["VPQ"] == 0.0


def test_no_video_is_undefined():
    assert np.isnan(list(VideoPanopticQuality(ISTHING).metrics().values())).all()


@pytest.mark.parametrize(
    ("found", "categories", "problem"),
    [
        (FOUND[:2], CATEGORIES, "maps of"),
        (FOUND, {**CATEGORIES, 9: 10}, "9 is in the list of segments only"),
        (FOUND, {n: c for n, c in CATEGORIES.items() if n != 8}, "8 is in the map only"),
    ],
)
def test_maps_and_lists_must_agree(found, categories, problem):
    with pytest.raises(ValueError, match=problem):
        read_frame(TRUTH, truth_segments(), found, categories)
