import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from workbench.errors import BadInput, MissingInput
from workbench.grounding.entities import read_entities
from workbench.grounding.outputs import write_outputs
from workbench.grounding.records import find_spans, grounding_record
from workbench.grounding.schema import GroundingAnswer
from workbench.grounding.split import _Totals, mask_ious

SIZE = (20, 30)


def answer(probabilities, nouns=("red disc", "grass"), caption="A red disc on the grass."):
    entities = len(probabilities[0])
    return GroundingAnswer(
        caption=caption,
        answer="There are two.",
        nouns=nouns,
        probabilities=np.array(probabilities, np.float32),
        reconstructed=np.zeros((entities, *SIZE), bool),
        entityness=np.ones(entities, np.float32),
    )


def rle(mask):
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(code["size"]), "counts": code["counts"].decode()}


def halves():
    left = np.zeros(SIZE, bool)
    left[:, :15] = True
    return left, ~left


def test_spans_follow_one_another():
    caption = "A dog by a dog and a cat"
    assert find_spans(caption, ["dog", "bird", "Dog", "cat"]) == [(2, 5), None, (11, 14), (21, 24)]
    assert find_spans(caption, ["", "dog"]) == [None, (2, 5)]


def test_a_noun_means_what_is_above_the_threshold_or_the_likeliest():
    record = grounding_record(answer([[0.9, 0.6, 0.1], [0.2, 0.3, 0.1]]), [7, 8, 9], 0.5, [1, None])
    assert [p["entity_ids"] for p in record["phrases"]] == [[7, 8], [8]]
    assert [p["gt_phrase"] for p in record["phrases"]] == [1, None]
    assert record["entities"] == [7, 8, 9]


def test_nothing_is_measured_where_no_picture_has_a_mask():
    totals = _Totals()
    assert totals.times({"image": 0.0}) == {"infer_time_ms": None, "component_times_ms": {}}
    assert set(totals.reconstruction().values()) == {None}


def test_iou_of_masks_as_given_and_as_rebuilt():
    left, right = halves()
    nothing = np.zeros(SIZE, bool)
    given, rebuilt = np.stack([left, left, nothing]), np.stack([left, right, nothing])
    assert mask_ious(given, rebuilt) == [1.0, 0.0, 1.0]


class TestEntities:
    def test_coco_results_best_first(self, tmp_path):
        left, right = halves()
        results = [
            {"image_id": 1, "segmentation": rle(left), "score": 0.2},
            {"image_id": 1, "segmentation": rle(right), "score": 0.9},
        ]
        (tmp_path / "r.json").write_text(json.dumps(results))
        masks, ids = read_entities(tmp_path / "r.json", SIZE)
        assert ids == [2, 1] and (masks[0] == right).all()

    def test_label_map(self, tmp_path):
        labels = np.zeros(SIZE, np.uint16)
        labels[:, :10], labels[:, 20:] = 5, 300
        cv2.imwrite(str(tmp_path / "l.png"), labels)
        masks, ids = read_entities(tmp_path / "l.png", SIZE)
        assert ids == [5, 300] and masks.sum() == 20 * 20

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("[", "JSON"),
            ("[1]", "no list of entities"),
            ("[]", "no entity"),
            (json.dumps([{"image_id": 1}, {"image_id": 2}]), "2 images"),
            (json.dumps([{"segmentation": {"size": [2, 2], "counts": "04"}}]), "size"),
            (json.dumps([{"segmentation": None}]), "segmentation"),
            (json.dumps([{"score": "high"}]), "score"),
        ],
    )
    def test_bad_results(self, tmp_path, content, problem):
        (tmp_path / "r.json").write_text(content)
        with pytest.raises(BadInput, match=problem):
            read_entities(tmp_path / "r.json", SIZE)

    def test_bad_label_maps(self, tmp_path):
        with pytest.raises(MissingInput):
            read_entities(tmp_path / "none.png", SIZE)
        (tmp_path / "broken.png").write_bytes(b"no picture")
        with pytest.raises(BadInput, match="decoded"):
            read_entities(tmp_path / "broken.png", SIZE)
        cv2.imwrite(str(tmp_path / "small.png"), np.ones((4, 4), np.uint8))
        with pytest.raises(BadInput, match="4 x 4"):
            read_entities(tmp_path / "small.png", SIZE)


def test_noun_and_mask_have_one_colour(tmp_path):
    masks = np.stack(halves())
    photo = np.zeros((*SIZE, 3), np.uint8)
    found = answer([[0.9, 0.1], [0.1, 0.9]])
    record = write_outputs(tmp_path, tmp_path / "photo.jpg", photo, masks, [1, 2], found, 0.5)
    drawn = cv2.imread(record["overlay"])
    left, right = drawn[100, 10].astype(int), drawn[100, -10].astype(int)
    assert abs(left - right).sum() > 60
    caption = drawn[480:].reshape(-1, 3).astype(int)
    for tint in (left, right):
        ink = tint / 0.6
        assert (np.abs(caption - ink).sum(1) < 12).sum() > 50
    written = json.loads((tmp_path / "photo_grounding.json").read_text())
    assert [p["entity_ids"] for p in written["phrases"]] == [[1], [2]]
    assert coco_mask.decode(written["phrases"][0]["segmentation"]).sum() == 300
