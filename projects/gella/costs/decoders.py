"""Mask decoders of LISA, GLaMM and GELLA, and ResoBlend, built on the meta device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from torch import Tensor, nn

from projects.gella.image_encoder import quiet
from projects.gella.resoblend import ResoBlend
from workbench.costs.count import Component
from workbench.costs.ledger import COMPONENTS

STRIDES = (4, 8, 16, 32)


@COMPONENTS.register_module()
def mask2former_decoder(
    head: dict,
    in_channels: Sequence[int],
    size: Sequence[int],
    num_classes: int = 1,
    num_queries: int = 100,
) -> Component:
    """Mask2Former's pixel and transformer decoder on a pyramid of strides 4 to 32.

    Counted is MMDetection's, as published: every layer's masks at full size, though inference here
    (:mod:`workbench.layers`) makes the last layer's alone.

    Args:
        head: Config of a ``Mask2FormerHead`` or a class that takes its arguments.
        in_channels: Channels of the pyramid's levels, fine to coarse.
        size: (height, width) in pixels of the image that the pyramid belongs to.
        num_classes: Classes next to "no entity".
        num_queries: Queries.
    """
    config = {
        **head,
        "type": "Mask2FormerHead",
        "pixel_decoder": {**head["pixel_decoder"], "type": "MSDeformAttnPixelDecoder"},
        "in_channels": list(in_channels),
        "num_queries": num_queries,
        "num_things_classes": num_classes,
        "num_stuff_classes": 0,
        "loss_cls": {**head["loss_cls"], "class_weight": [1.0] * num_classes + [0.1]},
    }
    decoder = MODELS.build(ConfigDict(config))
    decoder.eval()
    return Component(decoder, lambda: decoder(_pyramid(in_channels, size), []))


@COMPONENTS.register_module()
def sam_mask_decoder(grid: int = 64, channels: int = 256) -> Component:
    """SAM's prompt encoder and mask decoder, prompted once by an embedding, as LISA does.

    Source: facebookresearch/segment-anything; dvlab-research/LISA, ``model/LISA.py`` (one
    ``text_embeds`` a mask).

    Args:
        grid: Side of the image embedding: 64 of 1024 pixels.
        channels: Its channels.
    """
    model = _PromptedDecoder()
    return Component(model, lambda: model(torch.empty(1, channels, grid, grid)))


@COMPONENTS.register_module()
def resoblend(
    image_channels: int,
    grid: int,
    mask_channels: Sequence[int],
    size: Sequence[int],
    out_channels: int = 256,
    channels: int = 256,
    heads: int = 8,
    query: str = "image",
) -> Component:
    """ResoBlend on CLIP's tokens and a colormap's pyramid (Eq. 14, 15).

    Args:
        image_channels: Width of the tokens.
        grid: Side of the token grid.
        mask_channels: Channels of the pyramid's levels, fine to coarse.
        size: (height, width) of the colormap in pixels.
        out_channels: Channels of each blended level.
        channels: Attention width.
        heads: Attention heads.
        query: Which reading of Eq. 14, see ``ResoBlend``.
    """
    module = ResoBlend(
        image_channels, mask_channels, out_channels, channels=channels, heads=heads, query=query
    )
    module.eval()
    tokens = (1, image_channels, grid, grid)
    return Component(module, lambda: module(torch.empty(tokens), _pyramid(mask_channels, size)))


def _pyramid(channels: Sequence[int], size: Sequence[int]) -> list[Tensor]:
    """Return empty levels (1, c, height / stride, width / stride)."""
    return [
        torch.empty(1, width, size[0] // stride, size[1] // stride)
        for width, stride in zip(channels, STRIDES, strict=True)
    ]


class _PromptedDecoder(nn.Module):
    """SAM without its image encoder."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import SamConfig, SamModel

        with quiet():
            sam = SamModel(SamConfig(attn_implementation="eager")).eval()
        self.prompt_encoder, self.mask_decoder = sam.prompt_encoder, sam.mask_decoder

    def forward(self, image: Tensor) -> Tensor:
        """Decode one mask of (1, C, h, w) image features: its logits (1, 1, 1, 4h, 4w)."""
        # An embedding is a prompt as it is; the encoder adds the constant "no mask" to the image.
        prompt = image.new_empty(1, 1, 1, image.shape[1])
        no_mask = self.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = no_mask.expand_as(image)
        masks, _ = self.mask_decoder(image, torch.empty_like(image), prompt, dense, False)
        return masks
