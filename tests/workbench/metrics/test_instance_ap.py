"""Class-aware AP from files: equal to pycocotools, what is counted, what is refused."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from tests.workbench.metrics.test_average_precision import defined, stock
from tests.workbench.random_masks import random_dataset
from workbench.datasets import json_stream
from workbench.errors import BadInput
from workbench.metrics.coco_truth import CocoTruth, CocoTruthFile
from workbench.metrics.entity_ap import score_entities, score_entity_file
from workbench.metrics.instance_ap import (
    SGINW_SETS,
    mean_over_sets,
    score_drawn_classes,
    score_instances,
)
from workbench.metrics.predictions import PredictionFile


def write(folder, truth, results):
    for name, content in (("truth.json", truth), ("found.json", results)):
        (folder / name).write_text(json.dumps(content))
    annotations = CocoTruthFile(folder / "truth.json")
    return annotations, PredictionFile(folder / "found.json", annotations.categories)


@pytest.mark.parametrize("first_id", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools(tmp_path, seed, first_id):
    truth, results = random_dataset(seed, num_classes=4, ties=True, first_id=first_id)
    precision, recall = stock(truth, results)
    scores = score_instances(*write(tmp_path, truth, results))
    expected = {
        "AP": precision[..., 0],
        "AP50": precision[0, ..., 0],
        "AP75": precision[5, ..., 0],
        "APs": precision[..., 1],
        "APm": precision[..., 2],
        "APl": precision[..., 3],
        "AR100": recall[..., 0],
    }
    for name, values in expected.items():
        assert scores.metrics[name] == pytest.approx(defined(values), abs=1e-9, nan_ok=True), name
    assert scores.class_aps[2] == pytest.approx(defined(precision[:, :, 2, 0]), abs=1e-9)
    counted = [one for one in truth["annotations"] if not one["iscrowd"]]
    assert scores.counts["num_instances"] == len(counted)
    assert scores.counts["num_predictions"] == len(results)
    assert scores.counts["instances_with_id_zero"] == sum(one["id"] == 0 for one in counted)
    assert scores.counts["images_without_prediction"] == 1
    # The list names one class more than any mask has.
    assert (scores.counts["num_classes"], scores.counts["classes_without_instance"]) == (5, 1)
    assert math.isnan(scores.class_aps[4])


@pytest.mark.parametrize("first_id", [0, 1])
def test_class_agnostic_file_and_dict_agree_with_pycocotools(tmp_path, first_id):
    truth, results = random_dataset(5, num_classes=3, first_id=first_id)
    one_class = {**truth, "categories": [{"id": 0, "name": "entity"}]}
    one_class["annotations"] = [{**one, "category_id": 0} for one in truth["annotations"]]
    precision, recall = stock(one_class, [{**one, "category_id": 0} for one in results])
    write(tmp_path, truth, results)
    from_files = score_entity_file(
        CocoTruthFile(tmp_path / "truth.json"), PredictionFile(tmp_path / "found.json")
    )
    for scores in (from_files, score_entities(truth, results)):
        assert scores.metrics["APe"] == pytest.approx(defined(precision[..., 0]), abs=1e-9)
        assert scores.metrics["APm"] == pytest.approx(defined(precision[..., 2]), abs=1e-9)
        assert scores.metrics["recall50"] == pytest.approx(defined(recall[0, ..., 0]), abs=1e-9)
    assert from_files.images_without_prediction == 1
    assert "no prediction record" in from_files.remarks()[-1]


def test_area_is_the_annotated_one(tmp_path):
    truth, results = random_dataset(1, crowds=0.0)
    for one in truth["annotations"]:
        one["area"] = 1e5
    scores = score_instances(*write(tmp_path, truth, results))
    assert math.isnan(scores.metrics["APs"])
    assert not math.isnan(scores.metrics["APl"])


def test_no_prediction_is_undefined(tmp_path):
    truth, _ = random_dataset(1)
    scores = score_instances(*write(tmp_path, truth, []))
    assert math.isnan(scores.metrics["AP"])
    assert "NaN" in scores.remarks()[0]


def test_bad_categories(tmp_path):
    truth, results = random_dataset(1)
    with pytest.raises(BadInput, match=r"found\.json: \[0\]\.category_id: 9"):
        score_instances(*write(tmp_path, truth, [{**results[0], "category_id": 9}]))
    truth["annotations"][0]["category_id"] = 9
    with pytest.raises(BadInput, match=r"truth\.json: category_id: annotation 1: 9"):
        score_instances(*write(tmp_path, truth, results))
    truth["categories"].append({"id": 0})
    with pytest.raises(BadInput, match=r"categories\[2\]\.id"):
        CocoTruth(truth)


def test_mean_over_sets_worked_example():
    # APs 40, 60 and no prediction: 33.3.
    means = mean_over_sets({"a": 0.4, "b": 0.6, "c": math.nan})
    assert 100 * means["AP"] == pytest.approx(33.3, abs=0.05)
    assert means["AP_median"] == 0.4
    with pytest.raises(ValueError, match="no set"):
        mean_over_sets({})
    assert len(set(SGINW_SETS)) == 25


def test_memory_does_not_grow_with_the_images(tmp_path, monkeypatch):
    """Four times the images: what stays of each is a few per cent of what its records take."""
    truth, results = random_dataset(0, most=60, num_images=1)
    monkeypatch.setattr(json_stream, "CHUNK", 1 << 12)
    peaks, sizes = [], []
    for number in (15, 60):
        many, found = dict(truth), []
        many["images"] = [{**truth["images"][0], "id": at} for at in range(number)]
        many["annotations"] = [
            {**one, "id": at * 1000 + one["id"], "image_id": at}
            for at in range(number)
            for one in truth["annotations"]
        ]
        found = [{**one, "image_id": at} for at in range(number) for one in results]
        write(tmp_path, many, found)
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
        tracemalloc.start()
        score_entity_file(
            CocoTruthFile(tmp_path / "truth.json"), PredictionFile(tmp_path / "found.json")
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] - peaks[0] < 0.2 * (sizes[1] - sizes[0]), peaks


def columns(num_images, num_classes):
    """Images of ten instances, one a column, classes in turn, and a crowd of a class more."""
    truth = {"images": [], "annotations": []}
    truth["categories"] = [{"id": number, "name": str(number)} for number in range(num_classes + 1)]
    for image in range(num_images):
        truth["images"].append({"id": image, "height": 4, "width": 10})
        for column in range(10):
            mask = np.zeros((4, 10), np.uint8, order="F")
            mask[:, column] = 1
            number = len(truth["annotations"]) + 1
            truth["annotations"].append(
                {
                    "id": number,
                    "image_id": image,
                    "category_id": number % num_classes,
                    "segmentation": mask_utils.encode(mask),
                    "iscrowd": 0,
                }
            )
        crowd = mask_utils.encode(np.ones((4, 10), np.uint8, order="F"))
        last = truth["annotations"][-1]
        truth["annotations"].append(
            {
                **last,
                "id": last["id"] + 1,
                "category_id": num_classes,
                "segmentation": crowd,
                "iscrowd": 1,
            }
        )
    return truth


def test_one_class_is_always_drawn_right():
    assert score_drawn_classes(CocoTruth(columns(3, 1))).metrics["AP"] == pytest.approx(1.0)


def test_drawn_classes_are_right_once_in_their_number():
    """Of two classes a half is right, and half is found: AP 1/4, or somewhat more."""
    scores = score_drawn_classes(CocoTruth(columns(50, 2)))
    assert scores.metrics["AP"] == scores.metrics["AP50"] == pytest.approx(0.265, abs=0.03)
    assert scores.metrics["AR100"] == pytest.approx(0.5, abs=0.03)
    assert scores.counts["num_instances"] == 500
    again = score_drawn_classes(CocoTruth(columns(50, 2)))
    assert again.metrics["AP"] == scores.metrics["AP"]


def test_no_classes_to_draw():
    truth, _ = random_dataset(3, num_classes=2)
    scores = score_drawn_classes(CocoTruth({**truth, "annotations": []}))
    assert math.isnan(scores.metrics["AP"])
