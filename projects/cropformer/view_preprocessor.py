"""From a batch of view stacks to one normalised, padded tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor


@MODELS.register_module()
class ViewPreprocessor(BaseDataPreprocessor):
    """Normalise views and pad them, and their masks, to one size for the batch.

    Args:
        mean: Per channel, RGB, in 0-255.
        std: Per channel, RGB, in 0-255.
        size_divisor: Padded height and width are multiples of it.
    """

    def __init__(
        self,
        mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
        std: tuple[float, float, float] = (58.395, 57.12, 57.375),
        size_divisor: int = 32,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.size_divisor = size_divisor

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return ``inputs`` (B, T, 3, h, w) float and the samples on the model's device.

        Args:
            data: ``inputs`` list of uint8 (T, 3, h, w) BGR, ``data_samples`` list, each with
                ``view_shapes``.
            training: Whether masks must be padded as the inputs are.
        """
        data = self.cast_data(data)
        views: list[Tensor] = data["inputs"]
        height, width = (
            -(-max(view.shape[axis] for view in views) // self.size_divisor) * self.size_divisor
            for axis in (-2, -1)
        )
        inputs = torch.stack(
            [
                _pad(self._normalised(view, sample.view_shapes), height, width)
                for view, sample in zip(views, data["data_samples"], strict=True)
            ]
        )
        for sample in data["data_samples"]:
            sample.set_metainfo({"batch_input_shape": (height, width)})
            if training:
                entities = sample.gt_instances
                entities.masks = _pad(entities.masks, height, width)
        return {"inputs": inputs, "data_samples": data["data_samples"]}

    def _normalised(self, views: Tensor, shapes: Sequence[Sequence[int]]) -> Tensor:
        """Normalise (T, 3, h, w) BGR views to RGB; what pads them stays zero."""
        normalised = views.flip(1).float().sub_(self.mean).div_(self.std)
        for view, (height, width) in zip(normalised, shapes, strict=True):
            view[:, height:] = 0
            view[:, :, width:] = 0
        return normalised


def _pad(tensor: Tensor, height: int, width: int) -> Tensor:
    """Pad the last two axes with zeros at the lower and right border."""
    if tensor.shape[-2:] == (height, width):
        return tensor
    return F.pad(tensor, (0, width - tensor.shape[-1], 0, height - tensor.shape[-2]))
