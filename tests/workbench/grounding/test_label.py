import json
from dataclasses import replace

import numpy as np
import pytest

from tests.workbench.grounding.stub import StubGrounder, job, use
from tests.workbench.narrated import write_world
from workbench.datasets.sginw import SETS
from workbench.datasets.worlds import write_worlds
from workbench.errors import BadInput
from workbench.grounding.label import in_parts, label_split
from workbench.grounding.labelled import paint_segments
from workbench.grounding.schema import category_sentence
from workbench.segmentation.split import pictures_of
from workbench.stages.evaluate import evaluate_predictions


def rule(noun, masks):
    """Return a rule for the world: two columns are a cat, four are grass."""
    wide = masks.any(1).sum(1) > 2
    return np.where(wide == (noun == "grass"), 0.9, 0.1)


@pytest.fixture
def world(tmp_path):
    return write_world(tmp_path / "world")


def test_sentence_of_the_paper():
    assert category_sentence(["cow"]) == "There might exist a cow."
    assert category_sentence(["person", "dog", "window"]) == (
        "There might exist a person, dog and window."
    )


def test_no_name_is_lost_in_parts():
    for count in (1, 2, 3, 7):
        parts = in_parts("abcdefg", count)
        assert "".join(parts) == "abcdefg" and len(parts) == count
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_stuff_is_merged_and_hidden_things_are_not_listed():
    masks = np.zeros((5, 1, 6), bool)
    masks[0, 0, :2] = masks[1, 0, 2] = masks[2, 0, 3] = masks[4, 0, 4:] = True
    masks[3, 0, :1] = True  # below the first
    labels, segments = paint_segments(masks, [1, 2, 2, 1, None], {2})
    assert labels.tolist() == [[1, 1, 2, 2, 0, 0]]
    assert segments == [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 2}]


def test_panoptic_scores_one(tmp_path, monkeypatch, world):
    stub = use(monkeypatch, StubGrounder(rule))
    made = job(tmp_path, world, "seed-0", mode="panoptic")
    measured = label_split(made, print)
    found = evaluate_predictions(tmp_path / "seed-0.json", str(world), "panoptic_quality", "val")
    assert found["metrics"]["PQ"] == pytest.approx(1)
    assert (measured["num_entities"], measured["num_dropped"], measured["prompts"]) == (6, 0, 1)
    assert stub.requests[0].caption == "There might exist a cat and grass."
    assert stub.requests[0].nouns == ("cat", "grass")


def test_classes_of_a_split_alone_are_asked_for(tmp_path, monkeypatch, world):
    stub = use(monkeypatch, StubGrounder(rule))
    extra = {"id": 3, "name": "sky", "isthing": 0}
    edited(world, lambda content: content["categories"].append(extra))
    made = job(tmp_path, world, "seed-0", mode="panoptic")
    label_split(made, print)
    label_split(replace(made, asked="val"), print)
    assert {request.nouns for request in stub.requests[:2]} == {("cat", "grass", "sky")}
    assert {request.nouns for request in stub.requests[2:]} == {("cat", "grass")}


def test_classes_of_a_split_with_others_cannot_be_asked_for(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule))
    content = json.loads((world.parent / "panoptic.json").read_text())
    content["categories"][0]["name"] = "dog"
    (world.parent / "dogs.json").write_text(json.dumps(content))
    manifest = json.loads(world.read_text())
    manifest["splits"]["dogs"] = {**manifest["splits"]["val"], "annotations": "dogs.json"}
    world.write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match="classes of split dogs are not all of val's"):
        label_split(job(tmp_path, world, "seed-0", mode="panoptic", asked="dogs"), print)


def test_below_the_threshold_is_void(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule))
    made = job(tmp_path, world, "seed-0", mode="panoptic", threshold=0.95)
    assert label_split(made, print)["num_dropped"] == 6
    content = json.loads((tmp_path / "seed-0.json").read_text())
    assert [item["segments_info"] for item in content["annotations"]] == [[], []]
    found = evaluate_predictions(tmp_path / "seed-0.json", str(world), "panoptic_quality", "val")
    assert found["metrics"]["PQ"] == 0


