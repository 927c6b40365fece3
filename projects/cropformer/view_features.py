"""Encoding the views of a batch a few at a time, so that memory does not grow with their number.

Letters: B images, T views, C embedding width, (H, W) size of a view, (h, w) of a map, L = h w.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workbench.layers import PixelFeatures

PIXELS_AT_ONCE = 1 << 19  # of views encoded together: small ones are quicker in groups


def encode_views(encode: Callable[[Tensor], PixelFeatures], inputs: Tensor) -> PixelFeatures:
    """Encode views, keeping of each only what is read later.

    Args:
        encode: From views (1, T', 3, H, W) to their features.
        inputs: (B, T, 3, H, W).

    Returns:
        Features of all views, (B, T, ...).
    """
    batch_size, num_views = inputs.shape[:2]
    views = inputs.flatten(0, 1)
    step = max(1, PIXELS_AT_ONCE // inputs[0, 0, 0].numel())
    if step >= len(views):
        return _regroup(encode(views[None]), (batch_size, num_views))
    kept = None
    for start in range(0, len(views), step):
        group = encode(views[None, start : start + step])
        if kept is None:
            kept = _room_for(group, len(views))
        _store(group, kept, slice(start, start + step))
        del group  # before the next views are encoded
    assert kept is not None
    return _regroup(kept, (batch_size, num_views))


def _room_for(group: PixelFeatures, count: int) -> PixelFeatures:
    """Return features of the shapes and layouts of ``group``, for (1, ``count``) views."""

    def room(one: Tensor) -> Tensor:
        inner = sorted(range(2, one.ndim), key=one.stride, reverse=True)
        size = (1, count, *one.shape[2:])
        return torch.empty_permuted(size, (0, 1, *inner), dtype=one.dtype, device=one.device)

    return PixelFeatures(
        room(group.mask_features),
        [room(memory) for memory in group.memories],
        group.positions,
        [room(compared) for compared in group.compared],
    )


def _store(group: PixelFeatures, kept: PixelFeatures, views: slice) -> None:
    kept.mask_features[:, views] = group.mask_features
    for level, memory in enumerate(group.memories):
        kept.memories[level][:, views] = memory
        kept.compared[level][:, views] = group.compared[level]


def _regroup(features: PixelFeatures, views: tuple[int, int]) -> PixelFeatures:
    """Return features of (1, B T) views as those of ``views`` (B, T)."""

    def regroup(one: Tensor) -> Tensor:
        return one.flatten(0, 1).unflatten(0, views)

    return PixelFeatures(
        regroup(features.mask_features),
        [regroup(memory) for memory in features.memories],
        features.positions,
        [regroup(compared) for compared in features.compared],
    )
