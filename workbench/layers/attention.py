"""The layers of Mask2Former's transformer decoder through PyTorch's fused attention.

MMDetection's wrapper asks for the attention weights, which are averaged over heads and thrown away;
asked for the result alone, PyTorch neither makes nor keeps them. The functions here run
MMDetection's modules, so that parameters and checkpoints are theirs.

Letters: B images, N queries, L pixels, C width.
"""

from __future__ import annotations

import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import MultiheadAttention
from mmdet.models.layers.transformer import (
    Mask2FormerTransformerDecoderLayer,
)
from torch import Tensor


def decode_layer(
    layer: Mask2FormerTransformerDecoderLayer,
    queries: Tensor,
    positions: Tensor,
    keys: Tensor,
    values: Tensor,
    allowed: Tensor | None = None,
) -> Tensor:
    """Run one decoder layer: attend to pixels, then to each other, and transform.

    Args:
        layer: MMDetection's, without padding masks.
        queries: (B, N, C).
        positions: (B, N, C), added to queries where they ask and are asked.
        keys: (B, L, C), positions included.
        values: (B, L, C).
        allowed: (B, N, L) bool, the pixels a query may look at, at least one; all if None.

    Returns:
        (B, N, C).
    """
    if allowed is not None:
        allowed = allowed[:, None]
    seen = attend(layer.cross_attn, queries + positions, keys, values, allowed)
    queries = layer.norms[0](queries + seen)
    placed = queries + positions
    mixed = attend(layer.self_attn, placed, placed, queries)
    queries = layer.norms[1](queries + mixed)
    return layer.norms[2](layer.ffn(queries))


def attend(
    attention: MultiheadAttention,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return what the attention adds to its queries.

    Args:
        attention: mmcv's wrapper of ``nn.MultiheadAttention``.
        queries: (B, N, C).
        keys: (B, L, C).
        values: (B, L, C).
        allowed: (B, 1, N, L) bool or None, the same for all heads.
    """
    inner = attention.attn
    weights, biases = inner.in_proj_weight.chunk(3), inner.in_proj_bias.chunk(3)
    query, key, value = (
        F.linear(tokens, weight, bias).unflatten(2, (inner.num_heads, -1)).transpose(1, 2)
        for tokens, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    seen = F.scaled_dot_product_attention(
        query, key, value, allowed, dropout_p=inner.dropout if inner.training else 0.0
    )
    added = inner.out_proj(seen.transpose(1, 2).flatten(2))
    return attention.dropout_layer(attention.proj_drop(added))
