"""Panoptic quality: the worked example, the rules one by one, and a slow second implementation."""

import math

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.metrics.panoptic_quality import PanopticQuality, overlaps

TRUTH = np.array([[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 0, 0, 4, 4]] * 2)
FOUND = np.array([[1, 1, 1, 1, 2, 2], [1, 1, 1, 2, 2, 2], [5, 5, 6, 6, 7, 7], [5, 8, 6, 6, 7, 7]])
ISTHING = {10: True, 20: False, 30: True}


def segments(labels, categories, crowds=()):
    return [
        {
            "id": number,
            "category_id": category,
            "area": int((labels == number).sum()),
            "iscrowd": int(number in crowds),
        }
        for number, category in categories.items()
    ]


TRUTH_SEGMENTS = segments(TRUTH, {1: 10, 2: 20, 3: 10, 4: 10}, crowds=[4])
FOUND_SEGMENTS = segments(FOUND, {1: 10, 2: 20, 5: 20, 6: 10, 7: 10, 8: 10})


def score(truth, truth_segments, found, found_segments, isthing=ISTHING):
    quality = PanopticQuality(isthing)
    quality.add(truth, truth_segments, found, found_segments)
    return quality


def close(values, **expected):
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=5e-7), name


def test_worked_example():
    quality = score(TRUTH, TRUTH_SEGMENTS, FOUND, FOUND_SEGMENTS)
    close(quality.metrics(), PQ=0.492063, SQ=0.845238, RQ=0.583333)
    close(quality.metrics(), PQ_Th=0.428571, SQ_Th=0.857143, RQ_Th=0.5)
    close(quality.metrics(), PQ_St=0.555556, SQ_St=0.833333, RQ_St=0.666667)
    thing, stuff = quality.categories[10], quality.categories[20]
    assert (thing.tp, thing.fp, thing.fn) == (1, 1, 1)
    assert (stuff.tp, stuff.fp, stuff.fn) == (1, 1, 0)
    assert thing.iou == pytest.approx(0.857143, abs=5e-7)
    assert stuff.iou == pytest.approx(0.833333, abs=5e-7)
    assert quality.num_categories == 2
    # 6 lies on void, 7 on the crowd of its category.
    assert quality.counts["predictions_ignored"] == 2
    assert (quality.counts["num_segments"], quality.counts["crowds"]) == (3, 1)


def test_perfect_missed_and_nothing():
    perfect = score(FOUND, FOUND_SEGMENTS, FOUND, FOUND_SEGMENTS)
    close(perfect.metrics(), PQ=1.0, SQ=1.0, RQ=1.0)
    missed = score(FOUND, FOUND_SEGMENTS, np.zeros_like(FOUND), [])
    close(missed.metrics(), PQ=0.0, SQ=0.0, RQ=0.0)
    nothing = score(np.zeros_like(FOUND), [], np.zeros_like(FOUND), [])
    assert math.isnan(nothing.metrics()["PQ"])


def test_exactly_half_does_not_match():
    truth, found = np.array([[1, 1, 2]]), np.array([[1, 2, 2]])
    quality = score(truth, segments(truth, {1: 10, 2: 20}), found, segments(found, {1: 10, 2: 20}))
    assert [quality.categories[c].tp for c in (10, 20)] == [0, 0]


def test_area_of_ground_truth_is_the_stated_one():
    truth = np.array([[1, 1, 1, 1]])
    listed = [{"id": 1, "category_id": 10, "area": 8, "iscrowd": 0}]
    quality = score(truth, listed, truth, segments(truth, {1: 10}))
    assert quality.categories[10].tp == 0
    counted = [{"id": 1, "category_id": 10}]
    assert score(truth, counted, truth, segments(truth, {1: 10})).metrics()["PQ"] == 1.0


def test_last_crowd_of_a_category_counts():
    truth = np.array([[1, 1, 2, 2]])
    listed = segments(truth, {1: 10, 2: 10}, crowds=[1, 2])
    found = np.array([[1, 1, 2, 2]])
    quality = score(truth, listed, found, segments(found, {1: 10, 2: 10}))
    assert quality.categories[10].fp == 1
    assert quality.counts["predictions_ignored"] == 1


def test_crowd_of_another_category_does_not_excuse():
    truth = np.array([[1, 1, 1]])
    quality = score(truth, segments(truth, {1: 20}, crowds=[1]), truth, segments(truth, {1: 10}))
    assert (quality.categories[10].fp, quality.categories[20].fn) == (1, 0)


def test_unlisted_ids_of_ground_truth_are_neither_void_nor_segments():
    truth = np.array([[1, 1, 9, 9]])
    quality = score(truth, segments(truth, {1: 10}), truth, segments(truth, {1: 10, 9: 10}))
    assert (quality.categories[10].tp, quality.categories[10].fp) == (1, 1)
    assert quality.counts["unlisted_truth_ids"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s: s.pop(), "segments_info"),
        (lambda s: s.append({"id": 9, "category_id": 10}), "segments_info"),
        (lambda s: s[0].update(category_id=11), "segments_info[0].category_id"),
        (lambda s: s[0].pop("category_id"), "segments_info[0].category_id"),
        (lambda s: s[0].update(category_id=[10]), "segments_info[0].category_id"),
        (lambda s: s[0].update(area="12"), "segments_info[0].area"),
        (lambda s: s[0].update(area=-1), "segments_info[0].area"),
        (lambda s: s[1].update(id=1), "segments_info[1].id"),
        (lambda s: s[1].update(id="2"), "segments_info[1].id"),
        (lambda s: s.append({"id": 0, "category_id": 10}), "segments_info[6].id"),
        (lambda s: s.append(3), "segments_info[6].id"),
    ],
)
def test_bad_segments(change, field):
    listed = [dict(one) for one in FOUND_SEGMENTS]
    change(listed)
    with pytest.raises(BadInput) as caught:
        score(TRUTH, TRUTH_SEGMENTS, FOUND, listed)
    assert (caught.value.where, caught.value.field) == ("prediction", field)


