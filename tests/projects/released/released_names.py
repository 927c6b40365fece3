"""Names and shapes of released checkpoints, written down from the authors' modules.

Source: facebookresearch/Mask2Former 9b0651c and qqlu/Entity d67e36f, module by module; not derived
from our tables.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def attention(name: str, width: int) -> Shapes:
    return {
        f"{name}.in_proj_weight": (3 * width, width),
        f"{name}.in_proj_bias": (3 * width,),
        **linear(f"{name}.out_proj", width, width),
    }


def swin(width: int, depths: list[int], heads: list[int], window: int) -> Shapes:
    """Tensors of D2SwinTransformer without the prefix ``backbone.``."""
    shapes = {"patch_embed.proj.weight": (width, 3, 4, 4), "patch_embed.proj.bias": (width,)}
    shapes |= norm("patch_embed.norm", width)
    for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
        channels = width * 2**stage
        for block in range(depth):
            name = f"layers.{stage}.blocks.{block}"
            shapes |= norm(f"{name}.norm1", channels) | norm(f"{name}.norm2", channels)
            shapes |= {
                f"{name}.attn.relative_position_bias_table": ((2 * window - 1) ** 2, count),
                f"{name}.attn.relative_position_index": (window**2, window**2),
            }
            shapes |= linear(f"{name}.attn.qkv", channels, 3 * channels)
            shapes |= linear(f"{name}.attn.proj", channels, channels)
            shapes |= linear(f"{name}.mlp.fc1", channels, 4 * channels)
            shapes |= linear(f"{name}.mlp.fc2", 4 * channels, channels)
        if stage + 1 < len(depths):
            shapes |= norm(f"layers.{stage}.downsample.norm", 4 * channels)
            shapes[f"layers.{stage}.downsample.reduction.weight"] = (2 * channels, 4 * channels)
        shapes |= norm(f"norm{stage}", channels)
    return shapes


def resnet50() -> Shapes:
    """Tensors of detectron2's ResNet-50 with frozen batch norm, without ``backbone.``."""

    def conv(name: str, inputs: int, outputs: int, side: int) -> Iterator[tuple[str, tuple]]:
        yield f"{name}.weight", (outputs, inputs, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.norm.{part}", (outputs,)

    shapes: Shapes = dict(conv("stem.conv1", 3, 64, 7))
    inputs = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], start=2):
        for block in range(blocks):
            name = f"res{stage}.{block}"
            shapes |= conv(f"{name}.conv1", inputs, width, 1)
            shapes |= conv(f"{name}.conv2", width, width, 3)
            shapes |= conv(f"{name}.conv3", width, 4 * width, 1)
            if block == 0:
                shapes |= conv(f"{name}.shortcut", inputs, 4 * width, 1)
            inputs = 4 * width
    return shapes


def pixel_decoder(channels: list[int], width: int, layers: int, hidden: int = 1024) -> Shapes:
    shapes: Shapes = {}
    for place, inputs in enumerate(channels[:0:-1]):
        shapes |= {
            f"input_proj.{place}.0.weight": (width, inputs, 1, 1),
            f"input_proj.{place}.0.bias": (width,),
        }
        shapes |= norm(f"input_proj.{place}.1", width)
    shapes["transformer.level_embed"] = (3, width)
    for layer in range(layers):
        name = f"transformer.encoder.layers.{layer}"
        shapes |= linear(f"{name}.self_attn.sampling_offsets", width, 8 * 3 * 4 * 2)
        shapes |= linear(f"{name}.self_attn.attention_weights", width, 8 * 3 * 4)
        shapes |= linear(f"{name}.self_attn.value_proj", width, width)
        shapes |= linear(f"{name}.self_attn.output_proj", width, width)
        shapes |= linear(f"{name}.linear1", width, hidden) | linear(
            f"{name}.linear2", hidden, width
        )
        shapes |= norm(f"{name}.norm1", width) | norm(f"{name}.norm2", width)
    shapes |= {"mask_features.weight": (width, width, 1, 1), "mask_features.bias": (width,)}
    shapes |= {
        "adapter_1.weight": (width, channels[0], 1, 1),
        "layer_1.weight": (width, width, 3, 3),
    }
    return shapes | norm("adapter_1.norm", width) | norm("layer_1.norm", width)


