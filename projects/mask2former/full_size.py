"""Mask logits at a photograph's own size."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet.structures import DetDataSample
from torch import Tensor


def at_photo_size(logits: Tensor, sample: DetDataSample) -> Tensor:
    """Resize mask logits of one full view as Mask2Former does: to the input, cut, to the photo.

    Args:
        logits: (K, h4, w4) at the padded input's stride.
        sample: With ``batch_input_shape``, ``img_shape`` and ``ori_shape``, each (height, width).

    Returns:
        (K, H, W) logits.
    """
    height, width = sample.img_shape
    padded = F.interpolate(
        logits[None], tuple(sample.batch_input_shape), mode="bilinear", align_corners=False
    )
    valid = padded[..., :height, :width]
    photo = F.interpolate(valid, tuple(sample.ori_shape), mode="bilinear", align_corners=False)
    return photo[0]


def only_view(mask_logits: Tensor) -> Tensor:
    """Return the mask logits (B, N, h4, w4) of images that were given as one view each.

    Args:
        mask_logits: (B, N, T, h4, w4).

    Raises:
        ValueError: Several views; these tasks have no rule to fuse them.
    """
    if mask_logits.shape[2] != 1:
        raise ValueError(f"{mask_logits.shape[2]} views of an image, not the full one alone")
    return mask_logits[:, :, 0]
