"""DeepLabV3, a class a pixel from features of stride 8 (Table IV).

Source: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation" (arXiv
1706.05587): atrous spatial pyramid pooling over the last, dilated stage of a ResNet. The layers
are those of torchvision's ``deeplabv3_resnet50`` without its auxiliary classifier.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import OptSampleList, SampleList
from mmdet.utils import ConfigType, OptConfigType
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from projects.mask2former.box_segmentors import class_map, only_view_of
from projects.mask2former.full_size import at_photo_size
from workbench.segmentation.label_map import encode_label_map

VOID = -1


@MODELS.register_module()
class ASPPHead(BaseModule):
    """Atrous spatial pyramid pooling and a classifier.

    Args:
        in_channels: Of the last stage.
        channels: Width of the pyramid.
        num_classes: Of the logits.
        rates: Dilations of the pyramid's 3 x 3 convolutions.
        dropout: Share of the pyramid's joint output that is dropped in training.
        norm_cfg: Norm of all convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_classes: int,
        rates: Sequence[int] = (12, 24, 36),
        dropout: float = 0.5,
        norm_cfg: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type="BN")

        def conv(inputs: int, size: int, rate: int = 1) -> ConvModule:
            padding = rate * (size // 2)
            return ConvModule(
                inputs, channels, size, padding=padding, dilation=rate, norm_cfg=norm_cfg
            )

        self.branches = nn.ModuleList(
            [conv(in_channels, 1), *(conv(in_channels, 3, rate) for rate in rates)]
        )
        self.image_branch = conv(in_channels, 1)
        self.project = conv((len(rates) + 2) * channels, 1)
        self.dropout = nn.Dropout(dropout)
        self.refine = conv(channels, 3)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return class logits (B, K, h, w) of features (B, C, h, w)."""
        whole = self.image_branch(features.mean((2, 3), keepdim=True)).expand(
            -1, -1, *features.shape[2:]
        )
        pyramid = torch.cat([*(branch(features) for branch in self.branches), whole], dim=1)
        logits: Tensor = self.classifier(self.refine(self.dropout(self.project(pyramid))))
        return logits


@MODELS.register_module()
class SemanticNet(BaseDetector):
    """Segmenter that gives each pixel of the full view a class.

    Args:
        backbone: Config of the image encoder, of whose last output the head classifies the pixels.
        head: Config of a head from features to class logits, with ``num_classes``.
        data_preprocessor: Config of ``ViewPreprocessor``.
        test_cfg: None is needed.
    """

    def __init__(
        self,
        backbone: ConfigType,
        head: ConfigType,
        data_preprocessor: ConfigType,
        test_cfg: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.class_counts = (int(head["num_classes"]), 0)

    def extract_feat(self, batch_inputs: Tensor) -> Tensor:
        """Return the last features of views (B, 1, 3, H, W)."""
        last: Tensor = self.backbone(only_view_of(batch_inputs))[-1]
        return last

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the mean cross-entropy over annotated pixels, at the input's size."""
        entities = [sample.gt_instances for sample in batch_data_samples]
        truth = torch.stack([class_map(one.masks[:, 0], one.labels, VOID) for one in entities])
        logits = self._forward(batch_inputs)
        large = F.interpolate(logits, truth.shape[-2:], mode="bilinear", align_corners=False)
        total = F.cross_entropy(large, truth, ignore_index=VOID, reduction="sum")
        return {"loss_seg": total / (truth != VOID).sum().clamp(min=1)}

    @torch.no_grad()
    def semantic_maps(self, inputs: Tensor, data_samples: SampleList) -> list[Tensor]:
        """Return the (H, W) int64 class numbers of each image at its original size.

        Args:
            inputs: (B, 1, 3, H, W), normalised, of the data preprocessor.
            data_samples: Their sizes.
        """
        return [
            at_photo_size(logits, sample).argmax(0)
            for logits, sample in zip(self._forward(inputs), data_samples, strict=True)
        ]

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Add ``pred_entities`` to each sample: the region of each class, all as likely."""
        for sample, classes in zip(
            batch_data_samples, self.semantic_maps(batch_inputs, batch_data_samples), strict=True
        ):
            seen, places = classes.unique(return_inverse=True)
            ones = torch.ones(len(seen))
            sample.pred_entities = InstanceData(
                masks=encode_label_map(places.cpu().numpy() + 1, len(seen)),
                scores=ones,
                class_scores=ones,
            )
        return batch_data_samples

    def _forward(self, batch_inputs: Tensor, batch_data_samples: OptSampleList = None) -> Tensor:
        """Return class logits (B, K, h, w)."""
        logits: Tensor = self.head(self.extract_feat(batch_inputs))
        return logits
