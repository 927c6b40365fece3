"""Statistics of annotations and agreement of annotators, from files."""

import copy
import json

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from tests.workbench.datasets.hand_made import HandMade
from workbench.cli.main import main
from workbench.errors import BadInput, MissingInput
from workbench.stages.evaluate import evaluate_predictions


@pytest.fixture(params=["coco_instances", "coco_panoptic"])
def manifest(request, tmp_path):
    """Two entities and a crowd, which cover a picture of 4 x 6 pixels."""
    return HandMade(tmp_path / "a", request.param).write()


def test_statistics_of_a_manifest(manifest):
    found = evaluate_predictions(None, str(manifest), "shape_statistics")
    metrics = found["metrics"]
    assert metrics["EntityNum_avg"] == metrics["EntityNum_max"] == 2
    assert metrics["ImageRes_avg"] == pytest.approx(24**0.5)
    assert metrics["Valid_Area"] == pytest.approx(20 / 24)
    assert (found["num_images"], found["num_entities"], found["crowds_left_out"]) == (1, 2, 1)
    assert found["remarks"][0] == "1 crowds are left out."
    assert found["units"]["ImageRes_avg"] == "px"


def test_several_splits_are_taken_together(tmp_path):
    data = HandMade(tmp_path / "a", "coco_instances")
    data.manifest_content["splits"]["train"] = data.manifest_content["splits"]["val"]
    found = evaluate_predictions(None, str(data.write()), "shape_statistics", "train,val")
    assert (found["num_images"], found["metrics"]["EntityNum_avg"]) == (2, 2)
    assert found["remarks"][-1] == "train and val are taken together."


def test_statistics_of_predictions(tmp_path):
    data = HandMade(tmp_path / "a", "coco_instances")
    manifest = data.write()
    mask = data.content["annotations"][0]["segmentation"]
    results = tmp_path / "results.json"
    results.write_text(json.dumps([{"image_id": 7, "segmentation": mask, "score": 0.5}]))
    found = evaluate_predictions(results, str(manifest), "shape_statistics")
    assert (found["num_entities"], found["images_without_prediction"]) == (1, 0)
    results.write_text("[]")
    found = evaluate_predictions(results, str(manifest), "shape_statistics")
    assert (found["num_entities"], found["images_without_prediction"]) == (0, 1)
    assert found["metrics"]["Entity_Complexity"] is None
    with pytest.raises(BadInput, match="--split"):
        evaluate_predictions(results, str(manifest), "shape_statistics", "train,val")


def test_agreement_of_two_files(tmp_path):
    """The second annotator names one of two entities otherwise, under other category ids."""
    first = HandMade(tmp_path / "a", "coco_instances")
    first.write()
    second = HandMade(tmp_path / "b", "coco_instances")
    second.content["categories"] = [{"id": 5, "name": "thing"}, {"id": 6, "name": "other"}]
    for entity, category in zip(second.content["annotations"], (5, 6, 5), strict=True):
        entity.update(category_id=category, id=entity["id"] - 1)
    second.content["images"].append({**copy.deepcopy(second.content["images"][0]), "id": 8})
    second.write()
    row, column = tmp_path / "b/a.json", tmp_path / "a/a.json"
    found = evaluate_predictions(row, str(column), "annotator_agreement")
    assert found["metrics"] == pytest.approx({"mAP": 1.0, "mAP_reversed": 1.0, "ACC": 0.5})
    assert (found["images_of_one_alone"], found["crowds_left_out"]) == (1, 2)
    assert (found["num_images"], found["masks_in_both"]) == (1, 2)
    by_manifest = evaluate_predictions(row, str(tmp_path / "a/manifest.json"),
                                       "annotator_agreement")  # fmt: skip
    assert by_manifest["metrics"] == found["metrics"]


@pytest.mark.parametrize("change", [{"id": 9}, {"height": 5}])
def test_annotations_of_other_images_are_refused(tmp_path, change):
    HandMade(tmp_path / "a", "coco_instances").write()
    other = HandMade(tmp_path / "b", "coco_instances")
    other.content["images"][0].update(change)
    other.content["annotations"] = []
    other.write()
    with pytest.raises(BadInput, match="same images"):
        evaluate_predictions(tmp_path / "b/a.json", str(tmp_path / "a/a.json"),
                             "annotator_agreement")  # fmt: skip


def test_the_command_prints_units(manifest, capsys):
    assert main(["evaluate", "--dataset", str(manifest), "--metric", "shape_statistics"]) == 0
    printed = capsys.readouterr().out
    assert "ImageRes_avg               4.9 px\n" in printed
    assert "EntityNum_avg              2.0 entities\n" in printed
    assert "Valid_Area                 0.833\n" in printed


def test_a_manifests_entities_are_ranked_by_their_ids(tmp_path):
    """All scores are equal: the value depends on the order, which must not be the file's."""
    data = HandMade(tmp_path / "a", "coco_instances")
    data.write()
    other = HandMade(tmp_path / "b", "coco_instances")
    first, second, _ = other.content["annotations"]
    # The wrong mask, the first in the file, ranks last: with it first AP would be lower.
    first.update(id=9, segmentation=rle_of_pixels([0]))
    other.content["annotations"] = [first, second]
    manifest = other.write()
    by_manifest, by_file = (
        evaluate_predictions(path, str(tmp_path / "a/a.json"), "annotator_agreement")["metrics"]
        for path in (manifest, tmp_path / "b/a.json")
    )
    assert by_manifest["mAP"] == by_file["mAP"] == pytest.approx(51 / 101)


def rle_of_pixels(pixels):
    mask = np.zeros(24, np.uint8)
    mask[pixels] = 1
    encoded = mask_utils.encode(np.asfortranarray(mask.reshape(4, 6)))
    return {"size": [4, 6], "counts": encoded["counts"].decode()}


def test_without_names_classes_are_compared_by_id(tmp_path):
    data = HandMade(tmp_path / "a", "coco_instances")
    data.content["categories"] = [{"id": 2}]
    del data.content["annotations"][0]["category_id"]
    data.write()
    path = tmp_path / "a/a.json"
    assert evaluate_predictions(path, str(path), "annotator_agreement")["metrics"]["ACC"] == 1.0
    other = HandMade(tmp_path / "b", "coco_instances")
    other.content["categories"] = []
    other.content["annotations"][1]["category_id"] = 3
    other.write()
    found = evaluate_predictions(tmp_path / "b/a.json", str(path), "annotator_agreement")
    assert found["metrics"]["ACC"] == 0.0


@pytest.mark.parametrize("content", [{"splits": []}, {"splits": {}, "root": 3}, {"splits": {}}])
def test_broken_manifests_are_refused(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"manifest\.json"):
        evaluate_predictions(None, str(path), "shape_statistics")


def test_a_data_set_that_was_not_made_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("scale: mini\n")
    with pytest.raises(MissingInput, match="dvc repro prep@world"):
        evaluate_predictions(None, "world", "shape_statistics")


@pytest.mark.parametrize("metric", ["entity_ap", "dichotomous", "vpq"])
def test_predictions_are_needed(manifest, metric):
    with pytest.raises(BadInput, match="PREDICTIONS"):
        evaluate_predictions(None, str(manifest), metric)
