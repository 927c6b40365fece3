"""Annotators' agreement: the worked example of ACC, slow AP, order, what is left out."""

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.metrics.annotator_agreement import METRICS, AnnotatedImage, agreement
from workbench.metrics.entity_ap import score_entities


def rle(mask):
    encoded = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def column(at, size=(4, 40)):
    mask = np.zeros(size, bool)
    mask[:, at] = True
    return mask


def image(masks, classes=None, crowds=()):
    return AnnotatedImage(tuple(map(rle, masks)), tuple(classes or "x" * len(masks)), crowds)


FOUR = [column(at) for at in range(4)]


def test_worked_example_of_acc():
    found = agreement([image(FOUR, "abcd")], [image(FOUR, "abxd")])
    assert found.metrics == pytest.approx({"mAP": 1.0, "mAP_reversed": 1.0, "ACC": 0.75})
    assert tuple(found.metrics) == METRICS
    assert found.num_paired == 4
    assert found.remarks() == []


def test_masks_of_one_alone_do_not_enter_acc():
    other = [*FOUR[:3], column(9)]
    found = agreement([image(FOUR, "abcd")], [image(other, "abcd")])
    assert found.metrics["ACC"] == 1.0
    assert (found.num_predicted, found.num_truth, found.num_paired) == (4, 4, 3)
    assert found.remarks() == ["2 masks of one annotator alone are left out of ACC."]


def test_equal_masks_pair_once_and_in_order():
    twice = [FOUR[0], FOUR[0]]
    assert agreement([image(twice, "ab")], [image(twice, "ab")]).metrics["ACC"] == 1.0
    found = agreement([image(twice, "ab")], [image(FOUR[:1], "a")])
    assert found.num_paired == 1


def test_all_of_a_full_image_count():
    """Of 300 masks a hundred would give an AP of a third."""
    many = [column(at, (1, 300)) for at in range(300)]
    found = agreement([image(many)], [image(many)])
    assert found.metrics["mAP"] == pytest.approx(1.0)


def test_crowds():
    crowded = image(FOUR, "abcd", (False, False, False, True))
    found = agreement([crowded], [image(FOUR, "abcd")])
    assert (found.num_crowds, found.num_predicted, found.num_paired) == (1, 3, 3)
    # The crowd is no detection, so one of four is missed: 76 of 101 recall points are reached.
    assert found.metrics["mAP"] == pytest.approx(76 / 101)
    assert found.metrics["mAP_reversed"] == pytest.approx(1.0)


def slow_ap(predicted, truth):
    """AP of masks of equal score, ranked as they come; at each threshold the best free one."""
    values = []
    for threshold in np.linspace(0.5, 0.95, 10):
        points, right, rank = [], 0, 0
        total = sum(len(masks) for masks in truth)
        for found, there in zip(predicted, truth, strict=True):
            free = list(there)
            for mask in found:
                ious = [(mask & one).sum() / (mask | one).sum() for one in free]
                rank += 1
                if ious and max(ious) >= min(threshold, 1 - 1e-10):
                    best = max(range(len(ious)), key=lambda i: (ious[i], i))
                    free.pop(best)
                    right += 1
                points.append((right / total, right / rank))
        curve = [max((p for r, p in points if r >= x), default=0) for x in np.linspace(0, 1, 101)]
        values.append(np.mean(curve))
    return np.mean(values)


@pytest.mark.parametrize("seed", range(10))
def test_equal_to_slow_ap(seed):
    rng = np.random.default_rng(seed)

    def masks(count):
        boxes = [(rng.integers(0, 10, 2), rng.integers(4, 15, 2)) for _ in range(count)]
        found = []
        for start, side in boxes:
            mask = np.zeros((20, 24), bool)
            mask[start[0] : start[0] + side[0], start[1] : start[1] + side[1]] = True
            found.append(mask)
        return found

    truth = [masks(int(rng.integers(1, 9))) for _ in range(5)]
    predicted = [[np.roll(m, int(rng.integers(0, 2)), 1) for m in one] for one in truth]
    found = agreement([image(one) for one in predicted], [image(one) for one in truth]).metrics
    assert found["mAP"] == pytest.approx(slow_ap(predicted, truth), abs=1e-9)
    assert found["mAP_reversed"] == pytest.approx(slow_ap(truth, predicted), abs=1e-9)


def test_equal_to_entity_ap_with_equal_scores():
    """With few masks the limit of a hundred does not matter, and the protocols are one."""
    rng = np.random.default_rng(0)
    masks = [[rng.random((9, 9)) < 0.5 for _ in range(6)] for _ in range(3)]
    noisy = [[mask ^ (rng.random((9, 9)) < 0.1) for mask in one] for one in masks]
    ids = iter(range(1, 100))
    ground_truth = {
        "images": [{"id": i, "height": 9, "width": 9} for i in range(3)],
        "annotations": [
            {"id": next(ids), "image_id": i, "segmentation": rle(mask)}
            for i, one in enumerate(masks)
            for mask in one
        ],
    }
    results = [
        {"image_id": i, "segmentation": rle(mask), "score": 1.0}
        for i, one in enumerate(noisy)
        for mask in one
    ]
    expected = score_entities(ground_truth, results).metrics["APe"]
    found = agreement([image(one) for one in noisy], [image(one) for one in masks])
    assert found.metrics["mAP"] == pytest.approx(expected, abs=1e-9)
    assert found.remarks() == ["No mask is the same in both: ACC is undefined."]


def test_nothing_is_undefined():
    found = agreement([image([])], [image([])])
    assert np.isnan(list(found.metrics.values())).all()


def test_the_images_must_be_the_same():
    with pytest.raises(ValueError, match="2 and 1 images"):
        agreement([image([]), image([])], [image([])])