def decoder(
    width: int, layers: int, queries: int, classes: int, hidden: int = 2048, views: bool = False
) -> Shapes:
    """Tensors of the transformer decoder, with ``views`` of CropFormer's."""
    shapes: Shapes = {}
    for layer in range(layers):
        cross = f"transformer_cross_attention_layers.{layer}"
        self_, ffn = f"transformer_self_attention_layers.{layer}", f"transformer_ffn_layers.{layer}"
        shapes |= attention(f"{cross}.multihead_attn", width) | norm(f"{cross}.norm", width)
        shapes |= attention(f"{self_}.self_attn", width) | norm(f"{self_}.norm", width)
        shapes |= linear(f"{ffn}.linear1", width, hidden) | linear(f"{ffn}.linear2", hidden, width)
        shapes |= norm(f"{ffn}.norm", width)
    if views:
        cross, self_, ffn = (f"make_3d.enc_{part}_3d.0" for part in ("crosattn", "selfattn", "ffn"))
        shapes |= attention(f"{cross}.multihead_attn", width) | norm(f"{cross}.norm", width)
        shapes |= attention(f"{self_}.self_attn", width) | norm(f"{self_}.norm", width)
        shapes |= linear(f"{ffn}.linear1", width, hidden) | linear(f"{ffn}.linear2", hidden, width)
        shapes |= norm(f"{ffn}.norm", width)
    shapes |= norm("decoder_norm", width) | linear("class_embed", width, classes + 1)
    shapes |= {"query_feat.weight": (queries, width), "query_embed.weight": (queries, width)}
    shapes["level_embed.weight"] = (3, width)
    for layer in range(3):
        shapes |= linear(f"mask_embed.layers.{layer}", width, width)
    return shapes


def prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def model(backbone: Shapes, channels: list[int], classes: int = 1, **sizes: int) -> Shapes:
    """Tensors of a whole released model at the released sizes, or at those that are given."""
    width, layers = sizes.get("width", 256), sizes.get("layers", 9)
    views = bool(sizes.get("views", False))
    hidden = sizes.get("hidden", 2048)
    predictor = decoder(width, layers, sizes.get("queries", 100), classes, hidden, views)
    pixels = pixel_decoder(
        channels, width, sizes.get("encoder_layers", 6), sizes.get("encoder_hidden", 1024)
    )
    criteria = ["criterion_2d", "criterion_3d"] if views else ["criterion"]
    return (
        prefixed("backbone.", backbone)
        | prefixed("sem_seg_head.pixel_decoder.", pixels)
        | prefixed("sem_seg_head.predictor.", predictor)
        | {f"{name}.empty_weight": (classes + 1,) for name in criteria}
    )


def position_index(window: int) -> Tensor:
    """Return the index of each pair of a window's pixels into the table of biases."""
    rows, columns = (
        axis.flatten() for axis in torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij")
    )
    dy, dx = rows[:, None] - rows[None], columns[:, None] - columns[None]
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


def drawn(shapes: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Draw values: small, variances positive, indices of windows as they are in releases."""
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * 0.1
        if name.endswith("relative_position_index"):
            value = position_index(round(shape[0] ** 0.5))
        elif name.endswith("running_var"):
            value = value.abs() + 0.5
        values[name] = value
    return values


def small_swin() -> Shapes:
    return swin(16, [2, 2, 2, 2], [2, 2, 4, 4], window=5)


def small(classes: int = 1, views: bool = False) -> Shapes:
    """A model of the released structure with a few hundred thousand numbers."""
    return model(
        small_swin(),
        [16, 32, 64, 128],
        classes,
        width=32,
        layers=3,
        queries=12,
        hidden=64,
        encoder_layers=2,
        encoder_hidden=48,
        views=views,
    )
