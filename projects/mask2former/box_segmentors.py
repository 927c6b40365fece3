"""MMDetection's Mask R-CNN and PanopticFPN on the views of this project (Table IV).

They take what the other segmenters take, an image as one full view whose entities are masks, and
answer as those do: entities, instances with classes, or panoptic maps.
"""

from __future__ import annotations

import numpy as np
import torch
from mmdet.models.detectors import MaskRCNN, PanopticFPN
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.structures.mask import BitmapMasks, mask2bbox
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from projects.mask2former.panoptic import number_segments
from workbench.segmentation.label_map import encode_label_map, encode_masks


def only_view_of(inputs: Tensor) -> Tensor:
    """Return images (B, 3, H, W) that were given as one view each, (B, 1, 3, H, W).

    Raises:
        ValueError: Several views.
    """
    if inputs.shape[1] != 1:
        raise ValueError(f"{inputs.shape[1]} views of an image, not the full one alone")
    return inputs[:, 0]


def sized(sample: DetDataSample) -> DetDataSample:
    """Return an empty sample that tells MMDetection's heads how the photograph was resized."""
    (height, width), (full_height, full_width) = sample.img_shape, sample.ori_shape
    told = DetDataSample(metainfo=sample.metainfo)
    scale = (width / full_width, height / full_height)
    told.set_metainfo({"pad_shape": sample.batch_input_shape, "scale_factor": scale})
    return told


def with_boxes(sample: DetDataSample, entities: InstanceData) -> DetDataSample:
    """Return a sample with entities as MMDetection's heads take them.

    Args:
        sample: Of which the sizes are taken.
        entities: ``masks`` (G, 1, H, W) bool at the padded size and ``labels``.
    """
    masks = entities.masks[:, 0]
    boxed = sized(sample)
    boxed.gt_instances = InstanceData(
        labels=entities.labels,
        bboxes=mask2bbox(masks).to(masks.device),
        masks=BitmapMasks(masks.cpu().numpy().astype(np.uint8), *masks.shape[-2:]),
    )
    return boxed


@MODELS.register_module()
class BoxSegmentor(MaskRCNN):
    """Mask R-CNN with one class for entities, or with the classes of instances."""

    @property
    def class_counts(self) -> tuple[int, int]:
        """Numbers of classes of things and of stuff."""
        return self.roi_head.bbox_head.num_classes, 0

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the losses; inputs (B, 1, 3, H, W)."""
        losses: dict[str, Tensor] = super().loss(
            only_view_of(batch_inputs),
            [with_boxes(each, each.gt_instances) for each in batch_data_samples],
        )
        return losses

    @torch.no_grad()
    def instances(self, inputs: Tensor, data_samples: SampleList) -> list[InstanceData]:
        """Return the instances of each image at its original size.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.

        Returns:
            Of each image ``masks`` (K, H, W) bool, ``labels`` (K,) int64, ``scores`` (K,), 0-1.
        """
        samples = [sized(each) for each in data_samples]
        found = super().predict(only_view_of(inputs), samples, rescale=True)
        return [each.pred_instances for each in found]

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Add ``pred_entities`` (masks as RLE, scores, class_scores) to each sample.

        Masks may overlap; their score is that of their box.
        """
        for sample, found in zip(
            batch_data_samples, self.instances(batch_inputs, batch_data_samples), strict=True
        ):
            kept = found.masks.flatten(1).any(1)
            scores = found.scores[kept]
            sample.pred_entities = InstanceData(
                masks=encode_masks(found.masks[kept].cpu().numpy()),
                scores=scores,
                class_scores=scores,
            )
        return batch_data_samples


@MODELS.register_module()
class BoxPanopticSegmentor(PanopticFPN):
    """PanopticFPN: Mask R-CNN for things, a semantic head for stuff, overlaps removed by score.

    Raises:
        ValueError: The semantic loss ignores the number of a class.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.void = self.semantic_head.loss_seg.ignore_index
        if self.void < self.num_classes:
            raise ValueError(f"ignore_index {self.void} is one of {self.num_classes} classes")

    @property
    def class_counts(self) -> tuple[int, int]:
        """Numbers of classes of things and of stuff."""
        return self.num_things_classes, self.num_stuff_classes

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the losses; inputs (B, 1, 3, H, W)."""
        losses: dict[str, Tensor] = super().loss(
            only_view_of(batch_inputs), [self._with_stuff(each) for each in batch_data_samples]
        )
        return losses

    def _with_stuff(self, sample: DetDataSample) -> DetDataSample:
        """Return a sample with its things as instances and a map of the classes of all pixels."""
        given = sample.gt_instances
        boxed = with_boxes(sample, given[given.labels < self.num_things_classes])
        boxed.gt_sem_seg = PixelData(
            sem_seg=class_map(given.masks[:, 0], given.labels, self.void)[None]
        )
        return boxed

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
            segment: things count from 0, stuff after them.
        """
        samples = [sized(each) for each in data_samples]
        found = super().predict(only_view_of(inputs), samples, rescale=True)
        return [
            number_segments(each.pred_panoptic_seg.sem_seg[0], self.num_classes) for each in found
        ]

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Add ``pred_entities`` to each sample: the segments of its panoptic map, all as likely."""
        for sample, (labels, classes) in zip(
            batch_data_samples, self.panoptic_maps(batch_inputs, batch_data_samples), strict=True
        ):
            ones = torch.ones(len(classes))
            sample.pred_entities = InstanceData(
                masks=encode_label_map(labels.cpu().numpy(), len(classes)),
                scores=ones,
                class_scores=ones,
            )
        return batch_data_samples


def class_map(masks: Tensor, labels: Tensor, void: int) -> Tensor:
    """Return the (H, W) int64 class of each pixel of masks (G, H, W), ``void`` where none is."""
    classes = torch.full(masks.shape[-2:], void, dtype=torch.long, device=masks.device)
    for mask, label in zip(masks, labels.tolist(), strict=True):
        classes[mask] = label
    return classes
