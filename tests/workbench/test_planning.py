"""Plans: times, disk, memory and what is missing (which stages: tests/pipeline/test_reruns.py)."""

import json
from pathlib import Path

import pytest
import yaml

from workbench.errors import BadInput
from workbench.pipeline.missing import Missing
from workbench.pipeline.records import Expected
from workbench.planning import Plan, PlannedStage, format_seconds, plan
from workbench.processes import default_jobs


def stage(
    name: str, seconds: float | None, source: str, memory: float | None = None
) -> PlannedStage:
    return PlannedStage(name, "why", Expected(seconds, source, None, memory))


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
    assert content["stages"][0]["reason"] == "why"
    lacking = Plan("all", "paper", stages, 9, 10.0, 24.0, (Missing("data/coco", "get it", "prep"),))
    assert "Missing: data/coco for prep: get it" in lacking.render()
    assert "up to date" in Plan(None, "mini", (), 9, 1.0, 1.0).render()


def test_time_and_memory_with_several_at_once():
    stages = (
        stage("train@a", 600.0, "recorded", 0.5),
        stage("train@b", 300.0, "recorded", 0.7),
        stage("table@VI", 60.0, "recorded"),
    )
    upstream = {"train@a": ["prep@x"], "train@b": ["prep@x"], "table@VI": ["train@a", "train@b"]}
    made = Plan("headline", "mini", stages, 9, 10.0, 24.0, (), upstream, 2)
    assert (made.seconds, made.elapsed_seconds, made.memory_gib) == (960.0, 660.0, 1.2)
    assert "about 11 min (from this machine's last runs), 2 stages at a time; 16 min" in (
        made.render()
    )
    assert made.to_dict()["jobs"] == 2


def test_jobs_follow_cores_and_memory(monkeypatch):
    monkeypatch.setattr("workbench.processes.cores", lambda: 8)
    for memory, jobs in ((64.0, 8), (9.0, 4), (1.0, 1)):
        monkeypatch.setattr("workbench.processes.memory_gib", lambda memory=memory: memory)
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


def test_what_is_made_anew_each_time_comes_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("scale: mini\ntrain: {}\nsegment: {}\n")
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stages = {
        "page": {"cmd": "echo", "always_changed": True},
        "two": {"cmd": "echo", "deps": ["one.txt"], "outs": ["two.txt"]},
        "one": {"cmd": "echo", "outs": ["one.txt"]},
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    made = plan()
    assert [each.name for each in made.stages] == ["one", "two", "page"]
    assert set(made.upstream["page"]) == {"one", "two"}
    assert [each.name for each in plan("page").stages] == ["page"]
