"""Mean IoU: the worked example, the reference's edge cases, and a slow second implementation."""

import math

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.metrics.mean_iou import ConfusionMatrix

TRUTH = np.array([[0, 0, 0, 0, 1, 1, 1, 255, 255, 255]])
FOUND = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 0, 1]])


def score(found, truth, num_classes, **labels):
    matrix = ConfusionMatrix(num_classes, **labels)
    matrix.add(np.asarray(found), np.asarray(truth))
    return matrix


def test_worked_example():
    matrix = score(FOUND, TRUTH, 3)
    assert matrix.class_ious()[:2].tolist() == [0.75, 0.5]
    assert math.isnan(matrix.class_ious()[2])
    assert matrix.mean_iou() == 0.625
    counts = {"pixels": 7, "pixels_ignored": 3, "pixels_without_prediction": 0}
    assert matrix.counts == {**counts, "classes_annotated": 2}


def test_more_classes_change_nothing():
    assert score(FOUND, TRUTH, 200).mean_iou() == 0.625


def test_labels_may_count_from_one_with_void_zero():
    truth, found = np.where(TRUTH == 255, 0, TRUTH + 1), FOUND + 1
    assert score(found, truth, 3, ignore=0, first=1).mean_iou() == 0.625


def test_pixels_without_a_predicted_class_are_left_out():
    matrix = score([[0, 255, 1]], [[0, 0, 1]], 2)
    assert matrix.mean_iou() == 1.0
    assert matrix.counts["pixels_without_prediction"] == 1


def test_nothing_annotated():
    assert math.isnan(score([[0, 1]], [[255, 255]], 2).mean_iou())


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_slow_implementation(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, 3, 5, 255], (4, 20, 30)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 7, truth.shape))
    found[found == 255] = 6
    matrix = ConfusionMatrix(7)
    for one, other in zip(found, truth, strict=True):
        matrix.add(one, other)
    ious = []
    for label in range(7):
        mine, other = (found == label) & (truth != 255), truth == label
        if other.any():
            ious.append((mine & other).sum() / (mine | other).sum())
    assert matrix.mean_iou() == pytest.approx(np.mean(ious), abs=1e-12)


def test_bad_labels():
    with pytest.raises(BadInput, match="prediction: label: 3 is no class of 0 to 2"):
        score([[3]], [[0]], 3)
    with pytest.raises(BadInput, match="ground truth: label: 9"):
        score([[0]], [[9]], 3)
    with pytest.raises(BadInput, match="label: 0 is no class of 1 to 3"):
        score([[0]], [[1]], 3, ignore=255, first=1)
    with pytest.raises(BadInput, match="prediction: size"):
        score([[0, 0]], [[0]], 3)
    with pytest.raises(ValueError, match="ignore label 2"):
        ConfusionMatrix(3, ignore=2)


def test_classes_drawn_at_random_are_right_as_often_as_by_a_draw():
    generator = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2, 255], (700_000, 200_000, 100_000, 50_000))[None]
    drawn = score(generator.integers(0, 3, truth.shape), truth, 5)
    assert drawn.mean_iou_of_drawn_classes() == pytest.approx(drawn.mean_iou(), abs=1e-3)


def test_no_pixel_to_draw_a_class_for():
    assert math.isnan(score([[0]], [[255]], 2).mean_iou_of_drawn_classes())
