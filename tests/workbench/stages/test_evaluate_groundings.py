"""The evaluate stage on groundings of two hand-made pictures."""

import json

import pytest
import yaml

from tests.workbench.narrated import perfect, phrase, record, write_lines, write_world
from tests.workbench.stages.test_evaluate import edit, rle_of_columns, train_run, write_json
from workbench.errors import BadInput, MissingInput
from workbench.stages import evaluate as stage

TIMES = {"image": 10.0, "colormap": 5.0, "masks": 20.0, "language": 100.0}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout in which grounding has run, with two seeds of which the second found nothing."""
    monkeypatch.chdir(tmp_path)
    item = {"table": "X", "row": "m", "predictions": "groundings/model", "dataset": "world"}
    params = {
        "scale": "mini",
        "ground": {"model": {"checkpoint": "model"}},
        "evaluate": {"X__m": item},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    write_world(tmp_path / "artifacts/mini/data/world")
    runs = [train_run(0), train_run(1)]
    write_json(tmp_path / "artifacts/mini/checkpoints/model/train.json", {"runs": runs})
    folder = tmp_path / "artifacts/mini/groundings/model"
    write_lines(folder / "seed-0.jsonl", perfect())
    write_lines(folder / "seed-1.jsonl", [])
    made = {"checkpoint_sha256": "w0", "infer_time_ms": 140.0, "reconstruction_miou": 0.8}
    ground = [
        {"seed": 0, **made, "reconstruction_ap": 0.7, "component_times_ms": TIMES},
        {"seed": 1, **made, "checkpoint_sha256": "w1", "reconstruction_ap": 0.7},
    ]
    write_json(folder / "groundings.json", {"threshold": 0.5, "runs": ground})
    return tmp_path


def score(project):
    return json.loads((project / stage.evaluate("X__m")).read_text())


def test_recall_of_both_seeds(project):
    found = score(project)
    assert found["metrics"]["AR"]["values"] == pytest.approx([0.99999, 0.00001])
    assert found["metrics"]["AR_text"]["values"] == [1.0, 0.0]
    assert found["num_narratives"] == 3
    assert found["remarks"] == ["2 of 2 narratives have no record; their phrases are missed."]
    first = found["provenance"][0]
    assert (first["run_id"], first["num_phrases"]) == ("run-0", 4)
    assert len(first["predictions_sha256"]) == 64


def test_what_the_ground_stage_measured(project):
    metrics = score(project)["metrics"]
    assert metrics["reconstruction_miou"]["mean"] == pytest.approx(0.8)
    assert metrics["LLM_time_s"]["values"] == [0.1, None]
    assert metrics["IME_time_s"]["values"][0] == pytest.approx(0.015)
    assert metrics["ALL_time_s"]["values"][0] == pytest.approx(0.135)
    assert metrics["infer_time_ms"]["mean"] == pytest.approx(140.0)


def test_masks_beside_the_groundings_are_scored(project):
    """The file's entities are numbered from 1; the second mask given covers the wrong columns."""
    folder = project / "artifacts/mini/groundings/model"
    one = phrase("grass", (0.9, 0.1), 2, [1])
    write_lines(folder / "seed-0.jsonl", [record(0, one, entities=[1, 2])])
    entities = [
        {"category_id": 1, "segmentation": rle_of_columns(4, 8, slice(4, 8)), "score": 0.9},
        {"category_id": 1, "segmentation": rle_of_columns(4, 8, slice(0, 2)), "score": 0.8},
    ]
    size = {"height": 4, "width": 8, "file_name": "1.jpg"}
    line = {"image_id": 1, **size, "entities": entities}
    write_lines(folder / "seed-0.entities.jsonl", [line])
    metrics = score(project)["metrics"]
    assert metrics["AR_St"]["values"][0] == pytest.approx(0.99999)
    assert metrics["AR_Th"]["values"][0] == pytest.approx(0.00001)


def test_without_its_threshold_a_record_is_refused(project):
    path = project / "artifacts/mini/groundings/model/groundings.json"
    edit(path, lambda content: content.pop("threshold"))
    with pytest.raises(BadInput, match="threshold"):
        stage.evaluate("X__m")


def test_groundings_of_another_checkpoint_are_refused(project):
    path = project / "artifacts/mini/checkpoints/model/train.json"
    edit(path, lambda content: content["runs"][0].update(checkpoint_sha256="other"))
    with pytest.raises(BadInput, match="dvc repro ground@model"):
        stage.evaluate("X__m")


@pytest.mark.parametrize("predictions", ["model", "grounding/model", "groundings/", ""])
def test_unknown_kind_of_predictions(project, predictions):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["evaluate"]["X__m"]["predictions"] = predictions
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(BadInput, match=r"evaluate\.X__m\.predictions"):
        stage.evaluate("X__m")


def test_a_file_of_another_tool(project):
    groundings = project / "artifacts/mini/groundings/model/seed-0.jsonl"
    result = stage.evaluate_predictions(groundings, "world", "grounding_recall")
    assert result["metrics"]["AR"] == pytest.approx(0.99999)
    only = stage.evaluate_predictions(groundings, "world", "AR_Pl", threshold=0.7)
    assert only["metrics"] == {"AR_Pl": pytest.approx(0.50001)}
    with pytest.raises(MissingInput):
        stage.evaluate_predictions(groundings.with_name("none.jsonl"), "world", "AR")
