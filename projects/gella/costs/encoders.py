"""Image and colormap encoders of LISA, GLaMM and GELLA, built on the meta device.

Attention is computed as plain matrix products ("eager"), so that a count does not depend on which
fused kernel PyTorch picks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import nn

from projects.gella.image_encoder import quiet
from workbench.costs.count import Component
from workbench.costs.ledger import COMPONENTS


@COMPONENTS.register_module()
def clip_vision(
    image_size: int,
    patch_size: int = 14,
    hidden_size: int = 1024,
    intermediate_size: int = 4096,
    num_hidden_layers: int = 24,
    num_attention_heads: int = 16,
) -> Component:
    """CLIP's vision transformer without its projection; the defaults are ViT-L/14.

    Source: arXiv 2103.00020, Table 20.

    Args:
        image_size: Side of the square input in pixels.
        patch_size: Side of a patch in pixels.
        hidden_size: Width.
        intermediate_size: Width inside the MLP.
        num_hidden_layers: Layers.
        num_attention_heads: Heads.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        image_size=image_size,
        patch_size=patch_size,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        attn_implementation="eager",
    )
    with quiet():
        model = CLIPVisionModel(config).eval()
    return Component(model, lambda: model(pixel_values=_picture((image_size, image_size))))


@COMPONENTS.register_module()
def sam_image_encoder(
    image_size: int = 1024,
    hidden_size: int = 1280,
    mlp_dim: int = 5120,
    num_hidden_layers: int = 32,
    num_attention_heads: int = 16,
    global_attn_indexes: Sequence[int] = (7, 15, 23, 31),
) -> Component:
    """SAM's image encoder; the defaults are ViT-H.

    Source: facebookresearch/segment-anything, ``build_sam.py``.

    Args:
        image_size: Side of the square input in pixels.
        hidden_size: Width.
        mlp_dim: Width inside the MLP.
        num_hidden_layers: Layers.
        num_attention_heads: Heads.
        global_attn_indexes: Layers that attend to the whole image, the others to windows of 14.
    """
    from transformers import SamVisionConfig, SamVisionModel

    config = SamVisionConfig(
        image_size=image_size,
        hidden_size=hidden_size,
        mlp_dim=mlp_dim,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        global_attn_indexes=list(global_attn_indexes),
        attn_implementation="eager",
    )
    with quiet():
        model = SamVisionModel(config).eval()
    return Component(model, lambda: model(_picture((image_size, image_size))))


@COMPONENTS.register_module()
def backbone(config: dict, size: Sequence[int]) -> Component:
    """Any backbone of MMDetection.

    Args:
        config: Its config.
        size: (height, width) of the input in pixels.
    """
    model = MODELS.build(ConfigDict(config))
    model.eval()
    return Component(model, lambda: model(_picture(size)))


@COMPONENTS.register_module()
def classifier(in_channels: int, num_classes: int) -> Component:
    """The fully connected layer on top of an image classifier, on one pooled feature."""
    layer = nn.Linear(in_channels, num_classes)
    return Component(layer, lambda: layer(torch.empty(1, in_channels)))


def _picture(size: Sequence[int]) -> torch.Tensor:
    return torch.empty(1, 3, *size)
