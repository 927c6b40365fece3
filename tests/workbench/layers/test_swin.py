"""The fused Swin Transformer against MMDetection's: maps, gradients, memory."""

from __future__ import annotations

import pytest
import torch

from workbench.layers import FusedSwinTransformer, swin

SMALL = dict(
    embed_dims=12, depths=(2, 2, 2, 2), num_heads=(1, 2, 3, 4), window_size=7, drop_path_rate=0.3
)


def pair(training: bool, **changes):
    """MMDetection's and ours with the same weights, none of them at a value that hides an error."""
    from mmdet.models.backbones import SwinTransformer

    torch.manual_seed(0)
    stock = SwinTransformer(**{**SMALL, **changes})
    for name, parameter in stock.named_parameters():
        scale = 1.0 if "bias_table" in name else 0.1
        parameter.data.add_(scale * torch.randn_like(parameter))
    ours = FusedSwinTransformer(**{**SMALL, **changes})
    ours.load_state_dict(stock.state_dict())
    for model in (stock, ours):
        model.train(training)
    return stock, ours


def assert_same(ours, stock) -> None:
    assert len(ours) == len(stock)
    for ours_item, stock_item in zip(ours, stock, strict=True):
        torch.testing.assert_close(ours_item, stock_item, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window_size": 4},
        {"out_indices": (1, 3), "patch_norm": False},
        {"qk_scale": 0.3, "qkv_bias": False, "mlp_ratio": 2},
        {"strides": (4, 2, 1, 2)},
    ],
)
@pytest.mark.parametrize("size", [(32, 32), (61, 95), (112, 224), (130, 33)])
def test_maps_are_mmdetections(changes, size, monkeypatch: pytest.MonkeyPatch) -> None:
    stock, ours = pair(training=False, **changes)
    images = torch.randn(2, 3, *size)
    expected = stock(images)
    assert_same(ours(images), expected)
    for values in (1, 5000):  # a window and two rows at a time; parts that cross images
        monkeypatch.setattr(swin, "CACHED_VALUES", values)
        with torch.no_grad():
            assert_same(ours(images), expected)


@pytest.mark.parametrize("with_cp", [False, True])
@pytest.mark.parametrize("size", [(61, 95), (112, 64)])
def test_gradients_are_mmdetections_in_training(size, with_cp) -> None:
    stock, ours = pair(training=True, with_cp=with_cp)
    images = torch.randn(2, 3, *size)
    results = []
    for model in (stock, ours):
        torch.manual_seed(1)  # whose branches are dropped
        inputs = images.clone().requires_grad_()
        maps = model(inputs)
        sum((level.square()).mean() for level in maps).backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None for gradient in gradients)
        results.append((*maps, inputs.grad, *gradients))
    assert_same(results[1], results[0])


def test_training_without_gradients_drops_branches_as_mmdetections() -> None:
    stock, ours = pair(training=True)
    images = torch.randn(3, 3, 64, 64)
    results = []
    for model in (stock, ours):
        torch.manual_seed(1)
        with torch.no_grad():
            results.append(model(images))
    assert_same(results[1], results[0])


def test_images_stay_as_they_are() -> None:
    ours = pair(training=False, patch_norm=False)[1]
    images = torch.randn(1, 3, 32, 32)
    before = images.clone()
    with torch.no_grad():
        ours(images)
    assert torch.equal(images, before)


def test_every_pixel_is_in_one_window() -> None:
    for shift, per_part in ((0, None), (3, 1), (3, 4)):
        parts = list(swin.split_into_windows((10, 16), 2, 7, shift, per_part))
        pixels = torch.cat([part.pixels for part in parts])
        assert torch.equal(pixels.sort().values, torch.arange(2 * 10 * 16))
        kinds = torch.cat([part.kinds for part in parts])
        assert kinds.tolist() == [0, 0, 1, 2, 2, 3] * 2
