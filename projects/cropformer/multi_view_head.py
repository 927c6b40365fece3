"""Mask2Former's decoder over one or several views of an image.

Letters: B images, T views of each, N queries, G entities, C embedding width, (h, w) size of a
feature map, L = h w. With T = 1 this is MMDetection's Mask2Former, number for number.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from mmcv.ops import point_sample
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.models.dense_heads.mask2former_head import get_uncertain_point_coords_with_randomness
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from projects.cropformer.view_encoding import sine_view_encoding
from workbench.layers import Decoded, FusedMask2FormerHead, PixelFeatures

Losses = dict[str, Tensor]


@MODELS.register_module()
class MultiViewHead(FusedMask2FormerHead):
    """Queries decoded over all views of an image together.

    One query stands for one entity in all views. With learned queries and several views it is the
    video-level Mask2Former (arXiv 2112.10764) on views instead of frames, "V-Mask2Former" of Table
    VI; with one view it is Mask2Former.

    Args:
        view_encoding: How views are told apart, see :func:`sine_view_encoding`.
        kwargs: Arguments of MMDetection's ``Mask2FormerHead``.

    Raises:
        TypeError: An argument that neither class knows (the base class would swallow it).
    """

    def __init__(self, view_encoding: str = "index", **kwargs: Any) -> None:
        unknown = set(kwargs) - set(inspect.signature(Mask2FormerHead.__init__).parameters)
        if unknown:
            raise TypeError(f"{type(self).__name__}: unknown argument {', '.join(sorted(unknown))}")
        super().__init__(**kwargs)
        self.view_encoding = view_encoding

    def view_codes(self, num_views: int, like: Tensor) -> Tensor:
        """Return what tells views apart, added to their pixel positions (T, C); none for one."""
        if num_views == 1:
            return super().view_codes(num_views, like)
        return sine_view_encoding(
            num_views, self.decoder_embed_dims, self.view_encoding, like.device
        )

    def forward(self, features: list[Tensor], num_views: int) -> Decoded:
        """Decode learned queries over all views of each image together."""
        pixels = self.pixel_features(features, num_views)
        return self.decode(*self.learned_queries(len(pixels.mask_features)), pixels)

    def loss(self, features: list[Tensor], entities: list[InstanceData]) -> Losses:
        """Return the losses of a batch.

        Args:
            features: Backbone maps, each (B T, c, h, w).
            entities: Per image ``labels`` (G,) of zeros and ``masks`` (G, T, H, W) bool.
        """
        return self.set_losses(self(features, entities[0].masks.shape[1]), entities)

    def predict(self, features: list[Tensor], num_views: int) -> tuple[Tensor, Tensor]:
        """Return class logits (B, N, 2) and mask logits (B, N, T, h, w) of the last layer."""
        return self.decode_pixels(self.pixel_features(features, num_views))

    def decode_pixels(self, pixels: PixelFeatures) -> tuple[Tensor, Tensor]:
        """Return what :meth:`predict` does, from features of B images of T views."""
        queries = self.learned_queries(len(pixels.mask_features))
        decoded = self.decode(*queries, pixels, every_layer=False)
        return decoded.class_logits[-1], decoded.mask_logits[-1]

    def set_losses(self, decoded: Decoded, entities: list[InstanceData]) -> Losses:
        """Match queries to entities in every layer and return the losses of Eq. 7 for one level."""
        # Sampling needs floats; every layer of every image would convert its masks again.
        entities = [InstanceData(labels=item.labels, masks=item.masks.float()) for item in entities]
        metas: list[dict[str, Any]] = [{} for _ in entities]
        losses: Losses = self.loss_by_feat(
            decoded.class_logits, decoded.mask_logits, entities, metas
        )
        return losses

    @torch.no_grad()
    def match(self, decoded: Decoded, entities: list[InstanceData]) -> list[tuple[Tensor, Tensor]]:
        """Return, per image, the matched queries of the last layer and their entities (indices)."""
        matches = []
        for scores, masks, item in zip(
            decoded.class_logits[-1], decoded.mask_logits[-1], entities, strict=True
        ):
            sampled = self._get_targets_single(scores, masks, item, {})[-1]
            matches.append((sampled.pos_inds, sampled.pos_assigned_gt_inds))
        return matches

    def _get_targets_single(
        self,
        cls_score: Tensor,
        mask_pred: Tensor,
        gt_instances: InstanceData,
        img_meta: dict[str, Any],
    ) -> tuple[Any, ...]:
        """Match the queries of one image to its entities, one query for all views of an entity.

        The same random points are sampled in every view, and costs are taken over all of them
        (source: Mask2Former's video matcher, facebookresearch/Mask2Former 9b0651c).

        Args:
            cls_score: (N, 2) logits.
            mask_pred: (N, T, h, w) logits.
            gt_instances: ``labels`` (G,) and ``masks`` (G, T, H, W).
            img_meta: Not used.
        """
        points = torch.rand((1, self.num_points, 2), device=cls_score.device)
        matched = self.assigner.assign(
            pred_instances=InstanceData(scores=cls_score, masks=_at_points(mask_pred, points)),
            gt_instances=InstanceData(
                labels=gt_instances.labels, masks=_at_points(gt_instances.masks, points)
            ),
            img_meta=img_meta,
        )
        sampled = self.sampler.sample(
            assign_result=matched,
            pred_instances=InstanceData(scores=cls_score, masks=mask_pred),
            gt_instances=gt_instances,
        )
        positive = sampled.pos_inds
        labels = gt_instances.labels.new_full((self.num_queries,), self.num_classes)
        labels[positive] = gt_instances.labels[sampled.pos_assigned_gt_inds]
        label_weights = cls_score.new_ones(self.num_queries)
        mask_weights = cls_score.new_zeros(self.num_queries)
        mask_weights[positive] = 1.0
        mask_targets = gt_instances.masks[sampled.pos_assigned_gt_inds]
        return (
            labels,
            label_weights,
            mask_targets,
            mask_weights,
            positive,
            sampled.neg_inds,
            sampled,
        )

    def _loss_by_feat_single(
        self,
        cls_scores: Tensor,
        mask_preds: Tensor,
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return classification, mask and dice loss of one layer.

        The masks of an entity in T views count as T masks, normalised by the number of entities,
        so that an entity absent from a view is a target of zeros there (source: qqlu/Entity
        d67e36f, ``criterion_view.py``).

        Args:
            cls_scores: (B, N, 2) logits.
            mask_preds: (B, N, T, h, w) logits.
            batch_gt_instances: Entities per image.
            batch_img_metas: One per image.
        """
        labels, _, mask_targets, mask_weights, num_matched = self.get_targets(
            list(cls_scores), list(mask_preds), batch_gt_instances, batch_img_metas
        )[:5]
        all_labels = torch.cat(labels)
        class_weight = cls_scores.new_tensor(self.class_weight)
        # Every process takes part in both means, also one without an entity.
        loss_cls = self.loss_cls(
            cls_scores.flatten(0, 1),
            all_labels,
            cls_scores.new_ones(len(all_labels)),
            avg_factor=reduce_mean(class_weight[all_labels].sum()),
        )
        num_masks = max(reduce_mean(cls_scores.new_tensor([num_matched])), 1)
        predicted = mask_preds[torch.stack(mask_weights) > 0].flatten(0, 1)[:, None]
        wanted = torch.cat(mask_targets).flatten(0, 1)[:, None]
        if len(wanted) == 0:
            nothing = mask_preds.sum() * 0.0
            return loss_cls, nothing, nothing
        with torch.no_grad():
            points = get_uncertain_point_coords_with_randomness(
                predicted,
                None,
                self.num_points,
                self.oversample_ratio,
                self.importance_sample_ratio,
            )
            point_targets = point_sample(wanted.float(), points).squeeze(1)
        point_logits = point_sample(predicted, points).squeeze(1)
        loss_dice = self.loss_dice(point_logits, point_targets, avg_factor=num_masks)
        loss_mask = self.loss_mask(
            point_logits.flatten(),
            point_targets.flatten(),
            avg_factor=num_masks * self.num_points,
        )
        return loss_cls, loss_mask, loss_dice


def _at_points(masks: Tensor, points: Tensor) -> Tensor:
    """Sample masks (K, T, h, w) at points (1, P, 2) in 0-1, the same for all: (K, T P)."""
    if len(masks) == 0:
        return masks.new_zeros((0, masks.shape[1] * points.shape[1]), dtype=torch.float)
    sampled = point_sample(masks.flatten(0, 1)[None].float(), points)
    return sampled.view(len(masks), -1)
