"""Precision and recall against pycocotools, to the last digit, on all kinds of masks."""

import contextlib
import copy
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.workbench.random_masks import random_dataset
from workbench.metrics.average_precision import AveragePrecision


def stock(truth, results):
    """Evaluate with pycocotools itself; detections have no box, so that masks give areas."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(truth)
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(copy.deepcopy(results)), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"][..., 2], evaluator.eval["recall"][..., 2]


def ours(truth, results, order):
    gathered = AveragePrecision([category["id"] for category in truth["categories"]])
    for image in [truth["images"][at] for at in order]:
        owned = [
            [item for item in items if item["image_id"] == image["id"]]
            for items in (truth["annotations"], results)
        ]
        gathered.add(image["id"], *owned)
    return gathered.curves()


@pytest.mark.parametrize(
    "kind",
    [
        {"most": 1, "num_images": 12},
        {"crowds": 0.0},
        {"crowds": 0.4},
        {"ties": True},
        {"num_classes": 4, "ties": True},
        {"first_id": 0},
        {"first_id": 0, "num_classes": 3, "crowds": 0.3, "ties": True},
        {"most": 300, "num_images": 3},
        {"most": 300, "num_images": 3, "num_classes": 2, "ties": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools(seed, kind):
    truth, results = random_dataset(seed, **kind)
    precision, recall = stock(truth, results)
    order = np.random.default_rng(seed).permutation(len(truth["images"]))
    curves = ours(truth, results, order)
    assert np.abs(curves.precision - precision).max() < 1e-9
    assert np.abs(curves.recall - recall).max() < 1e-9
    assert curves.mean_precision() == pytest.approx(defined(precision[..., 0]), abs=1e-12)
    assert curves.mean_precision(5, area=1) == pytest.approx(defined(precision[5, ..., 1]))
    assert curves.mean_recall(0) == pytest.approx(defined(recall[0, ..., 0]), abs=1e-12)


def defined(values):
    there = values[values > -1]
    return there.mean() if there.size else np.nan


def test_nothing_at_all():
    curves = AveragePrecision([1, 2]).curves()
    assert (curves.precision == -1).all()
    assert np.isnan(curves.mean_precision())
    assert np.isnan(curves.of_category(1))


def test_empty_side_of_a_picture():
    gathered = AveragePrecision()
    truth, results = random_dataset(0)
    gathered.add("only found", [], results[:3])
    gathered.add("nothing", [], [])
    assert np.isnan(gathered.curves().mean_precision())
    gathered.add("only annotated", [{**truth["annotations"][0], "iscrowd": 0}], [])
    assert gathered.curves().mean_precision() == 0.0
