"""Two processes train as one does, and end together."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from tests.workbench.engine.test_resume import weights_of
from tests.workbench.toy_project import ToyProject
from workbench.engine.checkpoint import resumable
from workbench.engine.hooks import over_ranks
from workbench.engine.ranks import batch_of_process, weight_among_ranks
from workbench.errors import BadInput


def points_of(project: ToyProject) -> list[tuple[int, float]]:
    from workbench.tracking.store import open_store

    client = open_store(project.root)
    (run,) = project.mlflow_runs()
    history = client.get_metric_history(run.info.run_id, "train/loss_toy")
    return sorted((point.step, point.value) for point in history)


@pytest.mark.slow
def test_same_data_losses_and_weights_as_one_process_with_the_whole_batch(toy: ToyProject) -> None:
    toy.edit("sleep_s=0.0", "sleep_s=0.0, exact=True")
    alone, together = toy.copy(toy.root.parent / "alone"), toy.copy(toy.root.parent / "together")
    outcome = alone.train()
    assert outcome.code == 0, outcome.text
    outcomes = together.train_in_two()
    assert [each.code for each in outcomes] == [0, 0], [each.text for each in outcomes]
    assert outcomes[1].text == ""
    one, two = together.seen_by("0"), together.seen_by("1")
    for whole, first, second in zip(alone.seen(), one, two, strict=True):
        assert whole[1] == [
            index for pair in zip(first[1], second[1], strict=True) for index in pair
        ]
    for (step, mean), (same, whole) in zip(points_of(together), points_of(alone), strict=True):
        assert step == same and mean == pytest.approx(whole, rel=1e-4)
    expected = weights_of(alone)
    for name, value in weights_of(together).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
    assert together.result()["num_devices"] == 2
    assert together.result()["val"] == alone.result()["val"]


@pytest.mark.slow
def test_a_signal_to_one_stops_both_and_both_resume(toy: ToyProject) -> None:
    unbroken = toy.copy(toy.root.parent / "unbroken")
    unbroken.train_in_two()
    outcomes = toy.train_in_two(TERM_AT="14", END_RANK="1")
    assert [each.code for each in outcomes] == [75, 75], [each.text for each in outcomes]
    (folder,) = toy.work_dirs
    assert resumable(folder)[0].name == "iter_00000014.pth"
    outcomes = toy.train_in_two()
    assert "resuming after iteration 14" in outcomes[0].text
    expected = weights_of(unbroken)
    for name, value in weights_of(toy).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.slow
def test_another_number_of_processes_starts_fresh(killed: ToyProject, tmp_path) -> None:
    project = killed.copy(tmp_path / "toy")
    outcomes = project.train_in_two()
    assert [each.code for each in outcomes] == [0, 0], [each.text for each in outcomes]
    assert "starting fresh: world_size 1 -> 2" in outcomes[0].text
    assert "resuming" not in outcomes[0].text


def test_batch_is_split_evenly_or_refused(monkeypatch) -> None:
    config = Config({"train_dataloader": {"batch_size": 16}})
    assert batch_of_process(config, "a.py") == 16
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert batch_of_process(config, "a.py") == 2
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match=r"a\.py: train_dataloader\.batch_size: .*launch\.processes"):
        batch_of_process(config, "a.py")


def test_alone_nothing_is_weighted_or_gathered() -> None:
    window = [{"loss": torch.tensor(1.0)}]
    assert over_ranks(window) is window
    assert weight_among_ranks(3, torch.device("cpu")) == 1.0


def test_a_loss_that_a_process_lacks_counts_as_nothing() -> None:
    from tests.workbench.in_ranks import in_ranks
    from workbench.engine.ranks import join_ranks

    def work(rank: int) -> object:
        join_ranks()
        weight = float(weight_among_ranks((3, 1)[rank], torch.device("cpu")))
        own = [{"loss": torch.tensor(2.0), "loss_asso": 4.0}, {"loss": 1.0}]
        return weight, over_ranks(own if rank == 0 else [{"loss": 4.0}, {"loss": 3.0}])

    first, second = in_ranks(work)
    assert (first[0], second[0]) == (1.5, 0.5)
    assert first[1] == second[1] == [{"loss": 3.0, "loss_asso": 2.0}, {"loss": 2.0}]