def test_names_beyond_the_context_are_asked_in_several_prompts(tmp_path, monkeypatch, world):
    stub = use(monkeypatch, StubGrounder(rule, context=1))
    made = job(tmp_path, world, "seed-0", mode="panoptic")
    assert label_split(made, print)["prompts"] == 2
    assert [request.nouns for request in stub.requests] == [("cat",)] * 2 + [("grass",)] * 2
    found = evaluate_predictions(tmp_path / "seed-0.json", str(world), "panoptic_quality", "val")
    assert found["metrics"]["PQ"] == pytest.approx(1)


def test_a_name_that_alone_is_too_long(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule, context=0))
    with pytest.raises(BadInput, match="length"):
        label_split(job(tmp_path, world, "seed-0", mode="panoptic"), print)


def edited(world, edit):
    path = world.parent / "panoptic.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_nameless_and_unknown_categories(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule))
    edited(world, lambda content: content["categories"][1].update(name=" "))
    with pytest.raises(BadInput, match=r"category 2: has no name"):
        label_split(job(tmp_path, world, "seed-0", mode="panoptic"), print)
    edited(world, lambda content: content["categories"].pop())
    with pytest.raises(BadInput, match="2 is no category"):
        label_split(job(tmp_path, world, "seed-0", mode="panoptic"), print)
    edited(world, lambda content: content.update(categories=[]))
    with pytest.raises(BadInput, match="categories|no category"):
        label_split(job(tmp_path, world, "seed-0", mode="panoptic"), print)


def test_pictures_without_entities_are_void_and_counted(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule))
    path = tmp_path / "entities.jsonl"
    whole = {"segmentation": {"size": [4, 8], "counts": "0P1"}}
    path.write_text(json.dumps({"image_id": 2, "entities": [whole]}) + "\n")
    made = job(tmp_path, world, "seed-0", mode="panoptic", entities=str(path))
    assert label_split(made, print)["num_without_entity"] == 1
    evaluate_predictions(tmp_path / "seed-0.json", str(world), "panoptic_quality", "val")
    path.write_text(json.dumps({"image_id": 9, "entities": [whole]}) + "\n")
    with pytest.raises(BadInput, match="no entity in any picture"):
        label_split(made, print)


def test_instances_are_coco_results(tmp_path, monkeypatch, world):
    use(monkeypatch, StubGrounder(rule))
    label_split(job(tmp_path, world, "seed-0", mode="instances", threshold=0), print)
    found = evaluate_predictions(tmp_path / "seed-0.json", str(world), "instance_ap", "val")
    assert found["metrics"]["AP"] == pytest.approx(1)


def test_each_set_of_sginw_has_its_own_names(tmp_path, monkeypatch):
    write_worlds("smoke", tmp_path, ("sginw",))
    manifest = tmp_path / "sginw/manifest.json"
    stub = use(monkeypatch, StubGrounder(lambda noun, masks: np.full(len(masks), 0.5)))
    made = job(tmp_path, manifest, "seed-0", mode="instances", split="valid", threshold=0)
    assert label_split(made, print)["prompts"] == dict.fromkeys(SETS, 1)
    assert {request.nouns for request in stub.requests} == set(SETS.values())
    found = evaluate_predictions(tmp_path / "seed-0", str(manifest), "sginw_ap", "valid")
    assert found["sets_without_prediction"] == 0 and found["metrics"]["AP"] > 0
    with pytest.raises(BadInput, match="use the mode instances"):
        label_split(job(tmp_path, manifest, "seed-0", mode="panoptic", split="valid"), print)


def test_entities_of_sginw_are_found_by_set(tmp_path, monkeypatch):
    """The sets number their pictures alike; the annotated masks, given, change nothing."""
    write_worlds("smoke", tmp_path, ("sginw",))
    manifest = tmp_path / "sginw/manifest.json"
    path = tmp_path / "entities.jsonl"
    pictures = pictures_of(manifest, "valid")
    assert len({picture.image_id for picture in pictures}) == len(pictures) == 2 * len(SETS)
    records = [
        {"image_id": each.image_id, "entities": [{"segmentation": code} for code in each.masks]}
        for each in pictures
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    use(monkeypatch, StubGrounder(lambda noun, masks: masks.mean((1, 2))))
    for name, entities in (("given", str(path)), ("annotated", None)):
        made = job(
            tmp_path,
            manifest,
            name,
            mode="instances",
            split="valid",
            threshold=0,
            entities=entities,
        )
        label_split(made, print)
    for name in SETS:
        results = [
            json.loads((tmp_path / f / f"{name}.json").read_text()) for f in ("given", "annotated")
        ]
        assert results[0] == results[1] != []
