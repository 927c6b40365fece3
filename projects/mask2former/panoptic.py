"""Mask2Former with the classes of a panoptic data set (Table VIII's COCO-PAN, Table XIII)."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import INSTANCE_OFFSET, DetDataSample, SampleList
from mmdet.utils import ConfigType
from torch import Tensor

from projects.cropformer import MultiViewSegmentor
from projects.cropformer.merge_views import MergedEntities
from projects.mask2former.full_size import at_photo_size, only_view

VOID = 0


@MODELS.register_module()
class PanopticSegmentor(MultiViewSegmentor):
    """Mask2Former whose queries have a class each, on the full view.

    Entities are what it finds with the classes dropped: a query's class score is that of its
    likeliest class, and masks are merged as those of a class-agnostic model (*assumed*).

    Args:
        fusion: Config of MMDetection's ``MaskFormerFusionHead``, with as many classes as the head.
        kwargs: Arguments of :class:`MultiViewSegmentor`.

    Raises:
        ValueError: Head and fusion have different numbers of classes.
    """

    def __init__(self, fusion: ConfigType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fusion = MODELS.build(fusion)
        own = (self.fusion.num_things_classes, self.fusion.num_stuff_classes)
        if own != self.class_counts:
            raise ValueError(f"fusion has {own} things and stuff, the head {self.class_counts}")

    @property
    def class_counts(self) -> tuple[int, int]:
        """Numbers of classes of things and of stuff, in this order among the head's classes."""
        return self.head.num_things_classes, self.head.num_stuff_classes

    def segment(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> list[MergedEntities]:
        """Return the merged entities of each image at its original size, without classes."""
        class_logits, mask_logits = self.predict_logits(batch_inputs)
        scores = class_logits.softmax(-1)[..., :-1].max(-1).values
        return [
            self.merge(*each) for each in zip(scores, mask_logits, batch_data_samples, strict=True)
        ]

    @torch.no_grad()
    def panoptic_maps(
        self, inputs: Tensor, data_samples: SampleList
    ) -> list[tuple[Tensor, list[int]]]:
        """Return the panoptic map of each image at its original size.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.

        Returns:
            Of each image (H, W) int32 segment ids from 1, 0 for void, and the class of each
            segment: things count from 0, stuff after them. Stuff of one class is one segment.
        """
        class_logits, mask_logits = self.predict_logits(inputs)
        return [
            self._panoptic_map(*each)
            for each in zip(class_logits, only_view(mask_logits), data_samples, strict=True)
        ]

    def _panoptic_map(
        self, class_logits: Tensor, mask_logits: Tensor, sample: DetDataSample
    ) -> tuple[Tensor, list[int]]:
        fused = self.fusion.panoptic_postprocess(class_logits, at_photo_size(mask_logits, sample))
        return number_segments(fused.sem_seg[0], self.fusion.num_classes)


def number_segments(codes: Tensor, void: int) -> tuple[Tensor, list[int]]:
    """Return segment ids and classes of a panoptic map as MMDetection codes it.

    Args:
        codes: (H, W), class + instance * ``INSTANCE_OFFSET``.
        void: Code of pixels without a segment.

    Returns:
        (H, W) int32 segment ids from 1, 0 for void, and the class of each segment.
    """
    found = [code for code in codes.unique().tolist() if code != void]
    labels = torch.full_like(codes, VOID)
    for number, code in enumerate(found, start=1):
        labels[codes == code] = number
    return labels, [code % INSTANCE_OFFSET for code in found]
