"""The tiny GELLA asked by the jobs of the stages `refer` and `label`."""

import json
from dataclasses import replace

import pytest

from projects.gella.inference import ground_photos
from tests.workbench.datasets.referred import HandMadeRefcoco
from tests.workbench.grounding.stub import job
from tests.workbench.in_ranks import in_ranks
from tests.workbench.narrated import write_world
from workbench.errors import BadInput
from workbench.grounding.grounder import Grounder
from workbench.grounding.label import label_split
from workbench.grounding.refer import OUTCOMES, refer_split
from workbench.grounding.split import GroundJob, ground_split
from workbench.stages.evaluate import evaluate_predictions


@pytest.fixture
def model(gella, monkeypatch):
    monkeypatch.setattr(Grounder, "from_checkpoint", lambda *args, **kwargs: Grounder(gella))
    return gella


@pytest.mark.parametrize("mode", ["generated", "whole"])
def test_expressions(model, tmp_path, mode):
    manifest = HandMadeRefcoco(tmp_path / "data").write("testA")
    made = job(tmp_path, manifest, "seed-0.json", split="testA", mode=mode)
    measured = refer_split(made, print)
    found = evaluate_predictions(tmp_path / "seed-0.json", str(manifest), "referring_iou", "testA")
    assert found["num_expressions"] == 4 == sum(measured[f"num_{name}"] for name in OUTCOMES)
    if mode == "whole":  # each picture has one entity, which is the best whatever its probability
        assert found["metrics"]["cIoU"] == pytest.approx(1)


def test_classes_in_one_prompt_or_as_many_as_the_context_needs(model, tmp_path):
    world = write_world(tmp_path / "world")
    made = job(tmp_path, world, "seed-0", mode="panoptic", threshold=0.0)
    assert label_split(made, print)["prompts"] == 1
    whole = json.loads((tmp_path / "seed-0.json").read_text())
    found = evaluate_predictions(tmp_path / "seed-0.json", str(world), "panoptic_quality", "val")
    assert found["num_images"] == len(whole["annotations"]) == 2
    needed = fits(model, world)
    model.language.tokenizer.max_tokens = needed
    assert label_split(replace(made, work_dir=str(tmp_path / "again")), print)["prompts"] == 2


def fits(model, world):
    """Return a context that holds one name and not two."""
    from projects.gella import prompts
    from workbench.grounding.schema import category_sentence

    def length(names):
        tokenizer = model.language.tokenizer
        prompt = prompts.extract_prompt(category_sentence(names))
        return len(tokenizer.example(prompt, prompts.nouns_answer(names)).ids)

    one = max(length(["cat"]), length(["grass"]))
    assert one < length(["cat", "grass"])
    return one


def test_a_sentence_beyond_the_context_is_refused_under_the_field_that_label_knows(model):
    from tests.projects.gella.test_gella import request

    with pytest.raises(BadInput) as error:
        ground_photos(model.eval(), [request(nouns=("square " * 999,))])
    assert error.value.field == "length"


def grounding(manifest, output):
    places = {"checkpoint": str(manifest), "manifest": str(manifest), "split": "val"}
    asked = {"entities": None, "teacher_forced": True, "withheld": None, "threshold": 0.5}
    return GroundJob(
        title="tiny", **places, **asked, overrides={}, field="overrides", output=str(output)
    )


def test_two_processes_write_the_bytes_of_one(model, world, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("workbench.grounding.split.BATCH", 2)
    monkeypatch.setattr("workbench.grounding.asked.BATCH", 1)
    labels = write_world(tmp_path / "world")

    def predict(name):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        grounded = ground_split(grounding(world, folder / "seed-0.jsonl"), print)
        asked = job(folder, labels, "seed-1", mode="panoptic", threshold=0.0)
        return grounded, label_split(asked, print)

    alone = predict("alone")
    together, other = in_ranks(lambda rank: predict("together"))
    assert other == ({}, {})
    for name in ("seed-0.jsonl", "seed-1.json", "seed-1/000000000001.png"):
        assert (tmp_path / "together" / name).read_bytes() == (
            tmp_path / "alone" / name
        ).read_bytes(), name
    timed = ("infer_time_ms", "component_times_ms", "journals")
    for one, two in zip(alone, together, strict=True):
        assert {n: v for n, v in one.items() if n not in timed} == {
            n: v for n, v in two.items() if n not in timed
        }
