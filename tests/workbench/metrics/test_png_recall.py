"""The curve of PNG, its groups and the choice of entities, on figures derived by hand."""

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.metrics.png_recall import (
    average_recall,
    choose_entities,
    mask_iou,
    mask_ious,
    recall_area,
    split_recalls,
    union,
)


def reference(ious):
    """The definition itself: recall at each of 100,000 thresholds, summed without the last."""
    ious = np.nan_to_num(np.asarray(ious, dtype=np.float64), nan=-1.0)
    thresholds = np.arange(100_000) * 1e-5
    return sum(1e-5 * np.mean(ious >= threshold) for threshold in thresholds[:-1])


def rle(mask):
    return mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))


@pytest.mark.parametrize(
    ("ious", "expected"),
    [
        ([1.0], 0.99999),
        ([0.5], 0.50001),
        ([0.0], 0.00001),
        ([float("nan")], 0.0),
        ([1, 0.5, 0], 0.500003),
    ],
)
def test_worked_examples(ious, expected):
    assert round(average_recall(ious), 6) == expected


def test_on_grid_points_the_reference_may_be_one_step_off():
    ious = [0.8, 0.6, 0.4, 0.2]
    assert reference(ious) == pytest.approx(0.5000075, abs=1e-9)  # printed as 0.500008
    assert average_recall(ious) == pytest.approx(0.500008, abs=2e-5)


@pytest.mark.parametrize("seed", range(3))
def test_closed_form_is_the_sum_over_all_thresholds(seed):
    ious = np.random.default_rng(seed).random(200)
    ious[:6] = (0, 1, np.nan, 0.99998, 0.99999, 1e-6)
    assert average_recall(ious) == pytest.approx(reference(ious), abs=1e-7)


def test_nothing_is_undefined():
    assert np.isnan(average_recall([]))


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_impossible_iou(value):
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        recall_area([0.5, value])


def test_groups_of_the_worked_example():
    found = split_recalls(
        recall_area([1.0, 0.5, 0.0]),
        things=[True, False, True],
        plurals=[False, False, True],
        contexts=[False, False, False],
    )
    rounded = {name: round(value, 6) for name, value in found.items()}
    assert np.isnan(rounded.pop("AR_context"))
    assert rounded == {
        "AR": 0.500003,
        "AR_Th": 0.5,
        "AR_St": 0.50001,
        "AR_Sing": 0.75,
        "AR_Pl": 0.00001,
    }


def test_context_phrases_alone():
    found = split_recalls([0.2, 0.4, 0.9], [True] * 3, [False] * 3, [True, True, False])
    assert found["AR_context"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("probabilities", "plural", "singular", "expected"),
    [
        ((0.9, 0.6, 0.2), True, "argmax", [0, 1]),
        ((0.9, 0.6, 0.2), False, "argmax", [0]),
        ((0.9, 0.6, 0.2), False, "union", [0, 1]),
        ((0.1, 0.4, 0.3), True, "argmax", [1]),  # none above: the best one
        (
            (0.5, 0.5),
            True,
            "argmax",
            [0],
        ),  # the threshold itself does not pass; the first of equals
        ((), True, "argmax", []),
        ((), False, "argmax", []),
    ],
)
def test_chosen_entities(probabilities, plural, singular, expected):
    assert choose_entities(probabilities, 0.5, plural, singular) == expected


def test_unknown_rule():
    with pytest.raises(ValueError, match="use one of argmax, union"):
        choose_entities([1.0], 0.5, False, "best")


def test_plural_merge_of_the_worked_example():
    # A and B have 4 px each; E2 has 2 px of B and 2 px outside: 8 px, 6 in common, 10 in all.
    a, b, second, third = (np.zeros((2, 8), bool) for _ in range(4))
    a[:, 0:2], b[:, 2:4] = True, True
    second[0, 2:6], third[1, 7] = True, True
    entities = [a, second, third]
    chosen = choose_entities([0.9, 0.6, 0.2], 0.5, plural=True)
    predicted = union([rle(entities[at]) for at in chosen])
    assert mask_utils.area(predicted) == 8
    assert mask_iou(predicted, union([a, b])) == pytest.approx(0.6)


def test_iou_of_rle_and_arrays_is_that_of_pixels():
    rng = np.random.default_rng(0)
    masks = [rng.random((7, 9)) < share for share in (0.2, 0.5, 0.9)]
    truth = rng.random((7, 9)) < 0.4
    expected = [(mask & truth).sum() / (mask | truth).sum() for mask in masks]
    assert mask_ious(masks, truth) == pytest.approx(expected)
    assert mask_ious([rle(mask) for mask in masks], rle(truth)) == pytest.approx(expected)
    text = {"size": [7, 9], "counts": rle(truth)["counts"].decode()}
    assert mask_iou(text, truth) == 1.0


def test_empty_masks():
    empty, full = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    assert np.isnan(mask_iou(empty, empty))
    assert mask_iou(full, empty) == mask_iou(empty, full) == 0.0
    assert mask_ious([], full).shape == (0,)


def test_masks_of_another_size():
    with pytest.raises(ValueError, match=r"sizes \[3, 4\] and \[4, 3\]"):
        mask_iou(np.ones((3, 4)), np.ones((4, 3)))
