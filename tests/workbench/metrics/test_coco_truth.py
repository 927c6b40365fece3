"""Annotation files read image by image: the same as whole, and the same faults."""

import json

import pytest

from tests.workbench.random_masks import random_dataset
from workbench.errors import BadInput, MissingInput
from workbench.metrics.coco_truth import CocoTruth, CocoTruthFile, IdRanges


def open_file(folder, content):
    (folder / "val.json").write_text(json.dumps(content))
    return CocoTruthFile(folder / "val.json")


def test_file_and_dict_give_the_same(tmp_path):
    content, _ = random_dataset(0)
    content["annotations"].reverse()
    content["annotations"][0]["segmentation"] = [[0, 0, 10, 0, 10, 5, 0, 5]]
    whole, pieces = CocoTruth(content), open_file(tmp_path, content)
    assert list(whole) == list(pieces)
    assert whole.num_entities == pieces.num_entities
    assert pieces.num_entities == sum(not one["iscrowd"] for one in content["annotations"])
    assert len(pieces) == len(whole) == 5
    assert pieces.categories == {0: "class 0", 1: "class 1"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda t: t.update(images=[]), "images"),
        (lambda t: t["images"].append(3), "images[5].id"),
        (lambda t: t["images"].append(t["images"][0]), "images[5].id"),
        (lambda t: t["annotations"][1].update(id=1), "annotations"),
        (lambda t: t["annotations"][1].update(id="1"), "annotations[1].id"),
        (lambda t: t["annotations"][1].update(id=1 << 70), "annotations[1].id"),
        (lambda t: t["annotations"][1].update(image_id=9), "annotations[1].image_id"),
        (lambda t: t["annotations"][1].pop("image_id"), "annotations[1].image_id"),
        (lambda t: t["annotations"][1].update(segmentation=3), "annotations[1].segmentation"),
        (
            lambda t: t["annotations"][1].update(segmentation={"size": 8, "counts": [64]}),
            "annotations[1].segmentation",
        ),
        (lambda t: t["annotations"][1].update(area="big"), "annotations[1].area"),
        (lambda t: t.pop("annotations"), "annotations"),
        (lambda t: t["categories"].append({}), "categories[2].id"),
    ],
)
def test_faults(tmp_path, change, field):
    content, _ = random_dataset(0)
    change(content)
    with pytest.raises(BadInput) as caught:
        list(open_file(tmp_path, content))
    assert caught.value.where.endswith("val.json")
    assert caught.value.field == field


def test_missing_file(tmp_path):
    with pytest.raises(MissingInput):
        CocoTruthFile(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("numbers", "again"),
    [
        ([], None),
        ([1, 2, 3, 7, 8, 5], None),
        ([1, 2, 3, 2], 2),
        ([5, 6, 4, 5], 5),
        ([9, 9], 9),
        ([-1, 0, 1, 0], 0),
        ([3, 1, 2, 3], 3),
    ],
    ids=str,
)
def test_repeated_ids(numbers, again):
    ranges = IdRanges()
    for number in numbers:
        ranges.add(number)
    assert ranges.repeated() == again
