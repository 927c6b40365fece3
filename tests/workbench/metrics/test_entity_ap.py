"""Entity AP: the worked examples to the printed digits, edge cases, bad input."""

import copy
import math

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.errors import BadInput
from workbench.metrics.entity_ap import (
    METRICS,
    check_ground_truth,
    score_entities,
)

SIZE = 10


def rle(rows, columns, size=SIZE):
    mask = np.zeros((size, size), np.uint8, order="F")
    mask[rows, columns] = 1
    encoded = mask_utils.encode(mask)
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


ALL = slice(None)
A, B, C = rle(slice(0, 5), ALL), rle(slice(5, 10), ALL), rle(ALL, slice(0, 5))


def truth(ids=(1, 2, 3), **extra):
    owners = (1, 1, 2)
    return {
        "images": [{"id": i, "height": SIZE, "width": SIZE} for i in (1, 2)],
        "annotations": [
            {"id": k, "image_id": i, "category_id": 7 + k, "segmentation": m, **extra}
            for k, i, m in zip(ids, owners, (A, B, C), strict=True)
        ],
    }


def detection(image_id, mask, score):
    return {"image_id": image_id, "segmentation": mask, "score": score}


# IoU 0.8 with A, 1.0 with B, 0.6 with C: two of them exactly on thresholds, and they must match.
FOUND = [
    detection(1, rle(slice(0, 4), ALL), 0.9),
    detection(1, B, 0.8),
    detection(2, rle(slice(0, 6), slice(0, 5)), 0.7),
]
FALSE_POSITIVE = detection(2, rle(ALL, slice(5, 10)), 0.85)


def close(metrics, **expected):
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, abs=5e-7), name


def same(metrics):
    """Compare with the plain example; undefined metrics must be undefined on both sides."""
    assert metrics == pytest.approx(score_entities(truth(), FOUND).metrics, abs=0, nan_ok=True)


def test_worked_example():
    scores = score_entities(truth(), FOUND)
    close(scores.metrics, APe=0.615842, AP50=1.0, AP75=0.663366, AR100=0.666667, recall50=1.0)
    assert (scores.num_images, scores.num_entities, scores.num_id_zero) == (2, 3, 0)
    assert scores.remarks() == []


def test_worked_example_with_false_positive():
    scores = score_entities(truth(), [*FOUND, FALSE_POSITIVE])
    close(scores.metrics, APe=0.505693, AP50=0.834158, AP75=0.554455)


def test_id_zero_is_never_found_and_counted():
    scores = score_entities(truth(ids=(0, 1, 2)), FOUND)
    close(scores.metrics, APe=0.250495, AP50=0.442244, recall50=0.666667)
    assert scores.num_id_zero == 1
    assert "id 0" in scores.remarks()[0]


def test_recall50_ignores_false_positives():
    scores = score_entities(truth(), [*FOUND, FALSE_POSITIVE])
    close(scores.metrics, recall50=1.0)


def test_categories_do_not_matter():
    labelled = [{**d, "category_id": 99, "bbox": [0, 0, 1, 1]} for d in FOUND]
    same(score_entities(truth(), labelled).metrics)


def test_perfect_and_disjoint():
    perfect = [detection(1, A, 0.5), detection(1, B, 0.4), detection(2, C, 0.3)]
    close(score_entities(truth(), perfect).metrics, APe=1.0, AR100=1.0)
    close(score_entities(truth(), [FALSE_POSITIVE]).metrics, APe=0.0, AR100=0.0, recall50=0.0)


def test_no_prediction_gives_nan_as_the_reference():
    scores = score_entities(truth(), [])
    assert all(math.isnan(scores.metrics[name]) for name in METRICS)
    assert "NaN" in scores.remarks()[0]


def test_no_ground_truth_gives_nan():
    empty = {**truth(), "annotations": []}
    scores = score_entities(empty, FOUND)
    assert math.isnan(scores.metrics["APe"])
    assert scores.num_entities == 0


def test_empty_masks_at_the_tail_cost_nothing():
    tail = [detection(1, rle(slice(0, 0), ALL), 0.0)] * 3
    same(score_entities(truth(), [*FOUND, *tail]).metrics)


def test_only_the_first_hundred_of_an_image_count():
    noise = [detection(1, rle(slice(9, 10), slice(9, 10)), 0.95)] * 99
    scores = score_entities(truth(), [*noise, *FOUND])
    close(scores.metrics, recall50=2 / 3)


def test_crowd_is_ignored():
    ground_truth = truth()
    ground_truth["annotations"][2]["iscrowd"] = 1
    scores = score_entities(ground_truth, FOUND)
    assert scores.num_entities == 2
    # The detection inside the crowd is neither right nor wrong; A is found up to IoU 0.8.
    close(scores.metrics, AP50=1.0, recall50=1.0)


def test_ties_are_ranked_by_image_order_whatever_the_id_type():
    renamed = copy.deepcopy(truth())
    names = {1: "a", 2: 5}
    for image in renamed["images"]:
        image["id"] = names[image["id"]]
    for entity in renamed["annotations"]:
        entity["image_id"] = names[entity["image_id"]]
    found = [{**d, "image_id": names[d["image_id"]]} for d in FOUND]
    same(score_entities(renamed, found).metrics)


def test_polygons_and_uncompressed_masks():
    ground_truth = truth()
    ground_truth["annotations"][0]["segmentation"] = [[0, 0, 10, 0, 10, 5, 0, 5]]
    ground_truth["annotations"][2]["segmentation"] = {"size": [10, 10], "counts": [0, 50, 50]}
    close(score_entities(ground_truth, FOUND).metrics, APe=0.615842)


def test_input_is_left_unchanged(capsys):
    ground_truth, found = truth(), copy.deepcopy(FOUND)
    score_entities(ground_truth, found)
    assert (ground_truth, found) == (truth(), FOUND)
    assert capsys.readouterr().out == ""


def test_area_comes_from_the_mask():
    # 50 px are small (below 32 squared) whatever the file claims.
    scores = score_entities(truth(area=1e6), FOUND)
    close(scores.metrics, APs=0.615842)
    assert math.isnan(scores.metrics["APl"])


def broken(change):
    ground_truth = truth()
    change(ground_truth)
    return ground_truth


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda t: t["images"].clear(), "images"),
        (lambda t: t["images"].append(3), "images[2].id"),
        (lambda t: t["annotations"].append(3), "annotations[3].id"),
        (lambda t: t["annotations"][0].update(segmentation=[]), "annotations[0].segmentation"),
        (
            lambda t: t["annotations"][0].update(segmentation={"size": [9, 9], "counts": [81]}),
            "annotations[0].segmentation",
        ),
        (lambda t: t["images"][0].pop("height"), "images[0].height"),
        (lambda t: t["images"].append(t["images"][0]), "images[2].id"),
        (lambda t: t["annotations"][1].update(id=1), "annotations[1].id"),
        (lambda t: t["annotations"][1].pop("id"), "annotations[1].id"),
        (lambda t: t["annotations"][1].update(image_id=9), "annotations[1].image_id"),
        (lambda t: t["annotations"][1].pop("segmentation"), "annotations[1].segmentation"),
        (
            lambda t: t["annotations"][1].update(segmentation=rle(ALL, ALL, size=9)),
            "annotations[1].segmentation",
        ),
    ],
)
def test_bad_ground_truth(change, field):
    with pytest.raises(BadInput) as caught:
        check_ground_truth(broken(change), "val.json")
    assert (caught.value.where, caught.value.field) == ("val.json", field)
