"""Backbones of released checkpoints: names, order of values, sizes.

Source: names as in facebookresearch/Mask2Former 9b0651c (``backbone/swin.py``) and detectron2's
ResNet; ours are MMDetection's. ImageNet's files have the same without ``backbone.``.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn

from workbench.conversion.name_map import NameMap, Rule
from workbench.conversion.release import RELEASES, Release, Tensors
from workbench.conversion.released_file import FIX
from workbench.errors import BadInput

PREFIX = "backbone."
CAFFE_NORM = "_bn_s"
RESNET_DEPTHS = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
_BLOCK = "backbone.layers.{i}.blocks.{j}"
_OUR_BLOCK = "backbone.stages.{i}.blocks.{j}"


def to_unfold_order(merged: Tensor) -> Tensor:
    """Reorder the last axis of a patch merging from the release's order to ours.

    Released: the pixels at (row, column) offsets (0, 0), (1, 0), (0, 1), (1, 1) one after the
    other, all channels of each; ours: channel by channel, offsets in reading order.

    Args:
        merged: (..., 4 C).
    """
    pixels = merged.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :]
    return pixels.transpose(-1, -2).flatten(-2)


def from_unfold_order(merged: Tensor) -> Tensor:
    """Undo :func:`to_unfold_order`."""
    pixels = merged.unflatten(-1, (-1, 4)).transpose(-1, -2)
    return pixels[..., [0, 2, 1, 3], :].flatten(-2)


SWIN_NAMES = NameMap(
    [
        Rule("backbone.patch_embed.proj.{rest}", "backbone.patch_embed.projection.{rest}"),
        Rule("backbone.patch_embed.norm.{rest}", "backbone.patch_embed.norm.{rest}"),
        Rule(f"{_BLOCK}.attn.{{rest}}", f"{_OUR_BLOCK}.attn.w_msa.{{rest}}"),
        Rule(f"{_BLOCK}.mlp.fc1.{{rest}}", f"{_OUR_BLOCK}.ffn.layers.0.0.{{rest}}"),
        Rule(f"{_BLOCK}.mlp.fc2.{{rest}}", f"{_OUR_BLOCK}.ffn.layers.1.{{rest}}"),
        Rule(f"{_BLOCK}.norm1.{{rest}}", f"{_OUR_BLOCK}.norm1.{{rest}}"),
        Rule(f"{_BLOCK}.norm2.{{rest}}", f"{_OUR_BLOCK}.norm2.{{rest}}"),
        Rule(
            "backbone.layers.{i}.downsample.{rest}",
            "backbone.stages.{i}.downsample.{rest}",
            to_unfold_order,
            from_unfold_order,
        ),
        *(Rule(f"backbone.norm{i}.{{rest}}", f"backbone.norm{i}.{{rest}}") for i in range(4)),
    ]
)


def _resnet_stage(stage: int) -> list[Rule]:
    released, ours = f"backbone.res{stage + 1}.{{i}}", f"backbone.layer{stage}.{{i}}"
    convs = [
        rule
        for conv in (1, 2, 3)
        for rule in (
            Rule(f"{released}.conv{conv}.norm.{{rest}}", f"{ours}.bn{conv}.{{rest}}"),
            Rule(f"{released}.conv{conv}.{{rest}}", f"{ours}.conv{conv}.{{rest}}"),
        )
    ]
    return [
        *convs,
        Rule(f"{released}.shortcut.norm.{{rest}}", f"{ours}.downsample.1.{{rest}}"),
        Rule(f"{released}.shortcut.{{rest}}", f"{ours}.downsample.0.{{rest}}"),
    ]


RESNET_NAMES = NameMap(
    [
        Rule("backbone.stem.conv1.norm.{rest}", "backbone.bn1.{rest}"),
        Rule("backbone.stem.conv1.{rest}", "backbone.conv1.{rest}"),
        *(rule for stage in (1, 2, 3, 4) for rule in _resnet_stage(stage)),
    ]
)
BACKBONE_NAMES = SWIN_NAMES + RESNET_NAMES


def backbone_config(templates: dict[str, Any], tensors: Tensors, path: Path) -> dict[str, Any]:
    """Return the config of the backbone that released tensors are of, without a start of its own.

    Args:
        templates: Configs of a ``swin`` and a ``resnet``, whose sizes are replaced.
        tensors: Named as the release does.
        path: Their file, for errors.

    Raises:
        BadInput: Neither a Swin nor a ResNet, or one of another kind.
    """
    if f"{PREFIX}patch_embed.proj.weight" in tensors:
        config = {**templates["swin"], **_swin_sizes(tensors, path)}
    elif f"{PREFIX}stem.conv1.weight" in tensors:
        config = {**templates["resnet"], "depth": _resnet_depth(tensors, path)}
    elif any(name.endswith(CAFFE_NORM) for name in tensors):
        problem = "Caffe's names: weights for BGR pictures, with the stride in the 1x1 convolutions"
        raise BadInput(path, "model", problem, "give torchvision's weights")
    else:
        fix = "only Swin and ResNet backbones are known"
        raise BadInput(path, "model", "neither patch_embed.proj nor stem.conv1 in it", fix)
    config.pop("init_cfg", None)
    return config


def count(tensors: Tensors, pattern: str) -> int:
    """Return how many values the group of a pattern takes among the names."""
    found = (re.match(pattern, name) for name in tensors)
    return len({match[1] for match in found if match})


def check_axes(axes: dict[str, int], tensors: Tensors, path: Path) -> None:
    """Refuse tensors, of which sizes are to be read, with another number of axes or no values.

    Raises:
        BadInput: There is such a tensor.
    """
    for name, wanted in axes.items():
        shape = tuple(tensors[name].shape)
        if len(shape) != wanted or 0 in shape:
            raise BadInput(path, name, f"shape {shape}, not of {wanted} axes", FIX)


def _swin_sizes(tensors: Tensors, path: Path) -> dict[str, Any]:
    stages = range(count(tensors, r"backbone\.layers\.(\d+)\."))
    names = [f"{PREFIX}layers.{i}.blocks.0.attn.relative_position_bias_table" for i in stages]
    first, hidden = f"{PREFIX}patch_embed.proj.weight", f"{PREFIX}layers.0.blocks.0.mlp.fc1.weight"
    needed = {first: 4, hidden: 2, **dict.fromkeys(names, 2)}
    missing = [name for name in needed if name not in tensors]
    if missing:
        problem = f"no Swin of the first version: {missing[0]} is missing"
        raise BadInput(path, "model", problem, "SwinV2 is not known; give a Swin")
    check_axes(needed, tensors, path)
    tables = [tensors[name] for name in names]
    width = len(tensors[first])
    return {
        "embed_dims": width,
        "depths": [
            count(tensors, rf"backbone\.layers\.{i}\.blocks\.(\d+)\.") for i in range(len(tables))
        ],
        "num_heads": [table.shape[1] for table in tables],
        "window_size": (math.isqrt(len(tables[0])) + 1) // 2,
        "mlp_ratio": len(tensors[hidden]) // width,
    }


def _resnet_depth(tensors: Tensors, path: Path) -> int:
    blocks = tuple(count(tensors, rf"backbone\.res{stage}\.(\d+)\.") for stage in (2, 3, 4, 5))
    if blocks not in RESNET_DEPTHS:
        known = ", ".join(f"ResNet-{depth}" for depth in RESNET_DEPTHS.values())
        raise BadInput(path, "model", f"a ResNet of {blocks} blocks", f"known are {known}")
    return RESNET_DEPTHS[blocks]


class _BackboneRelease(Release):
    """ImageNet's weights of a backbone, to start a training from.

    Args:
        backbones: See :func:`backbone_config`.
    """

    has_config = False

    def __init__(self, backbones: dict[str, Any]) -> None:
        self.backbones = backbones

    def modernise(self, tensors: Tensors) -> Tensors:
        return {PREFIX + name.removeprefix(PREFIX): value for name, value in tensors.items()}

    def fit(self, config: Config, tensors: Tensors, path: Path) -> None:
        config.model.backbone = backbone_config(self.backbones, tensors, path)

    def build(self, config: Config) -> nn.Module:
        model = nn.Module()
        config.model = config.model.backbone
        model.backbone = super().build(config)
        return model


@RELEASES.register_module()
class SwinRelease(_BackboneRelease):
    """Microsoft's Swin, ``{"model": ...}`` with the classifier, or detectron2's pickle of it.

    Detection adds a norm to the output of each stage, which the classifier does not have.
    """

    names = SWIN_NAMES
    unused = ("backbone.head.*", "backbone.norm.*", "*.attn_mask")
    optional = ("backbone.norm[0-3].*",)


@RELEASES.register_module()
class ResNetRelease(_BackboneRelease):
    """torchvision's ResNet, or detectron2's pickle of it."""

    names = RESNET_NAMES
    unused = ("backbone.fc.*", "backbone.stem.fc.*")

    def modernise(self, tensors: Tensors) -> Tensors:
        """Return detectron2's names: torchvision's are MMDetection's, which are ours."""
        modern = {}
        for name, value in super().modernise(tensors).items():
            found = self.names.to_released(name, value)
            known = found is not None and self.names.to_ours(name, value) is None
            modern[found[0] if found is not None and known else name] = value
        return modern
