import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.workbench.datasets.referred import HandMadeReasonseg, HandMadeRefcoco
from tests.workbench.grounding.stub import StubGrounder, job, use
from workbench.errors import BadInput, MissingInput
from workbench.grounding import asked
from workbench.grounding.given import encode_mask
from workbench.grounding.refer import chosen_entities, refer_split
from workbench.segmentation.split import pictures_of
from workbench.stages.evaluate import evaluate_predictions


@pytest.fixture
def refcoco(tmp_path):
    """Split val: one expression, of the smaller of two dogs; testA: four of the only dog."""
    hand = HandMadeRefcoco(tmp_path / "data")
    return lambda split="val": hand.write(split)


def by_area(smaller, larger):
    """Return a rule that gives a picture's masks probabilities by size."""

    def rule(noun, masks):
        areas = masks.sum((1, 2))
        return np.where(areas == areas.min(), smaller, larger)

    return rule


def read(job):
    with open(job.output) as stream:
        return json.load(stream)


def score(job):
    return evaluate_predictions(Path(job.output), job.manifest, "referring_iou", job.split)


@pytest.mark.parametrize(
    ("probabilities", "chosen"),
    [
        ([[0.9, 0.2, 0.6]], [0, 2]),
        ([[0.9, 0.2, 0.1], [0.1, 0.1, 0.7]], [0, 2]),
        ([[0.3, 0.5, 0.1]], [1]),
        ([[0.2, 0.2]], [0]),
    ],
)
def test_union_of_what_is_above_and_else_the_best(probabilities, chosen):
    assert chosen_entities(np.array(probabilities, np.float32), 0.5).tolist() == chosen


@pytest.mark.parametrize("mode", ["generated", "whole"])
def test_the_right_entity_scores_one(tmp_path, monkeypatch, refcoco, mode):
    stub = use(monkeypatch, StubGrounder(by_area(0.9, 0.1)))
    made = job(tmp_path, refcoco(), "seed-0.json", mode=mode)
    measured = refer_split(made, print)
    found = score(made)
    assert found["metrics"] == {"cIoU": pytest.approx(1), "gIoU": pytest.approx(1, abs=1e-4)}
    assert (found["without_prediction"], found["predictions_left_out"]) == (0, 0)
    assert list(read(made)) == ["20"]
    assert stub.requests[0].caption == "the small one" and len(stub.requests[0].masks) == 2
    assert stub.requests[0].nouns == (("the small one",) if mode == "whole" else None)
    assert (measured["num_asked"], measured["num_above_threshold"]) == (1, 1)
    assert measured["infer_time_ms"] > 0 and len(measured["checkpoint_sha256"]) == 64


def test_both_entities_are_united(tmp_path, monkeypatch, refcoco):
    use(monkeypatch, StubGrounder(by_area(0.9, 0.6)))
    made = job(tmp_path, refcoco(), "seed-0.json")
    refer_split(made, print)
    # 6 x 4 px of one dog and 3 x 3 px of the other, of which the latter is meant.
    assert coco_mask.area(read(made)["20"]) == 24 + 9
    assert score(made)["metrics"]["cIoU"] == pytest.approx(9 / 33)


def test_nothing_above_the_threshold_means_the_likeliest(tmp_path, monkeypatch, refcoco):
    use(monkeypatch, StubGrounder(by_area(0.4, 0.3)))
    made = job(tmp_path, refcoco(), "seed-0.json")
    assert refer_split(made, print)["num_best_one"] == 1
    assert score(made)["metrics"]["cIoU"] == pytest.approx(1)


@pytest.mark.parametrize(("mode", "right"), [("first", True), ("generated", False)])
def test_the_first_noun_alone_may_count(tmp_path, monkeypatch, refcoco, mode, right):
    rules = {"one": by_area(0.6, 0.1), "other": by_area(0.1, 0.9)}
    stub = StubGrounder(lambda noun, m: rules[noun](noun, m), extracted=("one", "other"))
    use(monkeypatch, stub)
    made = job(tmp_path, refcoco(), "seed-0.json", mode=mode)
    refer_split(made, print)
    assert (score(made)["metrics"]["cIoU"] == pytest.approx(1)) == right


