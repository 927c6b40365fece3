"""Sine positions of the pixels of a map without padding."""

from __future__ import annotations

import torch
from mmdet.models.layers import SinePositionalEncoding
from torch import Tensor


def sine_positions(encoding: SinePositionalEncoding, size: tuple[int, int], like: Tensor) -> Tensor:
    """Return what the encoding gives for a map that is valid everywhere, pixel by pixel.

    A position is that of a row followed by that of a column, so sines of height + width places are
    enough.

    Args:
        encoding: MMDetection's, with its settings.
        size: (height, width) in pixels.
        like: Tensor of the wanted device and type.

    Returns:
        (height width, channels), row by row.
    """
    rows, columns = (_along(encoding, length, like) for length in size)
    height, width = size
    both = (rows[:, None].expand(-1, width, -1), columns.expand(height, -1, -1))
    return torch.cat(both, dim=2).flatten(0, 1)


def _along(encoding: SinePositionalEncoding, length: int, like: Tensor) -> Tensor:
    """Return (length, channels / 2) for the places 1 to ``length``."""
    places = torch.arange(1, length + 1, dtype=torch.float32, device=like.device)
    if encoding.normalize:
        places = (places + encoding.offset) / (length + encoding.eps) * encoding.scale
    channels = torch.arange(encoding.num_feats, dtype=torch.float32, device=like.device)
    waves = encoding.temperature ** (2 * (channels // 2) / encoding.num_feats)
    angles = places[:, None] / waves
    return torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), dim=2).flatten(1).to(like)
