"""Bytes of tensors on the meta device, against sums by hand: 4 bytes a float."""

import pytest
import torch
from torch import nn

from workbench.engine.meta import on_meta_device
from workbench.estimates.live_bytes import peak_bytes, saved_bytes

BATCH, WIDE = 5 * 10 * 4, 5 * 100 * 4


@pytest.fixture
def model() -> nn.Module:
    with on_meta_device():
        return nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 1))


def test_input_and_output_of_the_activation_are_kept(model):
    """The first layer keeps its input, the second its input, which ReLU keeps as its output."""
    assert saved_bytes([model], lambda: model(torch.empty(5, 10))) == BATCH + WIDE


def test_frozen_parts_keep_nothing(model):
    model.requires_grad_(False)
    assert saved_bytes([model], lambda: model(torch.empty(5, 10))) == 0


def test_the_most_at_once_is_around_the_activation(model):
    """Its input and output, and the batch, which the caller holds; the last layer has less."""
    assert peak_bytes([model], lambda: model(torch.empty(5, 10))) == BATCH + 2 * WIDE
    assert peak_bytes([model], lambda: model[0].weight.t()) == 0
