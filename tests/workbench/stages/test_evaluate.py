"""The evaluate stage on two hand-made images, and what it refuses."""

import json

import numpy as np
import pytest
import yaml
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.stages import evaluate as stage

SIZE = 10
ALL = slice(None)
FIRST_HALF, SECOND_HALF, LEFT = (slice(0, 5), ALL), (slice(5, 10), ALL), (ALL, slice(0, 5))


def rle(region):
    mask = np.zeros((SIZE, SIZE), np.uint8, order="F")
    mask[region] = 1
    encoded = mask_utils.encode(mask)
    return {"size": [SIZE, SIZE], "counts": encoded["counts"].decode()}


def rle_of_columns(height, width, columns):
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[:, columns] = 1
    return {"size": [height, width], "counts": mask_utils.encode(mask)["counts"].decode()}


def record(image_id, *entities):
    found = [
        {"category_id": 1, "segmentation": rle(region), "score": score, "class_score": score}
        for region, score in entities
    ]
    size = {"height": SIZE, "width": SIZE}
    return {"image_id": image_id, "file_name": f"{image_id}.png", **size, "entities": found}


GOOD = [record(1, (FIRST_HALF, 0.9), (SECOND_HALF, 0.8)), record(2, (LEFT, 0.7))]
HALF = [record(1, (FIRST_HALF, 0.9))]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in records))


def train_run(seed):
    return {
        "seed": seed,
        "run_id": f"run-{seed}",
        "git_commit": "c0ffee",
        "git_dirty": True,
        "config_sha256": "c",
        "data_sha256": "d",
        "code_sha256": "e",
        "checkpoint_sha256": f"w{seed}",
        "wall_time_s": 100.0 + 10 * seed,
        "peak_memory_gib": 2.0,
        "device": "cpu",
    }


