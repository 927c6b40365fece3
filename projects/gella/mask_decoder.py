"""Mask2Former's decoder, which here rebuilds the masks that a colormap encodes (Eq. 13)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from workbench.layers import FusedMask2FormerHead

Losses = dict[str, Tensor]


class Reconstruction(NamedTuple):
    """What the decoder says of B colormaps with N queries of C channels.

    Attributes:
        class_logits: Each layer (B, N, 2): entity, no entity.
        mask_logits: Each layer (B, N, h, w), stride 4.
        embeddings: (B, N, C) of the last layer, E_vc: what masks and entityness are predicted from.
    """

    class_logits: list[Tensor]
    mask_logits: list[Tensor]
    embeddings: Tensor


@MODELS.register_module()
class EntityMaskDecoder(FusedMask2FormerHead):
    """Mask2Former's pixel and transformer decoder, with its query embeddings given out.

    Takes the arguments of ``Mask2FormerHead``; one class, "entity".
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_cls.register_forward_pre_hook(_normalised_over_ranks, with_kwargs=True)

    def reconstruct(self, features: list[Tensor], every_layer: bool = True) -> Reconstruction:
        """Decode a pyramid.

        Args:
            features: Blended, each (B, c, h, w), fine to coarse.
            every_layer: Predict from all layers, as losses need it, or from the last alone.
        """
        pixels = self.pixel_features(features, num_views=1)
        queries = self.learned_queries(len(features[0]))
        decoded = self.decode(*queries, pixels, every_layer)
        return Reconstruction(
            decoded.class_logits,
            [masks[:, :, 0] for masks in decoded.mask_logits],
            self.transformer_decoder.post_norm(decoded.queries),
        )

    def losses_and_matches(
        self, decoded: Reconstruction, masks: list[Tensor]
    ) -> tuple[Losses, list[tuple[Tensor, Tensor]]]:
        """Match queries to entities in every layer and return the losses.

        Args:
            decoded: Output for B colormaps.
            masks: Per image (G, H, W) bool, the masks in the colormap.

        Returns:
            Losses of Eq. 13 by layer, and per image the matched queries of the last layer with
            their entities, two (K,) index tensors.
        """
        entities = [
            InstanceData(labels=m.new_zeros(len(m), dtype=torch.long), masks=m.float())
            for m in masks
        ]
        metas: list[dict[str, Any]] = [{} for _ in entities]
        self._matches: list[tuple[Tensor, Tensor]] = []
        losses: Losses = self.loss_by_feat(
            decoded.class_logits, decoded.mask_logits, entities, metas
        )
        # Layers are matched in order, images within a layer: the last B are of the last layer.
        return losses, self._matches[-len(entities) :]

    def take_part_in_means(self, device: torch.device) -> None:
        """Add nothing to the other processes' means of a batch: there are two a layer."""
        for _ in range(2 * (self.num_transformer_decoder_layers + 1)):
            reduce_mean(torch.zeros(1, device=device))

    def _get_targets_single(self, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        targets = super()._get_targets_single(*args, **kwargs)
        self._matches.append((targets[-1].pos_inds, targets[-1].pos_assigned_gt_inds))
        return targets

    @torch.no_grad()
    def tie(self, class_logits: Tensor, mask_logits: Tensor, masks: Tensor) -> Tensor:
        """Give every input mask a query of its own: the assignment of training, on all pixels.

        Args:
            class_logits: (N, 2).
            mask_logits: (N, h, w).
            masks: (G, H, W) bool with G <= N.

        Returns:
            (G,) query of each mask.
        """
        wanted = F.interpolate(masks[None].float(), mask_logits.shape[-2:], mode="area")[0]
        result = self.assigner.assign(
            pred_instances=InstanceData(scores=class_logits, masks=mask_logits.flatten(1)),
            gt_instances=InstanceData(
                labels=masks.new_zeros(len(masks), dtype=torch.long), masks=wanted.flatten(1)
            ),
            img_meta={},
        )
        queries = torch.zeros(len(masks), dtype=torch.long, device=masks.device)
        matched = result.gt_inds > 0
        queries[result.gt_inds[matched] - 1] = matched.nonzero()[:, 0]
        return queries


def _normalised_over_ranks(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Have the classification loss divided by the weights of all processes' queries.

    The base class does so with the other losses' number of masks.
    """
    return args, {**kwargs, "avg_factor": reduce_mean(kwargs["avg_factor"])}
