"""Two processes with half of a batch each learn what one learns from the whole."""

import pytest
import torch
from mmdet.registry import MODELS

from tests.projects.in_halves import assert_halves_are_the_whole, same_points


@pytest.mark.parametrize(
    "tasks",
    [("ground", "extract", "describe", "ground"), ("ground", "describe", "ground", "describe")],
    ids=["each-has-some", "one-without-grounding"],
)
def test_losses_and_gradients(model_config, dataset, monkeypatch, tasks):
    monkeypatch.setattr(torch, "rand", same_points)
    samples = [
        dataset(ratios={"describe": 0.0, "extract": 0.0, "ground": 0.0} | {task: 1.0})[at][
            "samples"
        ]
        for at, task in enumerate(tasks)
    ]

    def make():
        torch.manual_seed(0)
        model = MODELS.build(model_config)
        model.colormap_encoder.norm_eval = True
        return model.train()

    assert_halves_are_the_whole(make, lambda model, part: model(samples[part], mode="loss"))
