"""Sums of weighted bilinear samples: parity with mmcv's PyTorch path, gradients, broken input."""

import pytest
import torch

from workbench.layers import deformable_sampling
from workbench.layers.deformable_sampling import sample_levels


def draw(sizes, batch=2, queries=7, heads=3, dims=4, points=2, spread=1.4, dtype=torch.float):
    """Draw values, places partly outside of the maps, and weights."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, queries, heads, len(sizes), points)
    pixels = sum(height * width for height, width in sizes)
    value = torch.randn(batch, pixels, heads, dims, generator=generator, dtype=dtype)
    fractions = torch.rand(*shape, 2, generator=generator, dtype=dtype)
    locations = (fractions - 0.5) * spread + 0.5
    weights = torch.rand(shape, generator=generator, dtype=dtype)
    return value, locations, weights


def places(locations, sizes):
    lengths = torch.tensor([size[::-1] for size in sizes])[:, None]
    return (locations * lengths - 0.5).unbind(-1)


def mmcv_path(value, locations, weights, sizes):
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, torch.tensor(sizes), locations, weights)


@pytest.mark.parametrize("sizes", [[(1, 1)], [(5, 7), (3, 2)], [(2, 9), (11, 4), (1, 6)]])
@pytest.mark.parametrize("points", [1, 4])
@pytest.mark.parametrize("at_once", [3, 1000])
def test_equals_mmcv_with_gradients(sizes, points, at_once, monkeypatch) -> None:
    monkeypatch.setattr(deformable_sampling, "QUERIES_AT_ONCE", at_once)
    drawn = draw(sizes, points=points, dtype=torch.double)
    ours = [part.clone().requires_grad_() for part in drawn]
    theirs = [part.clone().requires_grad_() for part in drawn]
    value, locations, weights = ours
    found = sample_levels(value, sizes, *places(locations, sizes), weights)
    wanted = mmcv_path(*theirs, sizes)
    torch.testing.assert_close(found, wanted)
    upstream = torch.randn_like(wanted)
    found.backward(upstream)
    wanted.backward(upstream)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our.grad, their.grad)


def test_float32_is_as_exact_as_mmcv() -> None:
    sizes = [(13, 17), (26, 34)]
    value, locations, weights = draw(sizes, queries=200, heads=8, dims=32, points=4)
    found = sample_levels(value, sizes, *places(locations, sizes), weights)
    torch.testing.assert_close(
        found, mmcv_path(value, locations, weights, sizes), atol=1e-4, rtol=0
    )


def test_gradients_are_those_of_differences() -> None:
    sizes = [(4, 5), (2, 3)]
    value, locations, weights = draw(sizes, batch=1, queries=3, heads=2, dtype=torch.double)
    columns, rows = places(locations, sizes)
    leaves = [part.contiguous().requires_grad_() for part in (value, columns, rows, weights)]

    def sampled(value, columns, rows, weights):
        return sample_levels(value, sizes, columns, rows, weights)

    assert torch.autograd.gradcheck(sampled, leaves)


def test_a_pixel_is_read_as_it_is_and_outside_is_zero() -> None:
    """On a 2 x 3 map of 0 to 5: its pixel (1, 2) is 5, half-way to the border 2.5, beyond it 0."""
    value = torch.arange(6.0).view(1, 6, 1, 1)
    columns = torch.tensor([2.0, 2.5, 3.0, 1e6]).view(1, 4, 1, 1, 1)
    rows = torch.ones_like(columns)
    found = sample_levels(value, [(2, 3)], columns, rows, torch.ones_like(rows))
    assert found.flatten().tolist() == [5, 2.5, 0, 0]


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_places_that_are_no_numbers_read_nothing_else(broken) -> None:
    sizes = [(2, 3), (4, 4)]
    value, locations, weights = draw(sizes)
    columns, rows = (part.clone() for part in places(locations, sizes))
    whole = sample_levels(value, sizes, columns, rows, weights)
    columns[0, 0] = rows[0, 0] = broken
    found = sample_levels(value, sizes, columns, rows, weights)
    torch.testing.assert_close(found[:, 1:], whole[:, 1:])
