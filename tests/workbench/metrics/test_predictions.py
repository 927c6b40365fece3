"""Entities files and COCO results: what is read, and what is refused."""

import json

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.metrics.predictions import read_predictions
from workbench.metrics.rle import first_rle_problem, rle_problem, run_lengths

SIZES = {1: (4, 6), "b": (4, 6)}


def rle(seed=0, size=(4, 6)):
    mask = np.random.default_rng(seed).integers(0, 2, size).astype(np.uint8)
    encoded = mask_utils.encode(np.asfortranarray(mask))
    return {"size": list(size), "counts": encoded["counts"].decode()}


def record(image_id=1, **change):
    entity = {"category_id": 1, "segmentation": rle(), "score": 0.5, "class_score": 0.6, **change}
    return {"image_id": image_id, "height": 4, "width": 6, "entities": [entity]}


def write(path, records):
    path.write_text("".join(json.dumps(item) + "\n" for item in records))
    return path


def test_entities_file(tmp_path):
    empty = {**record("b"), "entities": []}
    predictions = read_predictions(write(tmp_path / "s.jsonl", [record(), empty]), SIZES)
    assert predictions.results == [{"image_id": 1, "segmentation": rle(), "score": 0.5}]
    assert predictions.image_ids == {1, "b"}


def test_coco_results(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": 1, "segmentation": rle(), "score": 1}]))
    assert read_predictions(path, SIZES).results[0]["score"] == 1.0


def test_missing_file(tmp_path):
    with pytest.raises(MissingInput):
        read_predictions(tmp_path / "no.jsonl", SIZES)


@pytest.mark.parametrize(
    ("records", "field"),
    [
        ([record(), record()], "line 2.image_id"),
        ([record(7)], "line 1.image_id"),
        ([record([1])], "line 1.image_id"),
        ([{"entities": []}], "line 1.image_id"),
        ([{"image_id": 1}], "line 1.entities"),
        ([record(), [1]], "line 2"),
        ([{**record(), "entities": [3]}], "line 1.entities[0]"),
        ([record(segmentation=rle(size=(6, 4)))], "line 1.entities[0].segmentation"),
        ([record(segmentation=[[0, 0, 1, 1]])], "line 1.entities[0].segmentation"),
        ([record(score=None)], "line 1.entities[0].score"),
        ([record(score=True)], "line 1.entities[0].score"),
        ([record(score=float("nan"))], "line 1.entities[0].score"),
    ],
)
def test_bad_record_names_line_and_field(tmp_path, records, field):
    path = write(tmp_path / "seed-0.jsonl", records)
    with pytest.raises(BadInput) as caught:
        read_predictions(path, SIZES)
    assert (caught.value.where, caught.value.field) == (str(path), field)
    assert "\n" not in str(caught.value)


def test_truncated_file(tmp_path):
    path = write(tmp_path / "seed-0.jsonl", [record(), record("b")])
    path.write_text(path.read_text()[:-20])
    with pytest.raises(BadInput, match="line 2: not JSON, perhaps cut off"):
        read_predictions(path, SIZES)


@pytest.mark.parametrize("text", ["{", '{"a": 1}', '[{"image_id": 9}]'])
def test_bad_coco_results(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(BadInput):
        read_predictions(path, SIZES)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_agree_with_pycocotools(seed):
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(1, 60, 2))
    mask = (rng.random(size) < rng.random()).astype(np.uint8)
    encoded = mask_utils.encode(np.asfortranarray(mask))
    runs = run_lengths(encoded["counts"])
    assert runs.sum() == mask.size
    assert runs[1::2].sum() == mask.sum()
    assert rle_problem(encoded, size) is None


@pytest.mark.parametrize("counts", ["", "0", "0k0", "é", "o", "0d0d0", "P" * 20, 5])
def test_damaged_counts(counts):
    assert rle_problem({"size": [4, 5], "counts": counts}, (4, 5))


@pytest.mark.parametrize("counts", ["é00000", "\ud800", "0é"])
def test_letters_beyond_ascii_are_no_run_lengths(counts):
    rle = {"size": [2, 3], "counts": counts}
    assert "RLE alphabet" in rle_problem(rle, (2, 3))
    assert first_rle_problem([rle], (2, 3))[0] == 0


@pytest.mark.parametrize("size", [(-2, -3), (0, 3), (1 << 20, 1 << 20)])
def test_sizes_that_no_picture_has(size):
    rle = {"size": list(size), "counts": "0"}
    assert "no picture" in rle_problem(rle, size)
    assert first_rle_problem([rle], size)[0] == 0


@pytest.mark.parametrize("score", ["1" + "0" * 400, "1" * 5000], ids=len)
def test_numbers_too_long_for_a_float_or_for_python(tmp_path, score):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{{"image_id": 1, "entities": [{{"segmentation": {}, "score": {}}}]}}'.format(
            json.dumps({"size": [1, 1], "counts": "1"}), score
        )
    )
    with pytest.raises(BadInput, match="line 1"):
        read_predictions(path, {1: (1, 1)})
