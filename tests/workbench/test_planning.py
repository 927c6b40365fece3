"""Plans: where times, sizes and memory come from (which stages: tests/pipeline/test_reruns.py)."""

import json
from pathlib import Path

import pytest
import yaml

from workbench.errors import BadInput
from workbench.planning import (
    Plan,
    PlannedStage,
    _Records,
    _stale,
    default_jobs,
    format_seconds,
    plan,
)

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
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}))
    runs = [{"wall_time_s": 100.0, "peak_memory_gib": 2.0}, {"wall_time_s": 140.0}]
    trained = tmp_path / "artifacts/mini/checkpoints/a/train.json"
    trained.parent.mkdir(parents=True)
    trained.write_text(json.dumps({"runs": runs}))
    return _Records(tmp_path, PARAMS)


def test_recorded_runs_come_first_and_count_each_seed(records):
    stage = records.planned("train@a", "why")
    assert (stage.seconds, stage.source) == (3 * 120.0, "recorded")
    assert (stage.disk_gib, stage.memory_gib) == (2.0, 2.0)


def test_reference_times_fill_in(records):
    stage = records.planned("train@b", "why")
    assert (stage.seconds, stage.source, stage.memory_gib) == (60.0, "reference", 1.5)
    assert records.planned("prep@entityseg", "why").seconds == 20.0
    assert records.planned("segment@a-crops", "why").seconds == 15.0
    assert records.planned("ground@g-given", "why").seconds == 14.0
    assert records.planned("transfer@t", "why").seconds == 60.0
    assert records.planned("paint@t-grey", "why").seconds == 8.0


@pytest.mark.parametrize(
    ("stage", "record"),
    [("transfer@t", "checkpoints/t/train.json"), ("paint@t-grey", "maps/t-grey/paint.json")],
)
def test_records_of_transfers_and_maps_are_found(records, tmp_path, stage, record):
    path = tmp_path / "artifacts/mini" / record
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"runs": [{"wall_time_s": 11.0}]}))
    found = records.planned(stage, "why")
    assert (found.seconds, found.source) == (22.0, "recorded")


def test_unknown_is_said(records):
    stage = records.planned("table@VI", "why")
    assert (stage.seconds, stage.source, stage.disk_gib) == (None, "unknown", None)


def test_a_broken_record_is_no_record(records):
    (records.root / "artifacts/mini/checkpoints/a/train.json").write_text("{")
    assert records.planned("train@a", "why").source == "unknown"


def test_what_comes_after_a_change_is_stale_too():
    order = {"prep": [], "other": [], "train": ["prep"], "table": ["train", "other"]}
    assert _stale({"prep": "file"}, order) == [
        ("prep", "file"),
        ("train", "after prep"),
        ("table", "after train"),
    ]


def stage(name: str, seconds: float | None, source: str) -> PlannedStage:
    return PlannedStage(name, "why", seconds, source, None, None)


def test_text_sums_up_and_admits_what_is_unknown():
    stages = (
        stage("train@a", 600.0, "recorded"),
        stage("train@b", 300.0, "reference"),
        stage("table@VI", None, "unknown"),
    )
    made = Plan("headline", "mini", stages, 9, 10.0, 24.0)
    text = made.render()
    assert "headline at scale mini: 3 of 9 stages to run" in text
    assert "15 min  a, b" in text
    assert "over 15 min: 1 stages of unknown length" in text
    assert "Disk: unknown needed, 10.0 GiB free" in text
    content = json.loads(json.dumps(made.to_dict()))
    assert content["seconds"] == 900.0
    assert content["unknown"] == ["table@VI"]
    assert "up to date" in Plan(None, "mini", (), 9, 1.0, 1.0).render()


def test_time_and_memory_with_several_at_once():
    stages = (
        PlannedStage("train@a", "why", 600.0, "recorded", None, 0.5),
        PlannedStage("train@b", "why", 300.0, "recorded", None, 0.7),
        PlannedStage("table@VI", "why", 60.0, "recorded", None, None),
    )
    upstream = {"train@a": ["prep@x"], "train@b": ["prep@x"], "table@VI": ["train@a", "train@b"]}
    made = Plan("headline", "mini", stages, 9, 10.0, 24.0, upstream, 2)
    assert (made.seconds, made.elapsed_seconds, made.memory_gib) == (960.0, 660.0, 1.2)
    assert "about 11 min (from this machine's last runs), 2 stages at a time; 16 min" in (
        made.render()
    )
    assert made.to_dict()["jobs"] == 2


def test_jobs_follow_cores_and_memory(monkeypatch):
    monkeypatch.setattr("workbench.planning.num_cores", lambda: 8)
    for memory, jobs in ((64.0, 8), (9.0, 4), (1.0, 1)):
        monkeypatch.setattr("workbench.planning._machine_memory_gib", lambda memory=memory: memory)
        assert default_jobs("mini") == jobs
    assert default_jobs("paper") == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (89.4, "89 s"), (720, "12 min"), (7500, "2 h 05 min")]
)
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


def test_unknown_target_and_broken_pipeline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("scale: mini\ntrain: {}\nsegment: {}\n")
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    Path("dvc.yaml").write_text("stages: {one: {cmd: echo}}\n")
    with pytest.raises(BadInput, match=r"dvc\.yaml: table@XX: no such target; use"):
        plan("table@XX")
    assert [each.name for each in plan().stages] == ["one"]
    Path("dvc.yaml").write_text("stages: {one: {command: echo}}\n")
    with pytest.raises(BadInput, match=r"dvc\.yaml: pipeline"):
        plan()
