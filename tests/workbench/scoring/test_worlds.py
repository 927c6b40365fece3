"""The worlds of the data sets scored against themselves: readers and metrics agree on the files."""

import json
import shutil

import pytest

from tests.workbench.scoring.test_image_files import write
from workbench.datasets import load_entities
from workbench.datasets.load import load_referring
from workbench.datasets.worlds import write_worlds
from workbench.metrics.coco_truth import CocoTruthFile
from workbench.metrics.instance_ap import SGINW_SETS
from workbench.stages.evaluate import evaluate_predictions


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    out = tmp_path_factory.mktemp("worlds")
    names = ("coco", "ade20k", "entityseg_classes", "sginw", "refcoco", "reasonseg")
    write_worlds("smoke", out, names)
    return out


def evaluate(predictions, dataset, metric, split):
    return evaluate_predictions(predictions, str(dataset / "manifest.json"), metric, split)


def close_to_one(metrics, *names):
    for name in names:
        assert metrics[name] == pytest.approx(1.0, abs=1e-4), name


@pytest.mark.parametrize(
    ("name", "split"),
    [("coco", "val"), ("ade20k", "val"), ("entityseg_classes", "val_panoptic")],
)
def test_panoptic(worlds, tmp_path, name, split):
    world = worlds / name
    entry = json.loads((world / "manifest.json").read_text())["splits"][split]
    shutil.copy(world / entry["annotations"], tmp_path / "found.json")
    shutil.copytree(world / entry["masks"], tmp_path / "found")
    result = evaluate(tmp_path / "found.json", world, "panoptic_quality", split)
    close_to_one(result["metrics"], "PQ", "SQ", "RQ", "PQ_Th")
    assert result["num_images"] == entry["num_images"]
    assert result["num_segments"] + result["crowds"] == entry["num_entities"]


@pytest.mark.parametrize("name", ["ade20k", "entityseg_classes"])
def test_semantic(worlds, name):
    world = worlds / name
    entry = json.loads((world / "manifest.json").read_text())["splits"]["val_semantic"]
    result = evaluate(world / entry["masks"], world, "mean_iou", "val_semantic")
    close_to_one(result["metrics"], "mIoU")
    assert result["num_images"] == entry["num_images"]


@pytest.mark.parametrize(
    ("name", "split"), [("ade20k", "val_instance"), ("entityseg_classes", "val_instance")]
)
@pytest.mark.parametrize("metric", ["instance_ap", "entity_ap"])
def test_instances(worlds, tmp_path, name, split, metric):
    results = [
        {"image_id": image.image_id, "category_id": category, "segmentation": mask, "score": 0.5}
        for image in load_entities(worlds / name / "manifest.json", split)
        for mask, category in zip(image.masks, image.category_ids, strict=True)
    ]
    found = write(tmp_path / "found.json", results)
    result = evaluate(found, worlds / name, metric, split)
    assert result["num_predictions"] == len(results)
    zeros = result.get("instances_with_id_zero", result.get("entities_with_id_zero"))
    if zeros == 0:
        close_to_one(result["metrics"], "AR100")


def test_sginw(worlds, tmp_path):
    for name in SGINW_SETS:
        path = worlds / f"sginw/{name}/valid/_annotations_min1cat.coco.json"
        results = [
            {**one, "image_id": image.image_id, "score": 0.5}
            for image in CocoTruthFile(path)
            for one in image.annotations
        ]
        write(tmp_path / f"found/{name}.json", results)
    of_manifest = evaluate(tmp_path / "found", worlds / "sginw", "sginw_ap", "valid")
    of_folder = evaluate_predictions(tmp_path / "found", str(worlds / "sginw"), "sginw_ap")
    assert of_manifest["metrics"] == of_folder["metrics"]
    assert of_manifest["sets_without_prediction"] == 0
    if of_manifest["instances_with_id_zero"] == 0:
        close_to_one(of_manifest["metrics"], "AP")
    else:
        assert 0.3 < of_manifest["metrics"]["AP"] < 1


@pytest.mark.parametrize(("name", "split"), [("refcoco", "testA"), ("reasonseg", "val")])
def test_referring(worlds, tmp_path, name, split):
    dataset = load_referring(worlds / name / "manifest.json", split)
    masks = {}
    for image in dataset:
        for number in image.expression_ids[: image.num_scored]:
            masks[str(number) if name == "refcoco" else image.key] = image.target
    found = write(tmp_path / "found.json", masks)
    result = evaluate(found, worlds / name, "referring_iou", split)
    close_to_one(result["metrics"], "cIoU", "gIoU")
    assert result["num_expressions"] == len(masks)
    assert (result["without_prediction"], result["predictions_left_out"]) == (0, 0)
