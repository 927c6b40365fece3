"""Multi-scale deformable attention by mmcv's modules, each device by its fastest path.

Letters: B images, L pixels of all levels, Q queries, H heads, C width.
"""

from __future__ import annotations

import functools
import warnings

import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor

from workbench.engine.ops import has_compiled_ops
from workbench.layers.deformable_sampling import Sizes, sample_levels


def centres_of(sizes: Sizes, like: Tensor) -> Tensor:
    """Return (L, 2) x and y of each pixel's centre, as fractions of its map's width and height."""
    centres = []
    for height, width in sizes:
        y = (torch.arange(height, dtype=torch.float32, device=like.device) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32, device=like.device) + 0.5) / width
        centres.append(torch.stack((x.repeat(height), y.repeat_interleave(width)), dim=1))
    return torch.cat(centres).to(like)


def attend_levels(
    attention: MultiScaleDeformableAttention,
    queries: Tensor,
    centres: Tensor,
    value: Tensor,
    sizes: Sizes,
) -> Tensor:
    """Return what the attention adds to its queries.

    Args:
        attention: mmcv's module.
        queries: (B, Q, C), positions included.
        centres: (Q, 2) x and y of each query in 0-1, the same in every level.
        value: (B, L, C), projected, the levels one after the other.
        sizes: Per level (height, width) in pixels.

    Returns:
        (B, Q, C).
    """
    shape = (attention.num_heads, attention.num_levels, attention.num_points)
    values = value.unflatten(2, (attention.num_heads, -1))
    factors = _factors(attention, queries).unflatten(3, shape[1:])
    offsets = zip(
        attention.sampling_offsets.weight.unflatten(0, (-1, 2)).unbind(1),
        attention.sampling_offsets.bias.unflatten(0, (-1, 2)).unbind(1),
        strict=True,
    )
    places = []
    for axis, (weight, bias) in enumerate(offsets):
        lengths = [size[1 - axis] for size in sizes for _ in range(attention.num_points)]
        length = queries.new_tensor(lengths).repeat(attention.num_heads)
        place = F.linear(queries, weight, bias - 0.5).addcmul_(centres[:, axis, None], length)
        places.append(place.unflatten(2, shape))
    seen = _sample(values, sizes, places, factors)
    return attention.dropout(attention.output_proj(seen))


def _factors(attention: MultiScaleDeformableAttention, queries: Tensor) -> Tensor:
    """Return the weights of a head's samples, (B, Q, H, samples), which sum to 1.

    On CPU, a softmax over a few numbers next to each other takes three times as long as one over
    rows of queries.
    """
    projection = attention.attention_weights
    logits = projection.weight @ queries.mT + projection.bias[:, None]
    weights = logits.unflatten(1, (attention.num_heads, -1)).softmax(2)
    return weights.permute(0, 3, 1, 2).contiguous()


def _sample(values: Tensor, sizes: Sizes, places: list[Tensor], factors: Tensor) -> Tensor:
    """Sum weighted samples by mmcv's kernel on CUDA, by the embedding bag on the CPU."""
    if not values.is_cuda:
        return sample_levels(values, sizes, places[0], places[1], factors)
    shapes = torch.tensor(sizes, device=values.device)
    lengths = shapes.flip(1)[:, None]
    locations = (torch.stack(places, dim=-1) + 0.5) / lengths
    if not has_compiled_ops():
        _warn_of_missing_kernel()
        return multi_scale_deformable_attn_pytorch(values, shapes, locations, factors)
    starts = F.pad(shapes.prod(1).cumsum(0), (1, 0))[:-1]
    # The kernel takes no bfloat16.
    arguments = (values.float(), shapes, starts, locations.float(), factors.float())
    return MultiScaleDeformableAttnFunction.apply(*arguments, 64).to(values)


@functools.cache
def _warn_of_missing_kernel() -> None:
    warnings.warn(
        "mmcv's CUDA kernel for deformable attention is not compiled: a slower path of PyTorch "
        "runs instead; `make ops` compiles it",
        stacklevel=2,
    )
