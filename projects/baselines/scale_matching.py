"""Mask2Former at several scales of an image, associated by Hungarian matching at test time.

The paper describes the row in 5.2 and leaves its result out of Table VI. How masks and scores are
compared and combined is not stated there: *assumed* are soft IoU and plain means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from projects.cropformer import MultiViewSegmentor
from projects.cropformer.merge_views import MergedEntities, merge_views


def match_queries(reference: Tensor, other: Tensor) -> Tensor:
    """Assign to each reference query the other query that shows the same entity.

    Args:
        reference: (N, h, w) mask probabilities.
        other: (N, h, w) mask probabilities.

    Returns:
        (N,) int64, index into ``other``: the one-to-one assignment of largest total soft IoU.
    """
    first, second = reference.flatten(1), other.flatten(1)
    overlap = first @ second.T
    union = first.sum(1)[:, None] + second.sum(1)[None] - overlap
    _, columns = linear_sum_assignment((overlap / union.clamp(min=1e-6)).cpu(), maximize=True)
    return torch.from_numpy(columns).to(reference.device)


@MODELS.register_module()
class ScaleMatchedSegmentor(MultiViewSegmentor):
    """Segment an image at several sizes and average what belongs together.

    Args:
        scales: Sizes relative to the input; the first is the one the model was trained at and
            the one that others are matched to.
        segmentor: Arguments of :class:`MultiViewSegmentor`.

    Raises:
        ValueError: Fewer than two scales, or one that is not positive.
    """

    def __init__(self, scales: Sequence[float], **segmentor: Any) -> None:
        if len(scales) < 2 or min(scales) <= 0:
            raise ValueError(f"scales {list(scales)} are not two or more positive numbers")
        super().__init__(**segmentor)
        self.scales = tuple(scales)

    def segment(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> list[MergedEntities]:
        """Return the merged entities of each image; inputs (B, 1, 3, H, W)."""
        per_scale = [self._at_scale(batch_inputs, scale) for scale in self.scales]
        return [
            self._merge_scales([(scores[i], logits[i]) for scores, logits in per_scale], sample)
            for i, sample in enumerate(batch_data_samples)
        ]

    def _at_scale(self, batch_inputs: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Return class scores (B, N) and mask logits (B, N, H / 4, W / 4) of the input's grid."""
        height, width = batch_inputs.shape[-2:]
        resized = F.interpolate(
            batch_inputs.flatten(0, 1),
            (_multiple_of_32(height * scale), _multiple_of_32(width * scale)),
            mode="bilinear",
            antialias=True,
        )
        class_logits, mask_logits = self.predict_logits(resized[:, None])
        mask_logits = F.interpolate(
            mask_logits[:, :, 0], (height // 4, width // 4), mode="bilinear", align_corners=False
        )
        return class_logits.softmax(-1)[..., 0], mask_logits

    def _merge_scales(
        self, predictions: list[tuple[Tensor, Tensor]], sample: DetDataSample
    ) -> MergedEntities:
        scores, logits = predictions[0]
        all_scores, all_logits = [scores], [logits]
        for other_scores, other_logits in predictions[1:]:
            index = match_queries(logits.sigmoid(), other_logits.sigmoid())
            all_scores.append(other_scores[index])
            all_logits.append(other_logits[index])
        full_view = torch.as_tensor(sample.view_boxes, dtype=torch.float32, device=logits.device)
        return merge_views(
            torch.stack(all_logits),
            torch.stack(all_scores).mean(0),
            full_view.expand(len(predictions), 4),
            input_size=sample.batch_input_shape,
            valid_size=sample.img_shape,
            image_size=sample.ori_shape,
            **self.test_cfg,
        )


def _multiple_of_32(length: float) -> int:
    return max(32, round(length / 32) * 32)
