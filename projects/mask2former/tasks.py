"""Mask2Former with classes for semantic and for instance segmentation (Table IV)."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmengine.structures import InstanceData
from torch import Tensor

from projects.mask2former.full_size import at_photo_size, only_view
from projects.mask2former.panoptic import PanopticSegmentor

ROWS_AT_ONCE = 64  # of a photograph, for which the scores of all classes are held


@MODELS.register_module()
class SemanticSegmentor(PanopticSegmentor):
    """Mask2Former whose queries have a class each and together say the class of a pixel."""

    @torch.no_grad()
    def semantic_maps(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """Return the (H, W) int64 class numbers of each image at its original size.

        A pixel's score of a class is the sum over queries of class probability times mask
        probability, in which "no object" takes no part.

        Source: semantic inference of facebookresearch/Mask2Former 9b0651c.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.
        """
        class_logits, mask_logits = self.predict_logits(inputs)
        found = zip(
            class_logits.softmax(-1)[..., :-1], only_view(mask_logits), data_samples, strict=True
        )
        return [
            _likeliest(scores, at_photo_size(logits, sample).sigmoid_())
            for scores, logits, sample in found
        ]


def _likeliest(scores: Tensor, masks: Tensor) -> Tensor:
    """Return the (H, W) classes of (N, K) class scores and (N, H, W) mask probabilities."""
    parts = masks.split(ROWS_AT_ONCE, dim=1)
    return torch.cat([torch.einsum("nk,nhw->khw", scores, part).argmax(0) for part in parts])


@MODELS.register_module()
class InstanceSegmentor(PanopticSegmentor):
    """Mask2Former whose queries have a class each, for instances that may overlap."""

    @torch.no_grad()
    def instances(self, inputs: Tensor, data_samples: SampleList) -> list[InstanceData]:
        """Return the instances of each image at its original size.

        The best pairs of a query and a class, ``max_per_image`` of the fusion's ``test_cfg``.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.

        Returns:
            Of each image ``masks`` (K, H, W) bool, ``labels`` (K,) int64, ``scores`` (K,), 0-1.
        """
        class_logits, mask_logits = self.predict_logits(inputs)
        found = zip(class_logits, only_view(mask_logits), data_samples, strict=True)
        return [
            self.fusion.instance_postprocess(logits, at_photo_size(masks, sample))
            for logits, masks, sample in found
        ]
