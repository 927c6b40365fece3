"""Exact PyTorch forms of the mmcv operators that box-based segmenters call, for the stand-in.

They have the signatures of ``mmcv._ext`` (onedl-mmcv 2.3.6) and write results in place as it does.
Letters: R regions, P and Q output rows and columns, (c, h, w) a feature map.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

BOXES_AT_ONCE = 1024  # whose overlaps with all others are held
REGIONS_AT_ONCE = 64  # at 256 channels and 200 x 336 pixels, 0.15 GB a row of the output


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of boxes that overlap no better one too much, the best first.

    Args:
        boxes: (N, 4) xyxy in pixels.
        scores: (N,).
        iou_threshold: A box goes where its IoU with a kept, better one is above it.
        offset: Added to sides: 1 where a box's last pixel belongs to it, else 0.

    Returns:
        (K,) int64; of equal scores the smaller index is the better.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    ranked = boxes[order]
    free = np.ones(len(ranked), dtype=bool)
    for start in range(0, len(ranked), BOXES_AT_ONCE):
        rows = ranked[start : start + BOXES_AT_ONCE]
        covers = (_overlaps(rows, ranked, offset) > iou_threshold).cpu().numpy()
        for place, covered in enumerate(covers, start=start):
            if free[place]:
                free[place + 1 :] &= ~covered[place + 1 :]
    return order[torch.from_numpy(free).to(order.device)]


def _overlaps(some: Tensor, others: Tensor, offset: int) -> Tensor:
    """Return the (S, N) IoU of boxes (S, 4) and (N, 4); 0 for two without area."""
    areas = [(boxes[:, 2:] - boxes[:, :2] + offset).prod(1) for boxes in (some, others)]
    upper_left = torch.maximum(some[:, None, :2], others[:, :2])
    lower_right = torch.minimum(some[:, None, 2:], others[:, 2:])
    common = (lower_right - upper_left + offset).clamp(min=0).prod(2)
    union = areas[0][:, None] + areas[1] - common
    return common / union.clamp(min=torch.finfo(union.dtype).tiny)


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, **how: Any
) -> None:
    """Pool regions into ``output`` (R, c, P, Q): the mean of bilinear samples in each cell.

    A bilinear sample is a product of a row's and a column's weights, and so is the mean over a
    regular grid of them: each region takes two small matrices.

    Args:
        input: (B, c, h, w).
        rois: (R, 5), index of the image and xyxy in pixels of the picture.
        output: Written.
        argmax_y: Of max pooling; not used.
        argmax_x: Likewise.
        how: ``aligned_height``, ``aligned_width``, ``spatial_scale``, ``sampling_ratio`` (0: one
            sample a pixel), ``pool_mode`` (1: mean) and ``aligned``, see mmcv's ``RoIAlign``.

    Raises:
        NotImplementedError: Max pooling.
    """
    for image, chosen, rows, columns in _regions(rois, input.shape, how):
        lines = torch.einsum("rph,chw->rpcw", rows, input[image])
        output[chosen] = torch.einsum("rpcw,rqw->rcpq", lines, columns)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    **how: Any,
) -> None:
    """Add the gradient of :func:`roi_align_forward`'s input to ``grad_input``."""
    for image, chosen, rows, columns in _regions(rois, grad_input.shape, how):
        lines = torch.einsum("rcpq,rqw->rpcw", grad_output[chosen], columns)
        grad_input[image] += torch.einsum("rph,rpcw->chw", rows, lines)


def _regions(rois: Tensor, shape: torch.Size, how: dict[str, Any]) -> Any:
    """Yield regions of one image: its index, theirs, and (R, P, h) and (R, Q, w) weights."""
    if how["pool_mode"] != 1:
        raise NotImplementedError("max pooling of regions; run `make ops` for mmcv's own")
    shift = 0.5 if how["aligned"] else 0.0
    corners = rois[:, 1:] * how["spatial_scale"] - shift
    sides = corners[:, 2:] - corners[:, :2]
    if not how["aligned"]:
        sides = sides.clamp(min=1)
    for image in range(shape[0]):
        for chosen in torch.split((rois[:, 0] == image).nonzero()[:, 0], REGIONS_AT_ONCE):
            rows, columns = (
                _axis_weights(
                    corners[chosen, axis], sides[chosen, axis], bins, size, how["sampling_ratio"]
                )
                for axis, bins, size in (
                    (1, how["aligned_height"], shape[2]),
                    (0, how["aligned_width"], shape[3]),
                )
            )
            yield image, chosen, rows, columns


def _axis_weights(start: Tensor, side: Tensor, bins: int, size: int, samples: int) -> Tensor:
    """Return (R, bins, size): what each pixel of an axis counts in the mean of a cell's samples.

    A sample more than a pixel outside of the map is 0; nearer ones read the border.
    """
    counts = torch.full_like(side, samples) if samples > 0 else (side / bins).ceil()
    most = max(int(counts.max()), 1) if len(counts) else 1
    grid = torch.arange(most, device=side.device)
    steps = (grid + 0.5) / counts.clamp(min=1)[:, None]
    cells = torch.arange(bins, device=side.device)[:, None] + steps[:, None]
    places = start[:, None, None] + cells * (side / bins)[:, None, None]
    counted = (grid < counts[:, None])[:, None] & (places >= -1) & (places <= size)
    share = counted.to(side.dtype) / counts.clamp(min=1)[:, None, None]
    places = places.clamp(0, size - 1)
    low = places.floor()
    above = places - low
    weights = side.new_zeros(len(side), bins, size)
    weights.scatter_add_(2, low.long(), share * (1 - above))
    return weights.scatter_add_(2, (low.long() + 1).clamp(max=size - 1), share * above)
