"""Instances, SGinW, label maps and referring masks as files, as ``esg evaluate`` scores them."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.workbench.datasets.referred import HandMadeReasonseg, HandMadeRefcoco
from tests.workbench.random_masks import random_dataset, rle
from workbench.errors import BadInput, MissingInput
from workbench.metrics.instance_ap import SGINW_SETS
from workbench.stages.evaluate import evaluate_predictions


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def perfect(truth):
    """Results that are the annotations."""
    return [
        {key: one[key] for key in ("image_id", "category_id", "segmentation")} | {"score": 0.5}
        for one in truth["annotations"]
    ]


def evaluate(predictions, dataset, metric, **options):
    return evaluate_predictions(predictions, str(dataset), metric, **options)


def one_square():
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    annotation = {"id": 0, "image_id": 1, "category_id": 0, "segmentation": rle(mask), "area": 16}
    return {
        "images": [{"id": 1, "height": 8, "width": 8}],
        "annotations": [{**annotation, "id": 1}],
        "categories": [{"id": 0, "name": "square"}],
    }


def test_instances(tmp_path):
    truth, _ = random_dataset(0, num_classes=3, crowds=0.0)
    annotations = write(tmp_path / "val.json", truth)
    result = evaluate(write(tmp_path / "found.json", []), annotations, "instance_ap")
    assert result["metrics"]["AP"] is None
    assert result["images_without_prediction"] == 5
    square = one_square()
    annotations = write(tmp_path / "val.json", square)
    found = write(tmp_path / "found.json", perfect(square))
    result = evaluate(found, annotations, "instance_ap")
    assert result["metrics"] == {
        **dict.fromkeys(("AP", "AP50", "AP75", "APs", "AR100"), pytest.approx(1.0)),
        **dict.fromkeys(("APm", "APl")),
    }
    assert (result["num_instances"], result["num_predictions"]) == (1, 1)
    write(annotations, {**square, "categories": []})
    with pytest.raises(BadInput, match="categories: missing"):
        evaluate(found, annotations, "instance_ap")
    with pytest.raises(BadInput, match="no annotation file"):
        evaluate(found, tmp_path, "instance_ap")


def test_classes_drawn_at_random_are_the_floor_of_instances(tmp_path):
    result = evaluate(None, write(tmp_path / "val.json", one_square()), "instance_ap")
    assert result["metrics"]["AP"] == pytest.approx(1.0)
    assert "one of 1 classes drawn at random" in result["remarks"][0]


@pytest.fixture
def wild(tmp_path):
    for name in SGINW_SETS:
        path = tmp_path / f"seginw/{name}/valid/_annotations_min1cat.coco.json"
        write(path, one_square())
    for name in SGINW_SETS[:10]:
        write(tmp_path / f"found/{name}.json", perfect(one_square()))
    return tmp_path


def test_sginw(wild):
    write(wild / "found/Bottles.json", [])
    result = evaluate(wild / "found", wild / "seginw", "sginw_ap")
    # Nine sets are found whole, one file is empty, fifteen are not there.
    assert result["metrics"]["AP"] == pytest.approx(9 / 25)
    assert result["metrics"]["AP_median"] == 0.0
    assert result["metrics"]["AP_Airplane-Parts"] == pytest.approx(1.0)
    assert result["metrics"]["AP_Watermelon"] is None
    assert (result["num_sets"], result["sets_without_prediction"]) == (25, 16)
    assert result["images_without_prediction"] == 1
    assert result["remarks"][0] == "16 of 25 sets have no prediction: AP 0."


def test_sginw_refuses(wild):
    write(wild / "found/Helmet-Head.json", [])
    with pytest.raises(BadInput, match="none of the 25 sets"):
        evaluate(wild / "found", wild / "seginw", "sginw_ap")
    (wild / "found/Helmet-Head.json").unlink()
    (wild / "seginw/Trash/valid/_annotations_min1cat.coco.json").unlink()
    with pytest.raises(MissingInput, match="all 25 sets"):
        evaluate(wild / "found", wild / "seginw", "sginw_ap")
    with pytest.raises(MissingInput, match=r"SET\.json"):
        evaluate(wild / "no", wild / "seginw", "sginw_ap")


@pytest.fixture
def maps(tmp_path):
    truth = np.array([[0, 0, 0, 0, 1, 1, 1, 255, 255, 255]], np.uint8)
    found = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 0, 1]], np.uint8)
    for folder, labels in (("truth", truth), ("found", found)):
        (tmp_path / folder / "a").mkdir(parents=True)
        Image.fromarray(labels).save(tmp_path / folder / "a/1.png")
    return tmp_path


def test_label_maps(maps):
    result = evaluate(maps / "found", maps / "truth", "mean_iou")
    assert result["metrics"] == {"mIoU": 0.625}
    assert (result["num_images"], result["pixels_ignored"]) == (1, 3)
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(maps / "found/2.png")
    result = evaluate(maps / "found", maps / "truth", "mean_iou")
    assert result["predictions_left_out"] == 1
    assert "left out" in result["remarks"][0]


def test_classes_drawn_at_random_are_the_floor_of_label_maps(maps):
    result = evaluate(None, maps / "truth", "mean_iou")
    expected = (4 / (2 * 4 + 3) + 3 / (2 * 3 + 4)) / 2
    assert result["metrics"] == {"mIoU": pytest.approx(expected)}
    assert "one of 2 classes" in result["remarks"][0]


def test_label_maps_of_a_manifest(maps):
    truth = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0, 0]], np.uint16)
    Image.fromarray(truth).save(maps / "truth/a/1.png")
    found = np.array([[1, 1, 1, 2, 2, 2, 3, 3, 1, 2]], np.uint16)
    Image.fromarray(found).save(maps / "found/a/1.png")
    (maps / "list.txt").write_text("images/a/1.jpg a/1.png\n")
    entry = {"masks": "truth", "first": 1, "classes": 3, "ignore": 0, "annotations": "list.txt"}
    content = {"name": "m", "format": "semantic_maps", "root": ".", "splits": {"val": entry}}
    manifest = write(maps / "manifest.json", content)
    assert evaluate(maps / "found", manifest, "mean_iou")["metrics"] == {"mIoU": 0.625}
    entry["ignore"] = 2
    write(manifest, content)
    with pytest.raises(BadInput, match=r"splits\.val\.classes"):
        evaluate(maps / "found", manifest, "mean_iou")
    entry["ignore"] = "0"
    write(manifest, content)
    with pytest.raises(BadInput, match=r"splits\.val\.ignore"):
        evaluate(maps / "found", manifest, "mean_iou")
    entry["ignore"] = 0
    write(manifest, content)
    (maps / "list.txt").write_text("a.jpg ../found/a/1.png\n")
    with pytest.raises(BadInput, match="leads out of"):
        evaluate(maps / "found", manifest, "mean_iou")


def test_label_maps_refuse(maps):
    path = maps / "found/a/1.png"
    Image.fromarray(np.zeros((1, 10, 3), np.uint8)).save(path)
    with pytest.raises(BadInput, match=r"1\.png: picture: mode RGB"):
        evaluate(maps / "found", maps / "truth", "mean_iou")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadInput, match=r"1\.png: picture"):
        evaluate(maps / "found", maps / "truth", "mean_iou")
    path.unlink()
    with pytest.raises(MissingInput, match="predict every"):
        evaluate(maps / "found", maps / "truth", "mean_iou")
    with pytest.raises(BadInput, match="none in the folder"):
        evaluate(maps / "truth", maps / "found", "mean_iou")


def row(*pixels):
    mask = np.zeros((1, 10), bool)
    mask[0, list(pixels)] = True
    return rle(mask)


TARGETS = [
    {"id": 1, "segmentation": row(0, 1, 2, 3, 4, 5)},
    {"id": 2, "segmentation": row(0, 1), "ignore": row(3)},
    {"id": "c", "segmentation": row()},
    {"id": "d", "segmentation": row()},
]
FOUND = {"1": row(0, 1, 2), "2": row(0, 1, 2, 3), "c": None, "d": row(7)}


def test_referring(tmp_path):
    truth = write(tmp_path / "truth.json", {"expressions": TARGETS})
    result = evaluate(write(tmp_path / "found.json", FOUND), truth, "referring_iou")
    assert result["metrics"]["cIoU"] == pytest.approx(0.5, abs=1e-9)
    assert result["metrics"]["gIoU"] == pytest.approx(0.5416659, abs=5e-8)
    assert (result["num_expressions"], result["without_target"]) == (4, 2)
    assert result["remarks"] == []
    fewer = {key: FOUND[key] for key in ("2", "d")} | {"e": row()}
    result = evaluate(write(tmp_path / "found.json", fewer), truth, "referring_iou")
    assert (result["without_prediction"], result["predictions_left_out"]) == (2, 1)
    assert len(result["remarks"]) == 2


@pytest.mark.parametrize(
    ("targets", "found", "message"),
    [
        (TARGETS, {"1": 3}, r"found\.json: '1': not an RLE"),
        (TARGETS, {"1": {**row(1), "size": [10, 1]}}, r"'1': size \[10, 1\] differs"),
        (TARGETS, [], "top level: not an object"),
        (None, FOUND, "expressions: not a list"),
        ([3], FOUND, r"expressions\[0\]\.id"),
        ([TARGETS[0], TARGETS[0]], FOUND, r"expressions\[1\]\.id: 1 is .* a second time"),
        ([{"id": 1}], FOUND, r"expressions\[0\]\.segmentation: not an RLE"),
        ([{**TARGETS[0], "ignore": 5}], FOUND, r"expressions\[0\]\.ignore"),
    ],
)
def test_referring_refuses(tmp_path, targets, found, message):
    truth = write(tmp_path / "truth.json", {"expressions": targets})
    with pytest.raises(BadInput, match=message):
        evaluate(write(tmp_path / "found.json", found), truth, "referring_iou")


def test_an_expression_twice_in_the_predictions(tmp_path):
    truth = write(tmp_path / "truth.json", {"expressions": TARGETS})
    path = tmp_path / "found.json"
    path.write_text('{"1": null, "1": null}')
    with pytest.raises(BadInput, match="'1' a second time"):
        evaluate(path, truth, "referring_iou")
    path.unlink()
    with pytest.raises(MissingInput):
        evaluate(path, truth, "referring_iou")


def test_an_entity_drawn_at_random_is_the_floor_of_expressions(tmp_path):
    """One expression; its target has 9 pixels, the other instance of the picture 24, apart."""
    manifest = HandMadeRefcoco(tmp_path).write("val")
    result = evaluate(None, manifest, "referring_iou")
    # Drawn right: 9 of 9 pixels; drawn wrong: 0 of 33. Intersections sum to 9, unions to 42.
    assert result["metrics"] == {"gIoU": pytest.approx(1 / 2), "cIoU": pytest.approx(9 / 42)}
    assert result["num_expressions"] == 1
    assert "2.0 annotated instances" in result["remarks"][0]


def test_a_floor_needs_other_entities_than_the_targets(tmp_path):
    with pytest.raises(BadInput, match="no annotated entities but the targets"):
        evaluate(None, HandMadeReasonseg(tmp_path).write(), "referring_iou", split="val")
    annotations = write(tmp_path / "expressions.json", {"expressions": []})
    with pytest.raises(BadInput, match="not given"):
        evaluate(None, annotations, "referring_iou")
