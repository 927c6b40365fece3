"""Position of a view among the views of an image, added to its pixel positions.

Letters: T views, C embedding width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MODES = ("index", "role", "none")
EPSILON = 1e-6  # of the released code


def sine_view_encoding(
    num_views: int, embed_dims: int, mode: str = "index", device: torch.device | None = None
) -> Tensor:
    """Return one sine embedding a view, for the batch-level decoder.

    Source: qqlu/Entity d67e36f, ``position_encoding.py``: view t of T sits at 2 pi (t + 1) /
    (T + 1e-6), so that a crop's code differs between training (T = 2) and inference (T = 5).
    ``role`` removes that (ours): every crop takes the code that the crop has in training.

    Args:
        num_views: T, the full image first.
        embed_dims: C, even.
        mode: ``index`` as released, ``role`` full image or crop, ``none`` zeros.
        device: Where the result lives.

    Returns:
        (T, C) float in [-1, 1].

    Raises:
        ValueError: Unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"view_encoding {mode!r} is not one of {', '.join(MODES)}")
    if mode == "none":
        return torch.zeros(num_views, embed_dims, device=device)
    if mode == "index":
        place = torch.arange(1, num_views + 1, device=device) / (num_views + EPSILON)
    else:
        place = torch.ones(num_views, device=device)
        place[0] = 0.5
    exponent = 2 * torch.arange(embed_dims // 2, device=device) / embed_dims
    angle = (place * 2 * math.pi)[:, None] / 10000.0**exponent
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)
