"""Scores of groundings on two pictures, with figures derived by hand."""

import json
import math

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from tests.workbench.narrated import COLUMNS, perfect, phrase, record, write_lines, write_world
from workbench.datasets.narratives import load_narratives
from workbench.errors import BadInput
from workbench.metrics.grounding_recall import (
    METRICS,
    ChoiceRule,
    ground_truth_masks,
    predicted_masks,
    score_groundings,
)
from workbench.metrics.groundings import read_groundings

FULL, HALF, NONE = 0.99999, 0.50001, 0.00001


@pytest.fixture
def dataset(tmp_path):
    return load_narratives(write_world(tmp_path / "world"), "val")


@pytest.fixture
def score(dataset, tmp_path):
    def scored(records, masks_of=ground_truth_masks, rule=None):
        groundings = read_groundings(write_lines(tmp_path / "g.jsonl", records), dataset.narratives)
        return score_groundings(dataset, groundings, masks_of, rule or ChoiceRule(0.5))

    return scored


def test_perfect(score):
    found = score(perfect())
    assert tuple(found.metrics) == METRICS
    for name in ("AR", "AR_Th", "AR_St", "AR_Sing", "AR_Pl", "AR_context"):
        assert found.metrics[name] == pytest.approx(FULL), name
    assert found.metrics["AR_text"] == found.metrics["precision_text"] == 1.0
    assert found.metrics["AR_text_relaxed"] == pytest.approx(FULL)
    assert found.counts == {
        "num_narratives": 2,
        "narratives_without_prediction": 0,
        "num_phrases": 4,
        "num_things": 3,
        "num_plural": 1,
        "num_context": 2,
        "phrases_without_prediction": 0,
    }
    assert found.remarks() == []


def test_chance(score):
    # One of three disjoint masks hits a singular phrase fully; two of three half the plural one.
    found = score(perfect()).metrics
    single, plural = (FULL + 2 * NONE) / 3, (2 * HALF + NONE) / 3
    assert found["AR_random"] == pytest.approx((3 * single + plural) / 4)
    assert found["AR_Th_random"] == pytest.approx((2 * single + plural) / 3)


def test_chance_does_not_depend_on_what_was_said(score):
    assert score([]).metrics["AR_random"] == pytest.approx(score(perfect()).metrics["AR_random"])


def test_missing_phrase_and_missing_narrative_are_missed(score):
    first = perfect()[0]
    first["phrases"].pop(1)  # the second cat
    found = score([first])
    assert found.metrics["AR"] == pytest.approx((2 * FULL + 2 * NONE) / 4)
    assert found.metrics["AR_context"] == pytest.approx((FULL + NONE) / 2)
    assert found.metrics["AR_Pl"] == pytest.approx(NONE)
    assert found.metrics["AR_text"] == 0.5
    assert found.metrics["precision_text"] == 1.0
    assert found.counts["phrases_without_prediction"] == 2
    assert found.remarks() == ["1 of 2 narratives have no record; their phrases are missed."]


def test_phrases_without_a_pair_cost_precision_only(score):
    records = perfect()
    records[1]["phrases"].append(phrase("sky", (0.9, 0.9, 0.9), 1))  # in the caption, not grounded
    records[1]["phrases"].append(phrase("dog", (0.9, 0.9, 0.9), None))
    found = score(records).metrics
    assert found["AR"] == pytest.approx(FULL)
    assert found["AR_text"] == 1.0
    assert found["precision_text"] == pytest.approx(4 / 6)


def test_plural_takes_all_above_the_threshold_and_singular_the_best(score):
    records = [
        record(0, phrase("cat", (0.9, 0.8, 0.1), 0)),
        record(1, phrase("two cats", (0.9, 0.6, 0.2), 0)),
    ]
    assert score(records).metrics["AR_Sing"] == pytest.approx((FULL + 2 * NONE) / 3)
    union = score(records, rule=ChoiceRule(0.5, "union")).metrics
    assert union["AR_Sing"] == pytest.approx((HALF + 2 * NONE) / 3)
    assert union["AR_Pl"] == pytest.approx(FULL)
    strict = score(records, rule=ChoiceRule(0.95)).metrics
    assert strict["AR_Pl"] == pytest.approx(HALF)


def test_given_phrases_have_no_text_score(score):
    found = score(perfect("teacher-forced"))
    assert found.metrics["AR"] == pytest.approx(FULL)
    assert math.isnan(found.metrics["AR_text"])
    assert math.isnan(found.metrics["precision_text"])
    assert "given to the model" in found.remarks()[0]


def entities_line(image_id, *columns):
    found = []
    for part in columns:
        mask = np.zeros((4, 8), np.uint8, order="F")
        mask[:, part] = 1
        rle = mask_utils.encode(mask)
        segmentation = {"size": [4, 8], "counts": rle["counts"].decode()}
        found.append({"segmentation": segmentation, "score": 0.5})
    return {"image_id": image_id, "entities": found}


def test_predicted_masks_are_numbered_in_file_order(score, dataset, tmp_path):
    # Of picture 1 the second cat is found with the grass; picture 2 has no mask at all.
    path = write_lines(
        tmp_path / "entities.jsonl",
        [entities_line(1, slice(2, 8), COLUMNS[0]), entities_line(2)],
    )
    records = [
        record(0, phrase("cat", (0.2, 0.8), 0), phrase("cat", (0.8, 0.2), 1), entities=(1, 2)),
        record(1, phrase("two cats", (), 0), entities=()),
    ]
    found = score(records, predicted_masks(path, dataset))
    third = math.floor(8 / 24 * 1e5 + 1) * 1e-5
    assert found.metrics["AR_Sing"] == pytest.approx((FULL + third + NONE) / 3)
    assert found.metrics["AR_Pl"] == pytest.approx(NONE)
    single = (FULL + NONE, third + NONE, math.floor(16 / 24 * 1e5 + 1) * 1e-5 + NONE)
    assert found.metrics["AR_random"] == pytest.approx((sum(single) / 2 + NONE) / 4)


def test_entity_without_a_mask(score):
    with pytest.raises(BadInput, match=r"line 1\.entities\[2\]: 13 has no mask"):
        score([record(0, entities=(10, 11, 13))])


def test_narratives_of_other_annotations(tmp_path):
    manifest = write_world(tmp_path / "world")
    path = manifest.parent / "png.json"
    path.write_text(path.read_text().replace('["12"]', '["99"]'))
    assert "99" in json.dumps(json.loads(path.read_text()))
    dataset = load_narratives(manifest, "val")
    groundings = read_groundings(write_lines(tmp_path / "g.jsonl", []), dataset.narratives)
    with pytest.raises(BadInput, match=r"'grass'.*99 is no segment of image 1"):
        score_groundings(dataset, groundings, ground_truth_masks, ChoiceRule(0.5))


def test_nothing_to_score(tmp_path):
    manifest = write_world(tmp_path / "world")
    (manifest.parent / "png.json").write_text("[]")
    dataset = load_narratives(manifest, "val")
    groundings = read_groundings(write_lines(tmp_path / "g.jsonl", []), dataset.narratives)
    found = score_groundings(dataset, groundings, ground_truth_masks, ChoiceRule(0.5))
    assert all(math.isnan(value) for value in found.metrics.values())
    assert found.remarks() == ["No grounded phrase: every metric is undefined."]
