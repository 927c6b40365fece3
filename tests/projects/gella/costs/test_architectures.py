"""Public counts of the architectures, and FLOPs of narrow ones worked out by hand."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch.utils.flop_counter import FlopCounterMode

from projects.gella.costs.decoders import mask2former_decoder, resoblend, sam_mask_decoder
from projects.gella.costs.encoders import backbone, classifier, clip_vision, sam_image_encoder
from projects.gella.costs.language import linear_layers, llama
from workbench.costs.count import Count
from workbench.engine.meta import on_meta_device

CONFIG = Path(__file__).parents[4] / "configs" / "paper" / "gella" / "costs.py"
MOBILENET = {"type": "MobileNetV2", "out_indices": (1, 2, 4, 7), "init_cfg": []}


def counted(build, *args, **kwargs) -> Count:
    with on_meta_device():
        return Count(build(*args, **kwargs))


@pytest.fixture(scope="module")
def head() -> dict:
    return Config.fromfile(str(CONFIG), import_custom_modules=False).components.mask_decoder.head


@pytest.mark.parametrize(("size", "parameters"), [("7B", 6_738_415_616), ("13B", 13_015_864_320)])
def test_llama_has_its_public_size(size, parameters):
    assert counted(llama, size, {"all": 1}).parameters == parameters


@pytest.mark.parametrize(("size", "parameters"), [(224, 303_179_776), (336, 303_507_456)])
def test_clip_vision_has_its_public_size(size, parameters):
    """Of openai/clip-vit-large-patch14 and -336, vision part without projection (1024 x 768)."""
    assert counted(clip_vision, size).parameters == parameters


def test_sam_has_its_public_size():
    """641,090,608 in the original, whose 2 x 128 position frequencies are a buffer."""
    encoder, rest = counted(sam_image_encoder), counted(sam_mask_decoder)
    assert encoder.parameters == 637_026_048
    assert encoder.parameters + rest.parameters - 2 * 128 == 641_090_608


def test_mobilenet_has_its_public_size():
    """3,504,872 with the classifier; 300 million multiply-adds at 224 px (arXiv 1801.04381)."""
    encoder, top = counted(backbone, MOBILENET, (224, 224)), counted(classifier, 1280, 1000)
    assert encoder.parameters == 2_223_872
    assert encoder.parameters + top.parameters == 3_504_872
    assert encoder.multiply_adds + top.multiply_adds == pytest.approx(300e6, rel=0.01)


def test_mask2former_has_its_public_size(head):
    """44 M with ResNet-50 (23.5 M), 216 M with Swin-L (195.2 M) (arXiv 2112.01527, Table 1)."""
    channels = [256, 512, 1024, 2048]
    coco = counted(mask2former_decoder, head, channels, (64, 64), num_classes=133)
    assert coco.parameters + 23_508_032 == pytest.approx(44.0e6, rel=0.01)
    swin = [192, 384, 768, 1536]
    large = counted(mask2former_decoder, head, swin, (64, 64), num_classes=133, num_queries=200)
    assert large.parameters + 195_201_204 == pytest.approx(216e6, rel=0.01)


def test_llama_flops_by_hand():
    narrow = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
              "num_attention_heads": 2}  # fmt: skip
    n, layers, vocabulary = 5, 2, 16

    def one_pass(n: int) -> int:
        layer = n * (4 * 8 * 8 + 3 * 8 * 12) + 2 * n * n * 8
        return 2 * (layers * layer + n * 8 * vocabulary)

    assert counted(llama, narrow, {"image": 2, "text": 3}, 1, vocabulary).flops == one_pass(n)
    without_cache = counted(llama, narrow, {"all": n}, 3, vocabulary).flops
    assert without_cache == one_pass(5) + one_pass(6) + one_pass(7)


def test_clip_flops_by_hand():
    narrow = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 3,
              "num_attention_heads": 2}  # fmt: skip
    tokens = 4 * 4 + 1
    layer = tokens * (4 * 8 * 8 + 2 * 8 * 16) + 2 * tokens * tokens * 8
    patches = 16 * 3 * 14 * 14 * 8
    assert counted(clip_vision, 56, **narrow).flops == 2 * (3 * layer + patches)


def test_linear_layers_by_hand():
    layers = counted(linear_layers, [4, 6, 2], tokens=3)
    assert layers.parameters == 4 * 6 + 6 + 6 * 2 + 2
    assert layers.multiply_adds == 3 * (4 * 6 + 6 * 2)


def test_resoblend_by_hand():
    """Tokens ask: 4 of width 8, levels of 64, 16, 4 and 1 places with 3 channels."""
    blend = counted(resoblend, 8, 2, [3] * 4, (32, 32), out_channels=5, channels=4, heads=1)
    own = 4 * (3 * 8 * 4) + 2 * 4 * 4 * 4 + 4 * 4 * 8
    levels = 0
    for places in (64, 16, 4, 1):
        levels += 4 * 8 * 4 + 2 * places * 3 * 4 + 2 * 4 * places * 4 + 4 * 4 * 8
        levels += 2 * (4 * 8 * 16) + 4 * 9 * 8 * 5
    assert blend.multiply_adds == own + levels
    assert blend.parameters > 0


def test_mask_decoder_is_counted_like_a_real_one_and_its_sampling(head):
    """What keeps sizes readable on the meta device changes no count.

    Each of 6 layers samples 3 levels at 4 points, 256 channels in all, for each of its places.
    """
    arguments = (head, [16, 16, 16, 16], (64, 96))
    real = mask2former_decoder(*arguments)
    real.module.requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as without_sampling:
        real.run()
    places = 8 * 12 + 4 * 6 + 2 * 3
    sampling = 2 * 4 * (6 * places * 3 * 4 * 256)
    on_meta = counted(mask2former_decoder, *arguments)
    assert on_meta.flops == without_sampling.get_total_flops() + sampling
    assert on_meta.parameters == Count(real).parameters


def test_size_of_the_image_decides_the_cost_of_resoblend_that_asks_from_the_colormap():
    small, large = (
        counted(resoblend, 8, 2, [3] * 4, size, 5, 4, 1, "mask").flops
        for size in ((32, 32), (64, 64))
    )
    assert large > 3 * small