def segment_run(seed):
    return {
        "seed": seed,
        "num_images": 2,
        "infer_time_ms": 50.0,
        "peak_memory_gib": 1.0,
        "checkpoint_sha256": f"w{seed}",
        "data_sha256": "v",
        "device": "cpu",
    }


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout in which everything before the stage has run, with two seeds."""
    monkeypatch.chdir(tmp_path)
    item = {
        "table": "VI",
        "row": "m",
        "predictions": "entities/model",
        "dataset": "two",
        "split": "val",
    }
    params = {
        "scale": "mini",
        "segment": {"model": {"checkpoint": "model"}},
        "evaluate": {"VI__m": item},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    data = tmp_path / "artifacts/mini/data/two"
    (data / "images").mkdir(parents=True)
    for image_id in (1, 2):
        (data / f"images/{image_id}.png").touch()
    owners = [(1, FIRST_HALF), (1, SECOND_HALF), (2, LEFT)]
    write_json(
        data / "val.json",
        {
            "images": [
                {"id": i, "file_name": f"{i}.png", "height": SIZE, "width": SIZE} for i in (1, 2)
            ],
            "annotations": [
                {
                    "id": index + 1,
                    "image_id": i,
                    "category_id": 1,
                    "segmentation": rle(region),
                    "area": 50,
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": 0,
                }
                for index, (i, region) in enumerate(owners)
            ],
            "categories": [{"id": 1, "name": "entity"}],
        },
    )
    split = {"annotations": "val.json", "images": "images", "masks": None}
    manifest = {"name": "two", "format": "coco_instances", "root": ".", "splits": {"val": split}}
    write_json(data / "manifest.json", manifest)
    write_json(
        tmp_path / "artifacts/mini/checkpoints/model/train.json",
        {"key": "model", "scale": "mini", "runs": [train_run(0), train_run(1)]},
    )
    entities = tmp_path / "artifacts/mini/entities/model"
    write_lines(entities / "seed-0.jsonl", GOOD)
    write_lines(entities / "seed-1.jsonl", HALF)
    write_json(
        entities / "segment.json",
        {
            "key": "model",
            "scale": "mini",
            "score": "single_sigmoid",
            "runs": [segment_run(0), segment_run(1)],
        },
    )
    return tmp_path


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_score_file(project):
    path = stage.evaluate("VI__m")
    assert str(path) == "artifacts/mini/scores/VI/m.json"
    score = json.loads(path.read_text())
    assert (score["table"], score["row"], score["scale"]) == ("VI", "m", "mini")
    assert (score["score"], score["num_images"], score["num_entities"]) == ("single_sigmoid", 2, 3)
    # Seed 0 finds all; seed 1 finds one of three, first: 34 of 101 recall points at precision 1.
    assert score["metrics"]["APe"]["values"] == pytest.approx([1.0, 34 / 101])
    assert score["metrics"]["APe"]["mean"] == pytest.approx((1 + 34 / 101) / 2)
    assert score["metrics"]["APe"]["std"] == pytest.approx((1 - 34 / 101) / 2**0.5)
    assert score["metrics"]["recall50"]["values"] == pytest.approx([1.0, 1 / 3])
    assert score["metrics"]["train_time_s"] == {
        "values": [100.0, 110.0],
        "mean": 105.0,
        "std": pytest.approx(50**0.5),
        "n": 2,
    }
    assert score["metrics"]["mem_train_GB"]["mean"] == 2.0
    assert score["metrics"]["mem_infer_GB"]["mean"] == 1.0
    assert score["metrics"]["infer_time_ms"]["mean"] == 50.0


def test_provenance_and_remarks(project):
    score = json.loads(stage.evaluate("VI__m").read_text())
    first, second = score["provenance"]
    assert first["run_id"] == "run-0"
    assert (first["git_commit"], first["git_dirty"]) == ("c0ffee", True)
    assert first["checkpoint_sha256"] == "w0"
    assert len(first["predictions_sha256"]) == 64
    assert (first["images_without_prediction"], second["images_without_prediction"]) == (0, 1)
    assert score["remarks"] == [
        "1 of 2 images have no prediction record; their entities count as missed."
    ]


def test_devices_multiply_the_training_time(project):
    edit(
        project / "artifacts/mini/checkpoints/model/train.json",
        lambda c: [run.update(num_devices=8) for run in c["runs"]],
    )
    score = json.loads(stage.evaluate("VI__m").read_text())
    assert score["metrics"]["train_time_s"]["mean"] == 105.0
    assert score["metrics"]["train_device_s"]["mean"] == 840.0


def test_one_seed_has_no_deviation(project):
    edit(project / "artifacts/mini/entities/model/segment.json", lambda c: c["runs"].pop())
    ape = json.loads(stage.evaluate("VI__m").read_text())["metrics"]["APe"]
    assert (ape["n"], ape["std"], ape["mean"]) == (1, None, pytest.approx(1.0))


def test_no_prediction_is_null_not_zero(project):
    write_lines(project / "artifacts/mini/entities/model/seed-1.jsonl", [record(1), record(2)])
    score = json.loads(stage.evaluate("VI__m").read_text())
    assert score["metrics"]["APe"] == {
        "values": [pytest.approx(1.0), None],
        "mean": None,
        "std": None,
        "n": 2,
    }
    assert any("NaN" in remark for remark in score["remarks"])


def test_entities_of_another_tool_have_no_training_cost(project):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["segment"]["model"] = {}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    score = json.loads(stage.evaluate("VI__m").read_text())
    assert score["metrics"]["train_time_s"]["mean"] is None
    assert score["metrics"]["infer_time_ms"]["mean"] == 50.0
    assert score["provenance"][0]["run_id"] is None


def test_stale_entities_are_refused(project):
    edit(
        project / "artifacts/mini/checkpoints/model/train.json",
        lambda c: c["runs"][1].update(checkpoint_sha256="other"),
    )
    with pytest.raises(BadInput, match="seed 1: checkpoint_sha256.*dvc repro segment@model"):
        stage.evaluate("VI__m")
    assert not (project / "artifacts/mini/scores").exists()


def test_untrained_seed_is_refused(project):
    edit(project / "artifacts/mini/checkpoints/model/train.json", lambda c: c["runs"].pop())
    with pytest.raises(BadInput, match=r"train\.json: runs: no seed 1"):
        stage.evaluate("VI__m")


@pytest.mark.parametrize(
    "missing",
    [
        "data/two/manifest.json",
        "entities/model/segment.json",
        "entities/model/seed-1.jsonl",
        "checkpoints/model/train.json",
    ],
)
def test_missing_upstream(project, missing):
    (project / "artifacts/mini" / missing).unlink()
    with pytest.raises(MissingInput):
        stage.evaluate("VI__m")


def test_bad_entities_leave_nothing(project):
    path = project / "artifacts/mini/entities/model/seed-1.jsonl"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(BadInput, match=r"seed-1\.jsonl: line 1"):
        stage.evaluate("VI__m")
    assert not (project / "artifacts/mini/scores").exists()


def test_bad_params(project):
    with pytest.raises(BadInput, match="unknown instance"):
        stage.evaluate("VI__x")
    params = yaml.safe_load((project / "params.yaml").read_text())
    del params["evaluate"]["VI__m"]["dataset"]
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(BadInput, match=r"evaluate\.VI__m\.dataset"):
        stage.evaluate("VI__m")


@pytest.mark.parametrize(
    "content", ["[]", "{", "{}", '{"runs": []}', '{"runs": [3]}', '{"runs": [{}]}']
)
@pytest.mark.parametrize("name", ["entities/model/segment.json", "checkpoints/model/train.json"])
def test_broken_records_of_earlier_stages(project, name, content):
    (project / "artifacts/mini" / name).write_text(content)
    with pytest.raises(BadInput):
        stage.evaluate("VI__m")


def test_evaluate_predictions_by_name_manifest_and_file(project):
    predictions = project / "artifacts/mini/entities/model/seed-0.jsonl"
    data = project / "artifacts/mini/data/two"
    for dataset in ("two", str(data / "manifest.json"), str(data / "val.json")):
        result = stage.evaluate_predictions(predictions, dataset)
        assert result["metrics"]["APe"] == pytest.approx(1.0)
        assert result["num_entities"] == 3
    only = stage.evaluate_predictions(predictions, "two", "recall50")
    assert only["metrics"] == {"recall50": pytest.approx(1.0)}


def test_evaluate_predictions_refuses(project):
    predictions = project / "artifacts/mini/entities/model/seed-0.jsonl"
    with pytest.raises(BadInput, match="--metric: mAP: unknown; use one of entity_ap, grounding"):
        stage.evaluate_predictions(predictions, "two", "mAP")
    with pytest.raises(MissingInput):
        stage.evaluate_predictions(predictions, "three")
    with pytest.raises(MissingInput):
        stage.evaluate_predictions(predictions, "three.json")
    with pytest.raises(BadInput, match=r"splits\.test"):
        stage.evaluate_predictions(predictions, "two", split="test")


def test_summary_of_undefined_values():
    assert stage.summary([0.5]) == {"values": [0.5], "mean": 0.5, "std": None, "n": 1}
    nothing = stage.summary([float("nan"), 1.0])
    assert nothing == {"values": [None, 1.0], "mean": None, "std": None, "n": 2}
