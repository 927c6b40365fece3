"""Pixel decoder, attention and head against MMDetection's, with the same weights."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

import workbench.layers  # noqa: F401
from workbench.layers import pixel_decoder
from workbench.layers.deformable_attention import attend_levels, centres_of
from workbench.layers.positions import sine_positions

CHANNELS = [8, 12, 16, 20]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


def head_config(points: int = 4, pixel_layers: int = 2):
    config = Config.fromfile("configs/_base_/models/mask2former_mini.py").model.head
    config.update(in_channels=CHANNELS, num_queries=9)
    config.pixel_decoder.encoder.num_layers = pixel_layers
    config.pixel_decoder.encoder.layer_cfg.self_attn_cfg.num_points = points
    config.train_cfg.num_points = 64
    return config


@pytest.fixture
def heads():
    """Return MMDetection's head and ours with the same weights, none of them zero."""

    def build(**settings):
        torch.manual_seed(0)
        config = head_config(**settings)
        config.type, config.pixel_decoder.type = "Mask2FormerHead", "MSDeformAttnPixelDecoder"
        stock = MODELS.build(copy.deepcopy(config))
        stock.init_weights()
        with torch.no_grad():
            for parameter in stock.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        config.type, config.pixel_decoder.type = "FusedMask2FormerHead", "FusedPixelDecoder"
        ours = MODELS.build(config)
        assert list(ours.state_dict()) == list(stock.state_dict())
        ours.load_state_dict(stock.state_dict())
        return stock, ours

    return build


def pyramid(height: int, width: int, batch: int = 2) -> list[torch.Tensor]:
    """Draw maps of strides 4 to 32, sizes rounded up."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(batch, c, -(-height // s), -(-width // s), generator=generator)
        for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize("size", [(64, 96), (75, 41), (33, 130)])
@pytest.mark.parametrize("grad", [True, False])
def test_pixel_decoder_equals_stock(heads, size, grad, monkeypatch) -> None:
    monkeypatch.setattr(pixel_decoder, "TOKENS_AT_ONCE", {"cpu": 10})
    stock, ours = heads(points=3)
    features = pyramid(*size)
    with torch.set_grad_enabled(grad):
        found, wanted = ours.pixel_decoder(features), stock.pixel_decoder(features)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-4, rtol=1e-4)
    for ours_map, stock_map in zip(found[1], wanted[1], strict=True):
        torch.testing.assert_close(ours_map, stock_map, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(64, 96), (75, 41)])
def test_head_equals_stock_in_every_layer(heads, size) -> None:
    stock, ours = heads()
    features = pyramid(*size)
    with torch.no_grad():
        found, wanted = (
            ours.double()([f.double() for f in features]),
            stock.double()([f.double() for f in features], []),
        )
    for ours_list, stock_list in zip(found, wanted, strict=True):
        for our, their in zip(ours_list, stock_list, strict=True):
            torch.testing.assert_close(our, their, atol=1e-9, rtol=1e-9)


def test_last_layer_alone_is_the_last_of_all(heads) -> None:
    _, ours = heads()
    pixels = ours.pixel_features(pyramid(64, 96, batch=4), num_views=2)
    queries = ours.learned_queries(2)
    every, last = (ours.decode(*queries, pixels, every_layer=flag) for flag in (True, False))
    assert len(last.mask_logits) == len(last.class_logits) == 1
    assert torch.equal(last.mask_logits[0], every.mask_logits[-1])
    assert torch.equal(last.class_logits[0], every.class_logits[-1])


def test_losses_and_gradients_equal_stock(heads) -> None:
    stock, ours = heads()
    features = pyramid(64, 96)
    masks = torch.zeros(2, 64, 96, dtype=torch.long)
    masks[0, :30], masks[1, 30:, 40:] = 1, 1
    losses = []
    for head in (stock, ours):
        torch.manual_seed(3)
        truth = [InstanceData(labels=torch.zeros(2, dtype=torch.long), masks=masks)] * 2
        found = head.loss_by_feat(*head(features, [DetDataSample()] * 2), truth, [{}, {}])
        sum(found.values()).backward()
        losses.append(found)
    for name, loss in losses[0].items():
        torch.testing.assert_close(losses[1][name], loss, atol=1e-5, rtol=1e-5)
    for (name, their), our in zip(stock.named_parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(our.grad, their.grad, atol=1e-4, rtol=1e-3, msg=name)


def test_positions_are_those_of_a_map_without_padding(heads) -> None:
    encoding = heads()[0].decoder_positional_encoding
    wanted = encoding(torch.zeros(1, 5, 7, dtype=torch.bool))[0].flatten(1).T
    assert torch.equal(sine_positions(encoding, (5, 7), torch.zeros(1)), wanted)


def test_attention_equals_the_module_it_runs(heads) -> None:
    attention = heads()[0].pixel_decoder.encoder.layers[0].self_attn
    sizes = [(2, 3), (4, 5), (7, 9)]
    pixels = sum(height * width for height, width in sizes)
    tokens = torch.randn(2, pixels, attention.embed_dims)
    centres = centres_of(sizes, tokens)
    wanted = attention(
        tokens,
        reference_points=centres[None, :, None].expand(2, -1, 3, -1),
        spatial_shapes=torch.tensor(sizes),
        level_start_index=torch.tensor([0, 6, 26]),
    )
    found = attend_levels(attention, tokens, centres, attention.value_proj(tokens), sizes)
    torch.testing.assert_close(tokens + found, wanted, atol=1e-4, rtol=1e-4)


def test_cuda_without_kernel_falls_back_with_one_warning(heads, monkeypatch) -> None:
    """Acted out on the CPU: the tensors say that they are on CUDA, mmcv has no compiled kernel."""
    from workbench.layers import deformable_attention

    attention = heads()[0].pixel_decoder.encoder.layers[0].self_attn
    sizes = [(2, 3), (4, 5), (7, 9)]
    tokens = torch.randn(1, 89, attention.embed_dims)
    given = (attention, tokens, centres_of(sizes, tokens), attention.value_proj(tokens), sizes)
    wanted = attend_levels(*given)
    deformable_attention._warn_of_missing_kernel.cache_clear()
    monkeypatch.setattr(deformable_attention, "has_compiled_ops", lambda: False)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    with pytest.warns(UserWarning, match="make ops") as warned:
        for _ in range(2):
            torch.testing.assert_close(attend_levels(*given), wanted, atol=1e-4, rtol=1e-4)
    assert len(warned) == 1