def test_without_a_noun_there_is_no_mask(tmp_path, monkeypatch, refcoco):
    use(monkeypatch, StubGrounder(by_area(0.9, 0.1), extracted=()))
    made = job(tmp_path, refcoco(), "seed-0.json")
    assert refer_split(made, print)["num_without_noun"] == 1
    assert read(made) == {"20": None}


def entities(tmp_path, records):
    path = tmp_path / "entities/seg/seed-0.jsonl"
    path.parent.mkdir(parents=True)
    lines = [
        {"image_id": image_id, "entities": [{"segmentation": encode_mask(m)} for m in masks]}
        for image_id, masks in records.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_reasonseg_takes_entities_of_the_segment_stage(tmp_path, monkeypatch):
    manifest = HandMadeReasonseg(tmp_path / "data").write()
    assert [image.image_id for image in pictures_of(manifest, "val")] == ["a"]
    square = np.zeros((20, 30), bool)
    square[2:10, 2:13] = True
    stub = use(monkeypatch, StubGrounder(by_area(0.9, 0.1)))
    made = job(
        tmp_path, manifest, "seed-0.json", entities=entities(tmp_path, {"a": [square, ~square]})
    )
    refer_split(made, print)
    assert stub.requests[0].caption == "What could you eat?"
    assert list(read(made)) == ["a"] and score(made)["metrics"]["cIoU"] > 0.9


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ({"b": [np.ones((20, 30), bool)]}, "no entity in any picture"),
        ({"a": []}, "no entity in any picture"),
        ({"a": [np.ones((8, 8), bool)]}, r"\[8, 8\], not \[20, 30\]"),
    ],
)
def test_entities_of_other_pictures(tmp_path, monkeypatch, records, problem):
    use(monkeypatch, StubGrounder(by_area(0.9, 0.1)))
    manifest = HandMadeReasonseg(tmp_path / "data").write()
    made = job(tmp_path, manifest, "seed-0.json", entities=entities(tmp_path, records))
    with pytest.raises(BadInput, match=problem):
        refer_split(made, print)
    assert not (tmp_path / "seed-0.json").exists()


def test_what_cannot_be_asked(tmp_path, monkeypatch, refcoco):
    use(monkeypatch, StubGrounder(by_area(0.9, 0.1)))
    manifest = HandMadeReasonseg(tmp_path / "reason").write()
    with pytest.raises(BadInput, match="no annotated entities but the targets"):
        refer_split(job(tmp_path, manifest, "seed-0.json"), print)
    with pytest.raises(MissingInput, match="segment@"):
        refer_split(job(tmp_path, manifest, "seed-0.json", entities="seg/none.jsonl"), print)
    hand = HandMadeRefcoco(tmp_path / "empty")
    hand.refs[1]["sentences"][0]["sent"] = "  "
    with pytest.raises(BadInput, match="give the expression"):
        refer_split(job(tmp_path, hand.write("val"), "seed-0.json"), print)


def test_a_killed_run_goes_on_where_it_was(tmp_path, monkeypatch, refcoco):
    monkeypatch.setattr(asked, "BATCH", 1)
    made = job(tmp_path, refcoco("testA"), "seed-0.json", split="testA")
    use(monkeypatch, StubGrounder(by_area(0.9, 0.1), calls_before_a_kill=2))
    with pytest.raises(KeyboardInterrupt):
        refer_split(made, print)
    assert not (tmp_path / "seed-0.json").exists()
    (journal,) = (tmp_path / "work_dirs").iterdir()
    with journal.open("ab") as stream:
        stream.write(b'{"results": [{"key"')
    stub, lines = use(monkeypatch, StubGrounder(by_area(0.9, 0.1))), []
    measured = refer_split(made, lines.append)
    assert (len(stub.requests), measured["num_resumed"], measured["num_asked"]) == (2, 2, 4)
    assert lines == ["stub seed 0: goes on after 2"]
    assert list(read(made)) == ["30", "40", "41", "42"]
    assert score(made)["metrics"]["cIoU"] == pytest.approx(1)


def test_changed_inputs_start_anew(tmp_path, monkeypatch, refcoco):
    manifest = refcoco("testA")
    use(monkeypatch, StubGrounder(by_area(0.9, 0.1)))
    refer_split(job(tmp_path, manifest, "seed-0.json", split="testA"), print)
    other = refer_split(job(tmp_path, manifest, "seed-0.json", split="testA", threshold=0.2), print)
    assert other["num_resumed"] == 0
