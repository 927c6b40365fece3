"""Stages to tables: what is added up, what is not known, and what stands beside printed costs."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from workbench.errors import BadInput
from workbench.estimates import stages as estimating
from workbench.estimates.render import render
from workbench.estimates.stages import Estimates
from workbench.estimates.tables import estimate_tables
from workbench.estimates.work import Work
from workbench.params import load_params
from workbench.planning import plan

ROOT = Path(__file__).parents[3]
WORK = Work(250_000_000, 250_000_000, 3.9e12, 2**30, 1.95e12, 2**29)


@pytest.fixture
def estimates(monkeypatch) -> Estimates:
    """Of the repository, where every model costs the same."""
    monkeypatch.setattr(estimating.Counted, "work", lambda self, config, weights: WORK)
    return Estimates(ROOT, load_params(ROOT, "paper"))


def pipeline(**needed):
    return SimpleNamespace(needed_for=lambda targets: needed[targets[0].partition("@")[2]])


def test_a_training_on_the_assumed_machine(estimates):
    """103,125 x 16 samples of 3.9 TFLOP at 40% of 19.5 TFLOPS: 825,000 s."""
    assert (estimates.machine.device, estimates.machine.count) == ("a100-40g", 8)
    found = estimates.stage("train@cropformer")
    assert found.gpu_hours == pytest.approx(825_000 / 3600)
    assert found.memory_gib == pytest.approx(4 * 1e9 / 2**30 + 2)
    assert found.disk_gib == pytest.approx((2 + 3) * 1e9 / 2**30)


def test_launch_seeds_and_overrides_count(monkeypatch):
    monkeypatch.setattr(estimating.Counted, "work", lambda self, config, weights: WORK)
    params = load_params(ROOT, "paper")
    params["launch"] = {"launcher": "torchrun", "processes": 16, "srun": []}
    params["train"]["cropformer"] |= {"seeds": [0, 1], "overrides": {"train_cfg": {"max_iters": 9}}}
    made = Estimates(ROOT, params, "h100-80g")
    assert (made.machine.count, made.machine.memory_gib, made.run("cropformer").iterations) == (
        16,
        80,
        9,
    )
    found = made.stage("train@cropformer")
    assert found.gpu_hours == pytest.approx(2 * 9 * 16 * 3.9 / (67 * 0.4) / 3600)
    with pytest.raises(BadInput, match=r"--device: tpu: unknown; use one of .*a100-40g"):
        Estimates(ROOT, params, "tpu")


def test_a_prediction_by_the_published_number_of_pictures(estimates):
    """1,314 pictures of 1.95 TFLOP at 7.8 TFLOPS: 328.5 s."""
    found = estimates.stage("segment@cropformer")
    assert found.gpu_hours == pytest.approx(328.5 / 3600)
    assert found.memory_gib == pytest.approx(1e9 / 2**30 + 0.5)
    assert found.disk_gib == pytest.approx(2 * 1314 * 100 * 2000 / 2**30)
    assert estimates.stage("segment@cropformer-sginw").gpu_hours is None
    assert estimates.stage("segment@cropformer-png").gpu_hours == pytest.approx(0.25 * 5000 / 3600)
    assert estimates.stage("report").gpu_hours is None


def test_tables_add_up_and_stand_beside_what_is_printed(estimates):
    stages = ["prep@png", "prep@dis5k", "train@vita", "segment@cropformer-sginw", "table@VI"]
    made = estimate_tables(estimates, pipeline(VI=[*stages, "train@cropformer"]), stages)
    (row,) = made.tables
    assert row.train_gpu_hours == pytest.approx(825_000 / 3600)
    assert row.disk_gib == pytest.approx(18.5 + 5e9 / 2**30)
    assert row.unknown == ("segment@cropformer-sginw", "download of DIS5K")
    values = {each.row: each.values for each in made.compared}
    assert values["cropformer"]["train_time_gpu_days"] == (pytest.approx(825_000 / 86400), 9.8)
    assert values["cropformer"]["infer_time_ms"] == (pytest.approx(250), 1503)
    assert [each.key for each in made.trainings] == ["vita"]
    text = "\n".join(render(made))
    assert "Estimated, not measured: 8 x a100-40g (40 GiB), 40% of 19.5 TFLOPS" in text
    line = ["vita", "103,125", "x", "16", "3.90", "229", "5.7"]
    assert line in [each.split() for each in text.splitlines()]
    assert "9.5 | 9.8" in text and "segment@cropformer-sginw, download of DIS5K" in text


def test_a_model_that_does_not_fit_is_marked(estimates, monkeypatch):
    big = Work(3_000_000_000, 3_000_000_000, 1e12, 0, 1e12, 0)
    monkeypatch.setattr(estimating.Counted, "work", lambda self, config, weights: big)
    made = estimate_tables(estimates, pipeline(), ["train@vita"])
    assert not made.trainings[0].fits
    assert "44.7 (too much)" in "\n".join(render(made))


def test_a_model_that_cannot_be_counted_is_not_known(estimates, monkeypatch):
    monkeypatch.setattr(estimating.Counted, "work", lambda self, config, weights: None)
    stages = ["train@vita", "segment@vita", "table@VI"]
    made = estimate_tables(estimates, pipeline(VI=stages), stages)
    assert (made.trainings, made.compared) == ((), ())
    assert made.tables[0].unknown == ("train@vita", "segment@vita")
    assert "train@vita, segment@vita" in "\n".join(render(made))


def test_the_plan_of_the_papers_scale(tmp_path, monkeypatch):
    """Times by FLOPs, the estimate in text and JSON, data missing; params.yaml says mini."""
    monkeypatch.setattr(estimating.Counted, "work", lambda self, config, weights: WORK)
    for name in ("dvc.yaml", "params.yaml", "configs", "reports"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    monkeypatch.chdir(tmp_path)
    assert yaml.safe_load(Path("params.yaml").read_text())["scale"] == "mini"
    made = plan("table@VI", scale="paper", estimated=True)
    times = {stage.name: stage.expected for stage in made.stages}
    assert times["train@vita"].source == "estimated"
    assert times["train@vita"].seconds == pytest.approx(825_000 / 8)
    text = made.render()
    assert "(from counted FLOPs)" in text and "entityseg for prep@entityseg" in text
    content = json.loads(json.dumps(made.to_dict()))["estimate"]
    assert content["tables"][0]["table"] == "VI" and content["machine"]["device"] == "a100-40g"
    assert plan("table@VI", scale="mini", estimated=True).estimate is None
    with pytest.raises(BadInput, match="--device: a100-80g: scale mini .*; add --scale paper"):
        plan("table@VI", device="a100-80g")
