"""What stages are expected to take, from recorded runs, the reference and the configuration."""

import json
from copy import deepcopy

import pytest
import yaml

from workbench.pipeline.records import Records

PARAMS = {
    "scale": "mini",
    "train": {"a": {"seeds": [0, 1, 2]}, "b": {"seeds": [0]}},
    "transfer": {"t": {"seeds": [0, 1], "start": "b"}},
    "finetune": {"g": {"seeds": [0, 1]}},
    "segment": {"a-crops": {"checkpoint": "a"}},
    "ground": {"g-given": {"checkpoint": "g"}},
    "paint": {"t-grey": {"checkpoint": "t"}},
}


@pytest.fixture
def records(tmp_path):
    reference = {
        "seconds": {"prep": 20, "train": {"b": 60}, "segment": {"a-crops": 5}, "ground": 7}
    }
    reference["seconds"] |= {"transfer": 30, "paint": 4}
    reference["memory_gib"] = {"train": {"b": 1.5}}
    path = tmp_path / "configs/mini/expected_times.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(reference))
    lock = {"train@a": {"outs": [{"path": "artifacts/mini/checkpoints/a", "size": 2**30}]}}
    runs = [{"wall_time_s": 100.0, "peak_memory_gib": 2.0}, {"wall_time_s": 140.0}]
    trained = tmp_path / "artifacts/mini/checkpoints/a/train.json"
    trained.parent.mkdir(parents=True)
    trained.write_text(json.dumps({"runs": runs}))
    return Records(tmp_path, deepcopy(PARAMS), lock)


def test_recorded_runs_come_first_and_count_each_seed(records):
    stage = records.expected("train@a")
    assert (stage.seconds, stage.source) == (3 * 120.0, "recorded")
    assert (stage.disk_gib, stage.memory_gib) == (2.0, 2.0)


def test_reference_times_fill_in(records):
    stage = records.expected("train@b")
    assert (stage.seconds, stage.source, stage.memory_gib) == (60.0, "reference", 1.5)
    assert records.expected("prep@entityseg").seconds == 20.0
    assert records.expected("segment@a-crops").seconds == 15.0
    assert records.expected("ground@g-given").seconds == 14.0
    assert records.expected("transfer@t").seconds == 60.0
    assert records.expected("paint@t-grey").seconds == 8.0


@pytest.mark.parametrize(
    ("stage", "record"),
    [("transfer@t", "checkpoints/t/train.json"), ("paint@t-grey", "maps/t-grey/paint.json")],
)
def test_records_of_transfers_and_maps_are_found(records, tmp_path, stage, record):
    path = tmp_path / "artifacts/mini" / record
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"runs": [{"wall_time_s": 11.0}]}))
    found = records.expected(stage)
    assert (found.seconds, found.source) == (22.0, "recorded")


def test_unknown_is_said(records):
    stage = records.expected("table@VI")
    assert (stage.seconds, stage.source, stage.disk_gib) == (None, "unknown", None)


def test_a_broken_record_is_no_record(records):
    (records.root / "artifacts/mini/checkpoints/a/train.json").write_text("{")
    assert records.expected("train@a").source == "unknown"


@pytest.fixture
def config(records, tmp_path):
    """A config of 900 iterations for ``a`` and ``b``, and a data set of 100 pictures."""
    for item in records.params["train"].values():
        item["config"] = "project/plain"
    path = tmp_path / "configs/mini/project/plain.py"
    path.parent.mkdir(parents=True)
    path.write_text("train_cfg = dict(max_iters=900)\n")
    manifest = tmp_path / "artifacts/mini/data/world/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"splits": {"val": {"num_images": 100}}}))


def write_runs(root, place, *runs):
    path = root / "artifacts/mini" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": runs}))


def test_a_recorded_training_is_scaled_to_its_iterations(records, tmp_path, config):
    write_runs(tmp_path, "checkpoints/a/train.json", {"wall_time_s": 100.0, "iterations": 300})
    assert records.expected("train@a").seconds == pytest.approx(3 * 300.0)
    records.params["train"]["a"]["overrides"] = {"train_cfg": {"max_iters": 600}}
    assert records.expected("train@a").seconds == pytest.approx(3 * 200.0)


def test_a_reference_is_scaled_by_the_overrides(records, config):
    assert records.expected("train@b").seconds == 60.0
    records.params["train"]["b"]["overrides"] = {"train_cfg": {"max_iters": 450}}
    assert records.expected("train@b").seconds == pytest.approx(30.0)


def test_predictions_are_scaled_to_the_pictures_there_are(records, tmp_path, config):
    records.params["segment"]["a-crops"] |= {"dataset": "world", "split": "val"}
    run = {"wall_time_s": 8.0, "num_images": 50}
    write_runs(tmp_path, "entities/a-crops/segment.json", run)
    assert records.expected("segment@a-crops").seconds == pytest.approx(3 * 16.0)
    records.params["segment"]["a-crops"]["split"] = "unknown"
    assert records.expected("segment@a-crops").seconds == pytest.approx(3 * 8.0)


def test_items_with_a_time_each_have_a_time(records, tmp_path):
    run = {"num_narratives": 200, "infer_time_ms": 50.0}
    write_runs(tmp_path, "groundings/g-given/groundings.json", run)
    found = records.expected("ground@g-given")
    assert (found.seconds, found.source) == (2 * 10.0, "recorded")


def test_a_config_that_cannot_be_read_scales_nothing(records, tmp_path, config):
    (tmp_path / "configs/mini/project/plain.py").write_text("train_cfg = (")
    write_runs(tmp_path, "checkpoints/a/train.json", {"wall_time_s": 100.0, "iterations": 300})
    assert records.expected("train@a").seconds == pytest.approx(300.0)
