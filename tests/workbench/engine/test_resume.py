"""A killed run ends as an unbroken one would have, or starts afresh where anything changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.workbench.toy_project import ToyProject
from workbench.engine.checkpoint import checkpoint_path, load_weights, resumable

pytestmark = pytest.mark.slow


def weights_of(project: ToyProject) -> dict[str, torch.Tensor]:
    (folder,) = [path.parent for path in project.root.glob("work_dirs/*/result.json")]
    return load_weights(folder / "weights.pth")


def assert_same_weights(one: ToyProject, other: ToyProject) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_killed_run_resumes_to_the_weights_of_an_unbroken_one(
    unbroken: ToyProject, killed: ToyProject, tmp_path: Path
) -> None:
    project = killed.copy(tmp_path / "toy")
    outcome = project.train()
    assert outcome.code == 0, outcome.text
    assert "resuming after iteration 20" in outcome.text
    assert_same_weights(project, unbroken)
    before = killed.seen()
    assert before == unbroken.seen()[:23]
    assert project.seen()[23:] == unbroken.seen()[20:]


def test_resumed_run_keeps_its_mlflow_run(killed: ToyProject, tmp_path: Path) -> None:
    project = killed.copy(tmp_path / "toy")
    (before,) = project.mlflow_runs()
    assert before.info.status == "RUNNING"
    project.train()
    (after,) = project.mlflow_runs()
    assert after.info.run_id == before.info.run_id == project.result()["run_id"]
    assert after.info.status == "FINISHED"
    assert after.data.tags["esg.checkpoint_sha256"] == project.result()["checkpoint_sha256"]


def change_parameter(project: ToyProject) -> str:
    project.edit("lr=0.01", "lr=0.02")
    return "config.optim_wrapper.optimizer.lr 0.01 -> 0.02"


def change_data(project: ToyProject) -> str:
    (project.root / "data" / "toy" / "images" / "a.txt").write_text("b")
    return "data.data/toy/manifest.json:images changed"


def change_code(project: ToyProject) -> str:
    with (project.root / "toy_model.py").open("a") as stream:
        stream.write("\n# one more line\n")
    return "code.toy_model changed"


@pytest.mark.parametrize("change", [change_parameter, change_data, change_code])
def test_killed_run_starts_fresh_after_a_change(
    killed: ToyProject, tmp_path: Path, change: object
) -> None:
    project = killed.copy(tmp_path / "toy")
    line = change(project)  # type: ignore[operator]
    outcome = project.train()
    assert outcome.code == 0, outcome.text
    assert f"starting fresh: {line}\n" in outcome.text
    assert "resuming" not in outcome.text
    assert len(project.seen()) == 23 + 40
    assert len(project.work_dirs) == 2


def test_damaged_newest_checkpoint_falls_back_to_the_older(
    unbroken: ToyProject, killed: ToyProject, tmp_path: Path
) -> None:
    project = killed.copy(tmp_path / "toy")
    (folder,) = project.work_dirs
    newest = checkpoint_path(folder, 20)
    newest.write_bytes(newest.read_bytes()[:-100])
    outcome = project.train()
    lines = [line for line in outcome.text.splitlines() if line.startswith("damaged")]
    assert len(lines) == 1 and newest.name in lines[0]
    assert "resuming after iteration 10" in outcome.text
    assert_same_weights(project, unbroken)


def test_terminated_run_saves_and_can_be_resumed(unbroken: ToyProject, toy: ToyProject) -> None:
    outcome = toy.train(TERM_AT="14")
    assert outcome.code == 75, outcome.text
    assert "stopped by SIGTERM after 14 of 40 iterations" in outcome.text
    (folder,) = toy.work_dirs
    assert [path.name for path in resumable(folder)] == ["iter_00000014.pth", "iter_00000010.pth"]
    (run,) = toy.mlflow_runs()
    assert run.info.status == "KILLED"
    assert toy.train().code == 0
    assert toy.seen() == unbroken.seen()
    assert_same_weights(toy, unbroken)


def test_kill_after_the_last_iteration_validates_only(
    unbroken: ToyProject, toy: ToyProject
) -> None:
    assert toy.train(KILL_IN_VALIDATION="2").code == -9
    assert toy.train().code == 0
    assert len(toy.seen()) == 40
    assert toy.result()["val"] == {"APe": 0.25}
    assert_same_weights(toy, unbroken)


def test_finished_run_is_reused(unbroken: ToyProject, tmp_path: Path) -> None:
    project = unbroken.copy(tmp_path / "toy")
    outcome = project.train()
    assert outcome.code == 0
    assert "finished before, reused" in outcome.text
    assert len(project.seen()) == 40
    answer = json.loads((project.root / "request.result.json").read_text())
    assert answer["run_id"] == unbroken.result()["run_id"]


def test_finished_run_is_trained_again_without_resume(unbroken: ToyProject, tmp_path: Path) -> None:
    project = unbroken.copy(tmp_path / "toy")
    assert project.train(resume=False).code == 0
    assert len(project.seen()) == 80
    assert len(project.mlflow_runs()) == 2
    assert_same_weights(project, unbroken)


def test_result_counts_costs_over_segments(unbroken: ToyProject, toy: ToyProject) -> None:
    toy.edit("sleep_s=0.0", "sleep_s=0.02")
    toy.train(KILL_AT="24")
    toy.train()
    result = toy.result()
    assert result["iterations"] == 40
    assert 40 * 0.02 < result["wall_time_s"] < 40 * 0.02 + 3
    assert 0 < result["peak_memory_gib"] < 4


def test_workers_do_not_change_the_run(unbroken: ToyProject, toy: ToyProject) -> None:
    toy.edit("batch_size=4, num_workers=0, sampler=dict(type='DrawSampler')",
             "batch_size=4, num_workers=2, sampler=dict(type='DrawSampler')")  # fmt: skip
    assert toy.train(KILL_AT="16").code == -9
    assert toy.train().code == 0
    assert toy.seen()[15:] == unbroken.seen()[10:]
    assert_same_weights(toy, unbroken)


@pytest.mark.parametrize(
    ("old", "new", "code", "names"),
    [
        ("type='ToyModel'", "type='NoModel'", 2, ("toy.py", "NoModel")),
        ("width=8", "widht=8", 2, ("toy.py", "widht")),
        ("'toy_model'", "'no_model'", 2, ("toy.py", "no_model")),
        ("max_iters=40", "max_epochs=40", 2, ("toy.py", "max_iters")),
        ("data/toy/manifest.json", "data/none/manifest.json", 4, ("prep@none",)),
        ("manifest =", "load_from = 'none.pth'\nmanifest =", 4, ("none.pth",)),
    ],
)
def test_unusable_config_ends_in_one_line(
    toy: ToyProject, old: str, new: str, code: int, names: tuple[str, ...]
) -> None:
    toy.edit(old, new)
    outcome = toy.train()
    assert outcome.code == code
    (line,) = [text for text in outcome.text.splitlines() if text.startswith("error:")]
    assert all(name in line for name in names), line
    assert "Traceback" not in outcome.text
