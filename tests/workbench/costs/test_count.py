"""Counts of small modules against numbers worked out by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from workbench.costs.count import Component, Count, count_flops, count_parameters
from workbench.engine.meta import on_meta_device


def on_meta(make):
    with on_meta_device():
        return make()


def test_linear():
    layer = on_meta(lambda: nn.Linear(3, 5))
    counted = Count(Component(layer, lambda: layer(torch.empty(7, 3))))
    assert counted.parameters == 3 * 5 + 5
    assert counted.flops == 2 * 7 * 3 * 5
    assert counted.multiply_adds == 7 * 3 * 5


def test_strided_and_grouped_convolution():
    layer = on_meta(lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2))
    # 8x10 pixels become 4x5; each of the 6 outputs sees 4 / 2 channels of a 3x3 window.
    assert count_flops(lambda: layer(torch.empty(1, 4, 8, 10))) == 2 * 4 * 5 * 6 * 2 * 9


def test_fused_attention_counts_both_products():
    query, key = (1, 2, 5, 8), (1, 2, 11, 8)

    def attend():
        F.scaled_dot_product_attention(torch.empty(query), torch.empty(key), torch.empty(key))

    assert count_flops(attend) == 2 * (2 * 2 * 5 * 11 * 8)


def test_sampling_takes_four_multiply_adds_a_value():
    def sample():
        F.grid_sample(torch.empty(2, 3, 8, 8), torch.empty(2, 5, 7, 2), align_corners=False)

    assert count_flops(sample) == 2 * 4 * (2 * 3 * 5 * 7)


def test_elementwise_work_is_left_out():
    def work():
        x = torch.empty(2, 4, 8, 8)
        return F.interpolate(F.layer_norm(x.relu() * x + 1, (8,)).softmax(-1), scale_factor=2)

    assert count_flops(work) == 0


def test_sizes_in_tensors_can_be_read():
    def split_by_size():
        x = torch.empty(1, 6, 3)
        rows, columns = torch._shape_as_tensor(torch.empty(2, 3)).to(x.device)
        halves = x.split([rows * 2, rows], dim=1)
        assert (rows * columns).sum() == x.shape[1]
        assert (x / torch._shape_as_tensor(x)).is_meta
        return halves[0].reshape(rows, 2, columns) @ torch.empty(2, 3, 4)

    assert count_flops(split_by_size) == 2 * 2 * 2 * 3 * 4


def test_shared_parameters_count_once_and_buffers_not():
    def make():
        module = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2)])
        module[1].weight = module[0].weight
        return module

    assert count_parameters(on_meta(make)) == 4 + 2 + 2 + 2 + 2


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_same_on_every_device_and_in_every_run(device):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).to(device).train()
    layer.requires_grad_(False)
    # Query, key, value, output and the two of the MLP; scores and mixing of 9 x 9 pairs.
    expected = 2 * (9 * (4 * 16 * 16 + 2 * 16 * 32) + 2 * 9 * 9 * 16)
    for _ in range(2):
        assert count_flops(lambda: layer(torch.empty(1, 9, 16, device=device))) == expected
