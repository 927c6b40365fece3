"""Mask2Former that finds one object a picture, as a grey map (Table VII)."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from torch import Tensor

from projects.cropformer import MultiViewSegmentor
from projects.mask2former.full_size import at_photo_size, only_view

QUERIES_AT_ONCE = 8  # at a photograph's size: 8 float maps of 12 megapixels are 0.4 GB


@MODELS.register_module()
class GreyMapSegmentor(MultiViewSegmentor):
    """Class-agnostic segmenter that also gives the probability of being foreground.

    It is Mask2Former's semantic inference with one class: the sum of all queries' mask
    probabilities weighted by their class scores, cut at 1. How the paper makes maps of its masks is
    not stated (*assumed*).
    """

    @torch.no_grad()
    def grey_maps(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """Return the (H, W) uint8 map of each image at its original size, 255 for foreground.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.
        """
        class_logits, mask_logits = self.predict_logits(inputs)
        scores = class_logits.softmax(-1)[..., 0]
        return [
            _grey_map(*each)
            for each in zip(scores, only_view(mask_logits), data_samples, strict=True)
        ]


def _grey_map(scores: Tensor, mask_logits: Tensor, sample: DetDataSample) -> Tensor:
    total = mask_logits.new_zeros(tuple(sample.ori_shape))
    for weights, logits in zip(
        scores.split(QUERIES_AT_ONCE), mask_logits.split(QUERIES_AT_ONCE), strict=True
    ):
        masks = at_photo_size(logits, sample).sigmoid()
        total += (weights[:, None, None] * masks).sum(0)
    return (total.clamp(max=1) * 255).round().to(torch.uint8)
