"""VITA on the views of an image: clip-level queries gather the queries of single frames.

Source: Heo et al., "VITA: Video Instance Segmentation via Object Token Association", NeurIPS 2022
(arXiv 2206.04403), with views in the place of frames. The windows of its encoder span six frames;
five views fit into one, so plain self-attention over all frame queries is the same thing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.models.layers import DetrTransformerEncoder, Mask2FormerTransformerDecoder
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.structures import InstanceData
from torch import Tensor, nn

from projects.cropformer import MultiViewHead
from projects.cropformer.cropformer_head import entities_per_view
from projects.cropformer.multi_view_head import Losses
from workbench.engine.ranks import weight_among_ranks
from workbench.layers import Decoded, PixelFeatures


class VITAOutput(NamedTuple):
    """Frame-level (B T images of one view) and clip-level (B images) predictions.

    Attributes:
        frame: Predictions of every view alone.
        clip: Predictions for all views, one entry a clip decoder layer.
        frame_tokens: (B, T N, C) projected frame queries, for the similarity loss.
        clip_tokens: (B, N, C) projected clip queries.
    """

    frame: Decoded
    clip: Decoded
    frame_tokens: Tensor
    clip_tokens: Tensor


@MODELS.register_module()
class VITAHead(MultiViewHead):
    """Decode each view alone, then decode clip queries from the frame queries only.

    Args:
        clip_encoder: ``DetrTransformerEncoder`` config over frame queries.
        clip_decoder: ``Mask2FormerTransformerDecoder`` config from clip to frame queries.
        frame_loss_weight: Factor on the frame-level losses.
        similarity_loss_weight: Factor on the similarity loss; 0.5 in VITA.
        kwargs: Arguments of :class:`MultiViewHead`.
    """

    def __init__(
        self,
        clip_encoder: ConfigType,
        clip_decoder: ConfigType,
        frame_loss_weight: float = 1.0,
        similarity_loss_weight: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dims = self.decoder_embed_dims
        self.frame_loss_weight = frame_loss_weight
        self.similarity_loss_weight = similarity_loss_weight
        self.frame_projection = nn.Linear(dims, dims)
        self.clip_encoder = DetrTransformerEncoder(**clip_encoder)
        self.clip_decoder = Mask2FormerTransformerDecoder(**clip_decoder)
        self.clip_query_feat = nn.Embedding(self.num_queries, dims)
        self.clip_query_embed = nn.Embedding(self.num_queries, dims)
        self.clip_cls_embed = nn.Linear(dims, self.num_classes + 1)
        self.clip_mask_embed = nn.Sequential(
            nn.Linear(dims, dims),
            nn.ReLU(),
            nn.Linear(dims, dims),
            nn.ReLU(),
            nn.Linear(dims, dims),
        )
        self.clip_mask_features = nn.Conv2d(dims, dims, 1)
        self.frame_similarity = nn.Linear(dims, dims)
        self.clip_similarity = nn.Linear(dims, dims)

    def forward(self, features: list[Tensor], num_views: int) -> VITAOutput:
        """Predict at both levels from backbone maps, each (B T, c, h, w)."""
        return self._decode_levels(self.pixel_features(features, num_views))

    def _decode_levels(self, pixels: PixelFeatures) -> VITAOutput:
        batch_size, num_views = pixels.mask_features.shape[:2]
        frame = self.decode(*self.learned_queries(batch_size * num_views), pixels.each_view_alone())
        tokens = self.frame_projection(self.transformer_decoder.post_norm(frame.queries))
        tokens = tokens.unflatten(0, (batch_size, num_views)).flatten(1, 2)
        positions = self.query_embed.weight.repeat(num_views, 1).expand(batch_size, -1, -1)
        encoded = self.clip_encoder(query=tokens, query_pos=positions, key_padding_mask=None)
        mask_features = self.clip_mask_features(pixels.mask_features.flatten(0, 1))
        clip = self._decode_clip(
            encoded, positions, mask_features.unflatten(0, (batch_size, num_views))
        )
        return VITAOutput(
            frame, clip, self.frame_similarity(tokens), self.clip_similarity(clip.queries)
        )

    def _decode_clip(self, encoded: Tensor, positions: Tensor, mask_features: Tensor) -> Decoded:
        """Decode clip queries from encoded frame queries (B, T N, C), one output a layer."""
        batch_size = len(encoded)
        queries = self.clip_query_feat.weight.expand(batch_size, -1, -1)
        query_positions = self.clip_query_embed.weight.expand(batch_size, -1, -1)
        classes, masks = [], []
        for layer in self.clip_decoder.layers:
            queries = layer(
                query=queries,
                key=encoded,
                value=encoded,
                query_pos=query_positions,
                key_pos=positions,
            )
            normed = self.clip_decoder.post_norm(queries)
            classes.append(self.clip_cls_embed(normed))
            masks.append(
                torch.einsum("bnc,btchw->bnthw", self.clip_mask_embed(normed), mask_features)
            )
        return Decoded(classes, masks, self.clip_decoder.post_norm(queries))

    def loss(self, features: list[Tensor], entities: list[InstanceData]) -> Losses:
        """Return frame-level, clip-level and similarity losses of a batch."""
        output = self(features, entities[0].masks.shape[1])
        per_view = entities_per_view(entities)
        frame = self.set_losses(output.frame, per_view)
        clip = self.set_losses(output.clip, entities)
        losses = {f"frame.{name}": self.frame_loss_weight * loss for name, loss in frame.items()}
        losses.update({f"clip.{name}": loss for name, loss in clip.items()})
        losses["loss_similarity"] = self.similarity_loss_weight * self.similarity_loss(
            output, entities, per_view
        )
        return losses

    def similarity_loss(
        self, output: VITAOutput, entities: list[InstanceData], per_view: list[InstanceData]
    ) -> Tensor:
        """Return the BCE of "these two queries show the same entity", over matched queries only.

        Args:
            output: Predictions of B images.
            entities: B items, see :meth:`MultiViewHead.loss`.
            per_view: B T items, see :func:`entities_per_view`.
        """
        frame_matches = self.match(output.frame, per_view)
        clip_matches = self.match(output.clip, entities)
        num_views = len(per_view) // len(entities)
        losses = []
        for image, (clip_queries, clip_ids) in enumerate(clip_matches):
            rows, ids = [], []
            for view in range(num_views):
                queries, index = frame_matches[image * num_views + view]
                rows.append(queries + view * self.num_queries)
                ids.append(per_view[image * num_views + view].ids[index])
            frame_tokens = output.frame_tokens[image, torch.cat(rows)]
            logits = output.clip_tokens[image, clip_queries] @ frame_tokens.T
            same = clip_ids[:, None] == torch.cat(ids)[None]
            if same.numel():
                losses.append(F.binary_cross_entropy_with_logits(logits, same.float()))
        weight = weight_among_ranks(len(losses), output.clip_tokens.device)
        if not losses:
            return (output.clip_tokens.sum() + output.frame_tokens.sum()) * 0.0
        return torch.stack(losses).mean() * weight

    def decode_pixels(self, pixels: PixelFeatures) -> tuple[Tensor, Tensor]:
        """Return clip-level class logits (B, N, 2) and mask logits (B, N, T, h, w)."""
        clip = self._decode_levels(pixels).clip
        return clip.class_logits[-1], clip.mask_logits[-1]
