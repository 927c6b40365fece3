from __future__ import annotations

import random
from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from workbench.engine.draws import Draw, DrawDataset, DrawSampler, index_of, seed_everything


class Numbers(DrawDataset):
    """Index with noise of each generator; rejects what ``rejected`` names."""

    def __init__(self, length: int, rejected: tuple[int, ...] = ()) -> None:
        self.length, self.rejected = length, rejected

    def __len__(self) -> int:
        return self.length

    def load(self, index: int) -> list[float] | None:
        if index in self.rejected:
            return None
        return [index, random.random(), np.random.rand(), float(torch.rand(()))]


def batches(workers: int, skip: int, count: int, size: int = 3) -> list[list[list[float]]]:
    data = Numbers(7)
    sampler = DrawSampler(data, seed=5)
    sampler.skip(skip * size)
    loader = DataLoader(
        data, batch_size=size, sampler=sampler, num_workers=workers, collate_fn=list
    )
    return list(islice(loader, count))


def test_data_depends_on_seed_and_iteration_alone() -> None:
    torch.manual_seed(1)
    unbroken = batches(workers=0, skip=0, count=6)
    torch.manual_seed(2)
    assert batches(workers=2, skip=0, count=6) == unbroken
    assert batches(workers=0, skip=4, count=2) == unbroken[4:]
    assert batches(workers=2, skip=4, count=2) == unbroken[4:]


def test_each_pass_holds_every_index_once_in_another_order() -> None:
    passes = [[index_of(Draw(0, 10 * e + n), 10) for n in range(10)] for e in range(3)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert passes[0] != passes[1] != passes[2]
    assert [index_of(Draw(1, n), 10) for n in range(10)] != passes[0]


def test_processes_share_the_draws_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for rank in (0, 1):
        monkeypatch.setattr("workbench.engine.draws.get_dist_info", lambda rank=rank: (rank, 2))
        sampler = DrawSampler(Numbers(7), seed=5)
        sampler.skip(2)
        taken += [draw.number for draw in islice(sampler, 3)]
    assert sorted(taken) == [4, 5, 6, 7, 8, 9]


def test_rejected_sample_is_replaced_by_the_draw_itself() -> None:
    data = Numbers(4, rejected=(0, 1, 2))
    assert [data[Draw(0, n)][0] for n in range(8)] == [3] * 8
    assert data[Draw(0, 2)] == data[Draw(0, 2)]


def test_index_that_is_rejected_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="rejected sample 1"):
        Numbers(4, rejected=(1,))[1]


def test_index_reads_plainly_and_repeatably() -> None:
    assert Numbers(4)[2] == Numbers(4)[2]
    assert Numbers(4)[2][0] == 2


def test_neighbouring_numbers_give_unrelated_streams() -> None:
    values = []
    for number in range(200):
        seed_everything(0, number)
        values.append(float(torch.rand(())))
    assert len(set(values)) == 200
    assert 0.4 < float(np.mean(values)) < 0.6
