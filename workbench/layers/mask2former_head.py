"""Mask2Former's head over one or several views of an image, by fused attention.

Letters: B images, T views of each, N queries, C width, (h, w) size of a map, L = h w.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.registry import MODELS
from torch import Tensor

from workbench.layers.attention import decode_layer
from workbench.layers.positions import sine_positions


class PixelFeatures(NamedTuple):
    """What the pixel decoder says about the views of a batch.

    Attributes:
        mask_features: (B, T, C, h, w) stride-4 features that queries are compared with.
        memories: Per level, coarse to fine, (B, T, L, C): what queries attend to.
        positions: Per level (L, C) sine position of each pixel.
        compared: Per level (B, T, C, L) mask features at the level's size, without gradients: what
            decides where a query may look.
    """

    mask_features: Tensor
    memories: list[Tensor]
    positions: list[Tensor]
    compared: list[Tensor]

    def each_view_alone(self) -> PixelFeatures:
        """Return the same features with every view as an image of its own: (B T, 1, ...)."""
        return PixelFeatures(
            self.mask_features.flatten(0, 1)[:, None],
            [memory.flatten(0, 1)[:, None] for memory in self.memories],
            self.positions,
            [compared.flatten(0, 1)[:, None] for compared in self.compared],
        )


class Decoded(NamedTuple):
    """Output of a decoder pass, one entry a layer, the undecoded queries first.

    Attributes:
        class_logits: Each (B, N, classes + 1), the last for no entity.
        mask_logits: Each (B, N, T, h, w).
        queries: (B, N, C) after the last layer, before the norm of the prediction head.
    """

    class_logits: list[Tensor]
    mask_logits: list[Tensor]
    queries: Tensor


@MODELS.register_module()
class FusedMask2FormerHead(Mask2FormerHead):
    """``Mask2FormerHead`` with the same arguments, parameters, outputs and losses.

    Where a query may look is read from mask features at the size of the attended level: resizing
    is linear, so they give what resized masks give, and masks are made only for layers whose masks
    are asked for.
    """

    def forward(
        self, x: list[Tensor], batch_data_samples: Any = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return class logits (B, N, classes + 1) and mask logits (B, N, h, w) of every layer."""
        pixels = self.pixel_features(x, num_views=1)
        decoded = self.decode(*self.learned_queries(len(x[0])), pixels)
        return decoded.class_logits, [masks[:, :, 0] for masks in decoded.mask_logits]

    def pixel_features(self, features: list[Tensor], num_views: int) -> PixelFeatures:
        """Run the pixel decoder on all views at once.

        Args:
            features: Backbone maps, fine to coarse, each (B T, c, h, w).
            num_views: T.
        """
        mask_features, maps = self.pixel_decoder(features)
        memories, positions, compared = [], [], []
        for level in range(self.num_transformer_feat_level):
            size = (maps[level].shape[-2], maps[level].shape[-1])
            memory = self.decoder_input_projs[level](maps[level]).flatten(2).transpose(1, 2)
            memory = memory + self.level_embed.weight[level]
            resized = F.interpolate(
                mask_features.detach(), size, mode="bilinear", align_corners=False
            )
            memories.append(memory.unflatten(0, (-1, num_views)))
            positions.append(sine_positions(self.decoder_positional_encoding, size, memory))
            compared.append(resized.flatten(2).unflatten(0, (-1, num_views)))
        return PixelFeatures(
            mask_features.unflatten(0, (-1, num_views)), memories, positions, compared
        )

    def learned_queries(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return learned query features and positions, each (B, N, C)."""
        return (
            self.query_feat.weight.expand(batch_size, -1, -1),
            self.query_embed.weight.expand(batch_size, -1, -1),
        )

    def view_codes(self, num_views: int, like: Tensor) -> Tensor:
        """Return what is added to the pixel positions of each view, (T, C): nothing."""
        return like.new_zeros(num_views, self.decoder_embed_dims)

    def decode(
        self,
        queries: Tensor,
        query_positions: Tensor,
        pixels: PixelFeatures,
        every_layer: bool = True,
    ) -> Decoded:
        """Refine queries on the pixels of all views and predict from them.

        Args:
            queries: (B, N, C).
            query_positions: (B, N, C).
            pixels: Features of T views.
            every_layer: Predict from all layers, as losses need it, or from the last alone.
        """
        refined = self.refine(queries, query_positions, pixels)
        read = refined if every_layer else refined[-1:]
        predicted = [self.predict_from_queries(one, pixels.mask_features) for one in read]
        class_logits, mask_logits = zip(*predicted, strict=True)
        return Decoded(list(class_logits), list(mask_logits), refined[-1])

    def refine(
        self, queries: Tensor, query_positions: Tensor, pixels: PixelFeatures
    ) -> list[Tensor]:
        """Return queries (B, N, C) before the first and after each layer."""
        codes = self.view_codes(pixels.mask_features.shape[1], pixels.mask_features)
        values = [memory.flatten(1, 2) for memory in pixels.memories]
        keys = [
            (memory + (position + codes[:, None])).flatten(1, 2)
            for memory, position in zip(pixels.memories, pixels.positions, strict=True)
        ]
        refined = [queries]
        for index, layer in enumerate(self.transformer_decoder.layers):
            level = index % self.num_transformer_feat_level
            allowed = self._allowed(queries, pixels.compared[level])
            queries = decode_layer(
                layer, queries, query_positions, keys[level], values[level], allowed
            )
            refined.append(queries)
        return refined

    def predict_from_queries(self, queries: Tensor, mask_features: Tensor) -> tuple[Tensor, Tensor]:
        """Predict classes and masks.

        Args:
            queries: (B, N, C).
            mask_features: (B, T, C, h, w).

        Returns:
            Class logits (B, N, classes + 1) and mask logits (B, N, T, h, w).
        """
        normed = self.transformer_decoder.post_norm(queries)
        # View by view: one product over all views would first copy their features.
        logits = self.mask_embed(normed)[:, None] @ mask_features.flatten(3)
        size = mask_features.shape[-2:]
        return self.cls_embed(normed), logits.unflatten(3, size).transpose(1, 2)

    @torch.no_grad()
    def _allowed(self, queries: Tensor, compared: Tensor) -> Tensor:
        """Return (B, N, T L) bool: the pixels of a query's own mask, or all if it has none."""
        embedded = self.mask_embed(self.transformer_decoder.post_norm(queries))
        inside = (embedded[:, None] @ compared >= 0).transpose(1, 2).flatten(2)
        return inside.logical_or_(~inside.any(-1, keepdim=True))
