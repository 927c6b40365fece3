"""CropFormer the straightforward way: MMDetection's layers, everything kept, everything full size.

It is what the project's models are compared with in outputs, time and memory. Weights have the
same names. Letters: B images, T views, N queries, C width, (h, w) size of a map, L = h w.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from torch import Tensor

from projects.cropformer import CropFormerHead, MultiViewSegmentor
from projects.cropformer.cropformer_head import CropFormerOutput
from projects.cropformer.merge_views import AREA_EPSILON, MASK_THRESHOLD, MergedEntities
from workbench.layers import Decoded


def straightforward_config(model: ConfigDict) -> ConfigDict:
    """Return the config of a CropFormer with MMDetection's layers in place of the project's."""
    model = model.copy()
    model.type = "StraightforwardSegmentor"
    model.backbone.type = model.backbone.type.removeprefix("Fused")
    model.head.type = "StraightforwardHead"
    model.head.pixel_decoder.type = "MSDeformAttnPixelDecoder"
    return model


@MODELS.register_module()
class StraightforwardHead(CropFormerHead):
    """Both levels over all views at once, masks of every layer, attention by MMDetection."""

    def forward(self, features: list[Tensor], num_views: int) -> CropFormerOutput:
        """Predict at both levels from backbone maps, each (B T, c, h, w)."""
        mask_features, maps = self.pixel_decoder(features)
        sizes = [tuple(level.shape[-2:]) for level in maps]
        memories, positions = [], []
        for index, level in enumerate(maps[: self.num_transformer_feat_level]):
            memory = self.decoder_input_projs[index](level).flatten(2).permute(0, 2, 1)
            unpadded = memory.new_zeros((len(memory), *sizes[index]), dtype=torch.bool)
            position = self.decoder_positional_encoding(unpadded).flatten(2).permute(0, 2, 1)
            memories.append(memory + self.level_embed.weight[index])
            positions.append(position)
        image = self._decode(
            self._expand(self.query_feat.weight, len(mask_features)),
            mask_features[:, None],
            memories,
            positions,
            sizes,
        )
        codes = self.view_codes(num_views, mask_features)
        views = (-1, num_views)
        batch = self._decode(
            self.association(image.queries.unflatten(0, views), self.query_embed.weight),
            mask_features.unflatten(0, views),
            [memory.unflatten(0, views).flatten(1, 2) for memory in memories],
            [
                (position.unflatten(0, views) + codes[:, None]).flatten(1, 2)
                for position in positions
            ],
            sizes,
        )
        return CropFormerOutput(image, batch)

    def _expand(self, weight: Tensor, batch_size: int) -> Tensor:
        return weight.expand(batch_size, -1, -1)

    def _decode(
        self,
        queries: Tensor,
        mask_features: Tensor,
        memories: list[Tensor],
        positions: list[Tensor],
        sizes: list[tuple[int, int]],
    ) -> Decoded:
        """Decode (B, N, C) on (B, T, C, h, w) and, per level, (B, T L, C)."""
        query_positions = self._expand(self.query_embed.weight, len(queries))
        predicted = [self._predict(queries, mask_features, sizes[0])]
        for index, layer in enumerate(self.transformer_decoder.layers):
            level = index % len(sizes)
            queries = layer(
                query=queries,
                key=memories[level],
                value=memories[level],
                query_pos=query_positions,
                key_pos=positions[level],
                cross_attn_mask=predicted[-1][2],
            )
            next_size = sizes[(index + 1) % len(sizes)]
            predicted.append(self._predict(queries, mask_features, next_size))
        class_logits, mask_logits, _ = zip(*predicted, strict=True)
        return Decoded(list(class_logits), list(mask_logits), queries)

    def _predict(
        self, queries: Tensor, mask_features: Tensor, next_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return classes (B, N, 2), masks (B, N, T, h, w) and where not to look next."""
        normed = self.transformer_decoder.post_norm(queries)
        masks = torch.einsum("bqc,btchw->bqthw", self.mask_embed(normed), mask_features)
        resized = F.interpolate(masks.flatten(0, 1), next_size, mode="bilinear")
        resized = resized.unflatten(0, masks.shape[:2]).flatten(2)[:, None]
        blocked = resized.repeat(1, self.num_heads, 1, 1).flatten(0, 1).sigmoid() < 0.5
        blocked = blocked.detach()
        blocked &= ~blocked.all(-1, keepdim=True)
        return self.cls_embed(normed), masks, blocked


@MODELS.register_module()
class StraightforwardSegmentor(MultiViewSegmentor):
    """All views through the model at once, all masks at full size."""

    @torch.no_grad()
    def predict_logits(self, batch_inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (B, N, 2) and mask logits (B, N, T, h, w) of (B, T, 3, H, W)."""
        features = self.backbone(batch_inputs.flatten(0, 1))
        batch = self.head(features, batch_inputs.shape[1]).batch
        return batch.class_logits[-1], batch.mask_logits[-1]

    def merge(
        self, class_scores: Tensor, mask_logits: Tensor, sample: DetDataSample
    ) -> MergedEntities:
        """Return the entities of one image from scores (N,) and mask logits (N, T, h, w)."""
        fused = fused_probabilities(mask_logits, sample)
        label_map = torch.zeros(fused.shape[1:], dtype=torch.int64)
        masks = (fused > MASK_THRESHOLD).float()
        for query in torch.argsort(class_scores, stable=True).tolist():
            label_map[masks[query] == 1] = query + 1
        final = torch.stack([(label_map == query + 1).float() for query in range(len(fused))])
        areas = final.flatten(1).sum(1)
        quality = (fused.sigmoid().flatten(1) * final.flatten(1)).sum(1) / (areas + AREA_EPSILON)
        return MergedEntities(label_map, class_scores * quality, class_scores, areas.long())


def fused_probabilities(mask_logits: Tensor, sample: DetDataSample) -> Tensor:
    """Return the mean probability over the views that cover a pixel, (N, H, W).

    Args:
        mask_logits: (N, T, h, w).
        sample: With ``batch_input_shape``, ``view_shapes``, ``ori_shape`` and ``view_boxes``.
    """
    at_input = F.interpolate(mask_logits, tuple(sample.batch_input_shape), mode="bilinear")
    views = len(sample.view_boxes)
    canvas = mask_logits.new_zeros((views, len(mask_logits), *sample.ori_shape))
    covered = mask_logits.new_zeros((views, 1, *sample.ori_shape))
    for view, (left, top, right, bottom) in enumerate(sample.view_boxes):
        rows, columns = sample.view_shapes[view]
        valid = at_input[:, view : view + 1, :rows, :columns]
        own = F.interpolate(valid, (int(bottom - top), int(right - left)), mode="bilinear")
        canvas[view, :, top:bottom, left:right] = own[:, 0]
        covered[view, :, top:bottom, left:right] = 1
    return canvas.sigmoid().mul_(covered).sum(0) / covered.sum(0)