def test_sizes_must_agree():
    with pytest.raises(BadInput, match=r"prediction: size: \[4, 5\] differs"):
        score(TRUTH, TRUTH_SEGMENTS, FOUND[:, :5], FOUND_SEGMENTS)


def slow_matches(truth, truth_segments, found, found_segments):
    """Yield the matched pairs and their IoU, with whole masks."""
    for mine in truth_segments:
        for other in found_segments:
            if mine["iscrowd"] or mine["category_id"] != other["category_id"]:
                continue
            first, second = truth == mine["id"], found == other["id"]
            union = (first | (second & (truth != 0))).sum()
            iou = (first & second).sum() / union if union else 0
            if iou > 0.5:
                yield mine, other, iou


def slow_excused(truth, truth_segments, found, other):
    """Tell whether more than half of a prediction lies on void or its category's last crowd."""
    free = truth == 0
    for one in truth_segments[::-1]:
        if one["iscrowd"] and one["category_id"] == other["category_id"]:
            free |= truth == one["id"]
            break
    mask = found == other["id"]
    return (mask & free).sum() * 2 > mask.sum()


def slow_quality(pictures, categories):
    """Segment by segment: an independent reading of the rules."""
    sums = {category: [0.0, 0, 0, 0] for category in categories}
    for truth, truth_segments, found, found_segments in pictures:
        hit, used = set(), set()
        for mine, other, iou in slow_matches(truth, truth_segments, found, found_segments):
            sums[mine["category_id"]][0] += iou
            sums[mine["category_id"]][1] += 1
            hit.add(mine["id"])
            used.add(other["id"])
        for mine in truth_segments:
            sums[mine["category_id"]][3] += not mine["iscrowd"] and mine["id"] not in hit
        for other in found_segments:
            if other["id"] not in used and not slow_excused(truth, truth_segments, found, other):
                sums[other["category_id"]][2] += 1
    rows = []
    for iou, tp, fp, fn in sums.values():
        if tp + fp + fn:
            weight = tp + fp / 2 + fn / 2
            rows.append((iou / weight, iou / tp if tp else 0, tp / weight))
    return np.mean(rows, axis=0)


def random_labels(rng, count, shape, noise):
    """Rectangles over each other: touching, cut in parts, some of one pixel, void between."""
    labels = np.zeros(shape, np.int64)
    for number in range(1, count + 1):
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        height, width = rng.integers(1, max(2, shape[0] // 2), 2)
        labels[top : top + height, left : left + width] = number
    flips = rng.random(shape) < noise
    labels[flips] = rng.integers(0, count + 1, int(flips.sum()))
    return labels


def random_segments(rng, labels, categories, crowds):
    present = {int(n): int(rng.choice(categories)) for n in np.unique(labels) if n}
    chosen = [n for n in present if rng.random() < crowds]
    return segments(labels, present, chosen)


@pytest.mark.parametrize("count", [1, 7, 60, 300])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_slow_implementation(seed, count):
    rng = np.random.default_rng(1000 * seed + count)
    categories = {number: bool(number % 2) for number in range(1, 5)}
    pictures = []
    for _ in range(4 if count < 100 else 1):
        truth = random_labels(rng, count, (40, 56), 0.02)
        found = np.roll(truth, int(rng.integers(0, 3)), axis=1)
        flips = rng.random(truth.shape) < 0.1
        found[flips] = rng.integers(0, count + 1, int(flips.sum()))
        annotated = random_segments(rng, truth, list(categories), 0.2)
        predicted = random_segments(rng, found, list(categories), 0.0)
        same = {one["id"]: one["category_id"] for one in annotated}
        for one in predicted:
            if rng.random() < 0.7:
                one["category_id"] = same.get(one["id"], one["category_id"])
        pictures.append((truth, annotated, found, predicted))
    quality = PanopticQuality(categories)
    for picture in pictures:
        quality.add(*picture)
    values = quality.metrics()
    expected = slow_quality(pictures, categories)
    assert [values[n] for n in ("PQ", "SQ", "RQ")] == pytest.approx(expected.tolist(), abs=1e-12)


def test_overlaps_counts_pixels():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 5, (2, 30, 40))
    pairs = overlaps(first, second)
    for (one, other), shared in pairs.items():
        assert shared == ((first == one) & (second == other)).sum()
    assert sum(pairs.values()) == first.size
    colours = np.stack([first, second * 50, first * second], axis=-1).astype(np.uint8)
    labels = first + 256 * second * 50 + 65536 * first * second
    assert overlaps(colours, second) == overlaps(labels, second)
    assert overlaps(colours, colours) == overlaps(labels, labels)
    assert overlaps(first[:0], second[:0]) == {}
