"""Mask2Former's pixel decoder: the same numbers as MMDetection's, in less time and memory.

Letters: B images, L pixels of all encoder levels, C width, (h, w) size of a map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet.models.layers import MSDeformAttnPixelDecoder
from mmdet.models.layers.transformer import (
    DeformableDetrTransformerEncoderLayer,
)
from mmdet.registry import MODELS
from torch import Tensor

from workbench.layers.deformable_attention import attend_levels, centres_of
from workbench.layers.deformable_sampling import Sizes
from workbench.layers.positions import sine_positions

# Tokens that pass a layer at once when nothing is kept for gradients, by device: its feed-forward
# network is four times as wide as its input. What stays in a CPU's caches is fast; GPUs want many.
TOKENS_AT_ONCE = {"cpu": 4096, "cuda": 65536}


@MODELS.register_module()
class FusedPixelDecoder(MSDeformAttnPixelDecoder):
    """``MSDeformAttnPixelDecoder`` with the same arguments, parameters and outputs.

    It takes pictures as they are, without padding, as the base class does, and so needs no masks;
    without gradients a layer is applied to some thousand pixels at a time.
    """

    def forward(self, feats: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Decode a pyramid.

        Args:
            feats: Maps of the backbone, fine to coarse, each (B, c, h, w).

        Returns:
            Mask features (B, C, h, w) of the finest level, and ``num_outs`` maps, coarse to fine.
        """
        # Tokens are pixels of a channels-last map as they are, and resizing wants such maps.
        feats = [one.contiguous(memory_format=torch.channels_last) for one in feats]
        encoded = feats[: -self.num_encoder_levels - 1 : -1]
        maps = self._encode(encoded)
        # Laterals go on from the finest encoded level, in the order of their modules.
        laterals = feats[: self.num_input_levels - self.num_encoder_levels][::-1]
        for feature, lateral, output in zip(
            laterals, self.lateral_convs, self.output_convs, strict=True
        ):
            coarse = F.interpolate(
                maps[-1], size=feature.shape[-2:], mode="bilinear", align_corners=False
            )
            maps.append(output(lateral(feature).add_(coarse)))
        return self.mask_feature(maps[-1]), maps[: self.num_outs]

    def _encode(self, features: list[Tensor]) -> list[Tensor]:
        """Return the maps (B, C, h, w) of the encoder for maps of the backbone, coarse to fine."""
        sizes: Sizes = [(one.shape[-2], one.shape[-1]) for one in features]
        projected = [conv(one) for conv, one in zip(self.input_convs, features, strict=True)]
        tokens = torch.cat([one.flatten(2).transpose(1, 2) for one in projected], dim=1)
        positions = torch.cat(
            [
                sine_positions(self.postional_encoding, size, tokens) + level
                for size, level in zip(sizes, self.level_encoding.weight, strict=True)
            ]
        )
        centres = centres_of(sizes, tokens)
        for layer in self.encoder.layers:
            tokens = _encode_layer(layer, tokens, positions, centres, sizes)
        split = tokens.split([height * width for height, width in sizes], dim=1)
        return [
            one.transpose(1, 2).unflatten(2, size) for one, size in zip(split, sizes, strict=True)
        ]


def _encode_layer(
    layer: DeformableDetrTransformerEncoderLayer,
    tokens: Tensor,
    positions: Tensor,
    centres: Tensor,
    sizes: Sizes,
) -> Tensor:
    """Run one encoder layer on tokens (B, L, C)."""
    value = layer.self_attn.value_proj(tokens)
    step = len(positions)
    if not torch.is_grad_enabled():
        step = TOKENS_AT_ONCE.get(tokens.device.type, step)
    pieces = zip(tokens.split(step, dim=1), positions.split(step), centres.split(step), strict=True)
    done = []
    for piece, position, centre in pieces:
        seen = attend_levels(layer.self_attn, piece + position, centre, value, sizes)
        done.append(layer.norms[1](layer.ffn(layer.norms[0](piece + seen))))
    return torch.cat(done, dim=1)
