from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.workbench.toy_project import ToyProject
from workbench.engine.checkpoint import load_weights, read_weights_only
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file
from workbench.stages.train import seeds_of, train, train_config

FIELDS = {
    "seed", "run_id", "fingerprint", "config_sha256", "data_sha256", "code_sha256",
    "checkpoint_sha256", "git_commit", "git_dirty", "iterations", "wall_time_s",
    "peak_memory_gib", "num_devices", "device", "val", "started_utc",
}  # fmt: skip


@pytest.fixture
def toy(tmp_path: Path) -> ToyProject:
    return ToyProject.make(tmp_path / "toy")


def set_seeds(project: ToyProject, seeds: list[int]) -> None:
    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["train"]["toy"]["seeds"] = seeds
    path.write_text(yaml.safe_dump(params))


@pytest.mark.slow
def test_stage_is_interrupted_resumed_and_extended(toy: ToyProject) -> None:
    toy.edit("sleep_s=0.0", "sleep_s=0.12")
    process = toy.stage("toy")
    deadline = time.monotonic() + 600
    while not (toy.root / "seen.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 75, text
    assert not toy.outputs.exists()
    (run,) = toy.mlflow_runs()
    assert run.info.status == "KILLED"

    process = toy.stage("toy")
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 0, text
    assert "resuming after iteration" in text
    assert len(toy.seen()) == 40

    set_seeds(toy, [0, 1])
    toy.edit("sleep_s=0.12", "sleep_s=0.12 ")
    process = toy.stage("toy")
    text = process.communicate(timeout=600)[0]
    assert "seed 0: finished before" in text
    record = json.loads((toy.outputs / "train.json").read_text())
    assert (record["key"], record["scale"]) == ("toy", "smoke")
    assert [run["seed"] for run in record["runs"]] == [0, 1]
    for run in record["runs"]:
        assert run.keys() == FIELDS
        weights = toy.outputs / f"seed-{run['seed']}.pth"
        assert sha256_file(weights) == run["checkpoint_sha256"]
        assert read_weights_only(weights)["meta"]["fingerprint"] == run["fingerprint"]
    first, second = (load_weights(toy.outputs / f"seed-{seed}.pth") for seed in (0, 1))
    assert not all(first[name].equal(second[name]) for name in first)
    assert {path.name for path in toy.outputs.iterdir()} == {
        "seed-0.pth", "seed-1.pth", "train.json",
    }  # fmt: skip


@pytest.mark.slow
def test_killed_under_torchrun_and_resumed_under_slurm(toy: ToyProject) -> None:
    toy.launch(launcher="torchrun", processes=2)
    process = toy.stage("toy", KILL_AT="24", END_RANK="1")
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 75, text
    line = "train toy: toy seed 0: a process was ended by signal 9; the same command"
    assert text.splitlines()[-1].startswith(line) and "Traceback" not in text

    toy.launch(launcher="slurm", processes=2)
    (toy.root / "srun").symlink_to(Path(__file__).parents[1] / "fake_srun.py")
    path = f"{toy.root}:{os.environ['PATH']}"
    process = toy.stage("toy", PATH=path, SRUN_LOG=str(toy.root / "srun.txt"))
    text = process.communicate(timeout=600)[0]
    assert process.returncode == 0, text
    assert "toy seed 0: resuming after iteration 20 from" in text
    (run,) = json.loads((toy.outputs / "train.json").read_text())["runs"]
    assert run["num_devices"] == 2
    (tracked,) = toy.mlflow_runs()
    assert (tracked.info.run_id, tracked.info.status) == (run["run_id"], "FINISHED")


def test_missing_config_names_the_stage_that_makes_it(
    toy: ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.config.unlink()
    monkeypatch.chdir(toy.root)
    with pytest.raises(MissingInput, match=r"configs/toy.py: not found; .*resolve@toy"):
        train("toy")


def test_unknown_key_is_refused(toy: ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy.root)
    with pytest.raises(BadInput, match="train.none"):
        train("none")


@pytest.mark.parametrize("seeds", [[], [0, 0], [-1], ["0"], 3, [True], None])
def test_unusable_seeds_are_refused(seeds: object) -> None:
    with pytest.raises(BadInput, match="train.toy.seeds"):
        seeds_of("toy", {"seeds": seeds})


def test_config_outside_the_pipeline(toy: ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy.root)
    asked = {}
    monkeypatch.setattr(
        "workbench.stages.train.run_job", lambda module, job, launch: asked.update(vars(job))
    )
    train_config(toy.config, resume=False, options={"model.width": 4})
    assert asked["key"] == "toy" and asked["scale"] == "smoke" and asked["resume"] is False
    assert asked["config"] == str(toy.config) and asked["options"] == {"model.width": 4}
    with pytest.raises(MissingInput, match=r"none.py"):
        train_config(toy.root / "none.py", resume=True, options={})


def test_seed_by_default() -> None:
    assert seeds_of("toy", {}) == [0]
