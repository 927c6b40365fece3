"""Rows that are scored by a family of ``esg evaluate``: panoptic images, referring masks, parts."""

import json

import pytest
import yaml

from tests.workbench.stages.test_evaluate import (
    FIRST_HALF,
    HALF,
    LEFT,
    project,
    rle,
    segment_run,
    write_json,
    write_lines,
)  # fmt: skip
from workbench.errors import BadInput, MissingInput
from workbench.params import PREDICTIONS
from workbench.scoring.families import FILE_METRICS
from workbench.scoring.rows import FilePredictions
from workbench.stages import evaluate as stage

__all__ = ["project"]


def with_row(root, key, **item):
    """Add an entry to ``evaluate``."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["evaluate"][key] = {**params["evaluate"]["VI__m"], **item}
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_part_has_its_own_score_file(project):
    with_row(project, "VI__m__lvis", row="m.lvis")
    path = stage.evaluate("VI__m__lvis")
    assert path.name == "m.lvis.json"
    score = json.loads(path.read_text())
    assert score["row"] == "m.lvis"
    assert score["metrics"]["recall50"]["mean"] == pytest.approx(2 / 3)


def test_entities_by_another_family(project):
    with_row(project, "VI__m", metric="instance_ap")
    folder = project / "artifacts/mini/entities/model"
    found = [
        {"image_id": 1, "category_id": 1, "segmentation": rle(FIRST_HALF), "score": 0.9},
        {"image_id": 2, "category_id": 1, "segmentation": rle(LEFT), "score": 0.9},
    ]
    write_json(folder / "seed-0.json", found)
    write_json(folder / "seed-1.json", found)
    score = json.loads(stage.evaluate("VI__m").read_text())
    assert score["metrics"]["AP50"]["mean"] == pytest.approx(67 / 101)
    assert score["metrics"]["train_time_s"]["mean"] == 105.0
    assert score["provenance"][0]["run_id"] == "run-0"
    assert len(score["provenance"][0]["predictions_sha256"]) == 64


def referring(root, *masks):
    """Write predictions of a folder that no stage makes, one file a seed."""
    folder = root / "artifacts/mini/referring/model"
    for seed, mask in enumerate(masks):
        write_json(folder / f"seed-{seed}.json", {"10": mask})
    runs = [segment_run(seed) for seed in range(len(masks))]
    write_json(folder / "predictions.json", {"key": "model", "scale": "mini", "runs": runs})
    manifest = root / "artifacts/mini/data/two/manifest.json"
    write_json(manifest, {"expressions": [{"id": 10, "segmentation": rle(FIRST_HALF)}]})
    with_row(
        root, "IX__m__val", table="IX", row="m.val", metric="referring_iou",
        predictions="referring/model", checkpoint="model",
    )  # fmt: skip
    return folder


def test_predictions_of_a_folder_that_no_stage_makes(project):
    referring(project, rle(FIRST_HALF), None)
    score = json.loads(stage.evaluate("IX__m__val").read_text())
    assert score["metrics"]["cIoU"]["values"] == pytest.approx([1.0, 0.0])
    assert score["metrics"]["gIoU"]["mean"] == pytest.approx(0.5)
    assert score["metrics"]["mem_infer_GB"]["mean"] == 1.0
    first = score["provenance"][0]
    assert (first["run_id"], first["checkpoint_sha256"]) == ("run-0", "w0")


def test_a_folder_of_pictures_enters_the_hash(project):
    folder = referring(project, rle(FIRST_HALF))
    before = json.loads(stage.evaluate("IX__m__val").read_text())["provenance"][0]
    (folder / "seed-0").mkdir()
    (folder / "seed-0/1.png").write_bytes(b"one")
    after = json.loads(stage.evaluate("IX__m__val").read_text())["provenance"][0]
    assert before["predictions_sha256"] != after["predictions_sha256"]


def test_what_is_not_there_is_named(project):
    folder = referring(project, rle(FIRST_HALF))
    (folder / "seed-0.json").unlink()
    with pytest.raises(MissingInput, match=r"seed-0\.json or seed-0\.jsonl or seed-0, see docs"):
        stage.evaluate("IX__m__val")
    (folder / "predictions.json").unlink()
    with pytest.raises(MissingInput, match=r"write .*predictions\.json"):
        stage.evaluate("IX__m__val")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "mAP"}, r"evaluate\.VI__m\.metric: 'mAP'; use one of entity_ap, instance_ap"),
        ({"metric": "grounding_recall"}, r"evaluate\.VI__m\.metric: 'grounding_recall'"),
        ({"metric": "vpq", "predictions": "a"}, r"use <folder>/<key>"),
        ({"metric": "vpq", "predictions": "../a"}, r"use <folder>/<key>"),
        ({"predictions": "maps/a"}, r"or give evaluate\.VI__m\.metric"),
    ],
)
def test_rows_that_cannot_be_scored(project, change, message):
    with_row(project, "VI__m", **change)
    write_lines(project / "artifacts/mini/entities/model/seed-1.jsonl", HALF)
    with pytest.raises(BadInput, match=message):
        stage.evaluate("VI__m")


@pytest.mark.parametrize(("folder", "stage_name"), list(PREDICTIONS.items()))
def test_the_record_is_the_one_that_the_stage_writes(folder, stage_name):
    """As `asking` and `segment` name it; the ground stage calls its own after the folder."""
    written = {"ground": "groundings.json"}.get(stage_name, f"{stage_name}.json")
    assert FilePredictions(FILE_METRICS["referring_iou"], folder).record == written
