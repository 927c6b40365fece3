"""ResoBlend: image tokens blended into each level of the colormap's pyramid (Eq. 14, 15).

Letters: B images, (g, g) grid of image tokens, C their width, (h, w) size of a pyramid level, c its
channels, D attention width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

PARTS = ("SA", "CA", "FF", "RES", "CONV")
QUERIES = ("image", "mask")


def sine_code(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Return (height * width, channels) sine positions in the unit square.

    A quarter of the channels each for sin y, cos y, sin x, cos x. Coordinates are relative, so that
    grids of different resolution agree on where a place is.

    Args:
        height: Rows of the grid.
        width: Its columns.
        channels: A multiple of 4.
        device: Where to.
    """
    frequencies = torch.pi * 2.0 ** torch.arange(channels // 4, device=device)
    rows = (torch.arange(height, device=device) + 0.5) / height
    columns = (torch.arange(width, device=device) + 0.5) / width
    by_row = (rows[:, None] * frequencies)[:, None].expand(-1, width, -1)
    by_column = (columns[:, None] * frequencies)[None].expand(height, -1, -1)
    code = [by_row.sin(), by_row.cos(), by_column.sin(), by_column.cos()]
    return torch.cat(code, dim=-1).flatten(0, 1)


class PositionedAttention(nn.Module):
    """Multi-head attention in which every head is given the whole position code.

    The paper does not say how positions enter; heads that see a part of the code only cannot tell
    places apart (*assumed*).

    Args:
        query_channels, key_channels: Widths of the two inputs.
        channels: Attention width D, ``heads`` times a multiple of 4.
        heads: Number of heads.
    """

    def __init__(self, query_channels: int, key_channels: int, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(query_channels, channels)
        self.key = nn.Linear(key_channels, channels)
        self.value = nn.Linear(key_channels, channels)
        self.position_scale = nn.Parameter(torch.full((2,), 2.0))

    def forward(
        self, query: Tensor, keys: Tensor, query_grid: Sequence[int], key_grid: Sequence[int]
    ) -> Tensor:
        """Attend.

        Args:
            query: (B, Lq, query_channels) of a grid (height, width).
            keys: (B, Lk, key_channels), also the values.
            query_grid: (height, width) of the queries.
            key_grid: (height, width) of the keys.

        Returns:
            (B, Lq, D).
        """
        heads = [self._split(p) for p in (self.query(query), self.key(keys), self.value(keys))]
        width = heads[0].shape[-1]
        grids = (query_grid, key_grid)
        codes = [sine_code(*grid, width, query.device).to(query.dtype) for grid in grids]
        asked, offered = (
            head + scale * code
            for head, scale, code in zip(heads[:2], self.position_scale, codes, strict=True)
        )
        attended = F.scaled_dot_product_attention(asked, offered, heads[2])
        return attended.transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


@MODELS.register_module()
class ResoBlend(BaseModule):
    """Blends the single-level image feature into every level of the colormap's pyramid.

    One self-attention block on the image tokens serves all levels; each level has its own
    cross-attention, feed-forward network and convolution.

    Args:
        image_channels: C, width of the image tokens.
        mask_channels: Channels of the pyramid's levels, fine to coarse.
        out_channels: Channels of every blended level.
        channels: Attention width D.
        heads: Attention heads.
        query: "image" as Eq. 14 prints it: image tokens ask, the colormap level answers, on the
            tokens' grid. "mask" is the other reading of the text: the level asks at its own
            resolution and the image answers; the residual image feature is then resized to it.
        parts: Which of ``PARTS`` are there (Table XVII): self-attention, cross-attention,
            feed-forward, residual, convolution. Without cross-attention the mask features are
            "isolated from image features" (5.3.6): then the residual is the level itself,
            *inferred* from that sentence. Without convolution a linear map changes the width.

    Raises:
        ValueError: Unknown part or query.
    """

    def __init__(
        self,
        image_channels: int,
        mask_channels: Sequence[int],
        out_channels: int,
        channels: int = 64,
        heads: int = 4,
        query: str = "image",
        parts: Sequence[str] = PARTS,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if query not in QUERIES or not set(parts) <= set(PARTS):
            raise ValueError(f"ResoBlend: query is one of {QUERIES}, parts are of {PARTS}")
        self.query, self.parts = query, frozenset(parts)
        self.out_channels = out_channels
        if "SA" in self.parts:
            self.norm = nn.LayerNorm(image_channels)
            self.self_attention = PositionedAttention(
                image_channels, image_channels, channels, heads
            )
            self.self_project = nn.Linear(channels, image_channels)
        self.levels = nn.ModuleList(
            _Level(image_channels, width, out_channels, channels, heads, query, self.parts)
            for width in mask_channels
        )

    def forward(self, image: Tensor, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """Blend.

        Args:
            image: (B, C, g, g) tokens of the image encoder, Z_v.
            pyramid: Levels z^s of the colormap encoder, each (B, c, h, w).

        Returns:
            Levels z_w^s, each (B, out_channels, h, w).
        """
        grid = image.shape[-2:]
        tokens = image.flatten(2).transpose(1, 2)
        refined = tokens
        if "SA" in self.parts:
            normed = self.norm(tokens)
            attended = self.self_attention(normed, normed, grid, grid)
            refined = tokens + self.self_project(attended)
        return [
            level(tokens, refined, grid, features)
            for level, features in zip(self.levels, pyramid, strict=True)
        ]


class _Level(nn.Module):
    """One level's cross-attention, feed-forward network, residual and convolution.

    Attention and feed-forward network are normalised as in Mask2Former's layers: without it the
    image feature outweighs the colormap from the start, and the colormap is never made use of.
    """

    def __init__(
        self,
        image_channels: int,
        mask_channels: int,
        out_channels: int,
        channels: int,
        heads: int,
        query: str,
        parts: frozenset[str],
    ) -> None:
        super().__init__()
        self.query, self.parts = query, parts
        width = image_channels
        if "CA" in parts:
            asks, answers = (
                (image_channels, mask_channels)
                if query == "image"
                else (mask_channels, image_channels)
            )
            self.attention = PositionedAttention(asks, answers, channels, heads)
            self.project = nn.Linear(channels, width)
            self.attention_norm = nn.LayerNorm(width)
        if "CA" not in parts or query == "mask":
            self.mask_project = nn.Linear(mask_channels, width)
        if "FF" in parts:
            self.feed_forward = nn.Sequential(
                nn.Linear(width, 2 * width), nn.ReLU(inplace=True), nn.Linear(2 * width, width)
            )
            self.feed_forward_norm = nn.LayerNorm(width)
        kernel = 3 if "CONV" in parts else 1
        self.convolution = nn.Conv2d(width, out_channels, kernel, padding=kernel // 2)

    def forward(
        self, tokens: Tensor, refined: Tensor, grid: Sequence[int], features: Tensor
    ) -> Tensor:
        """Blend one level, see :class:`ResoBlend`: (B, out_channels, h, w)."""
        size = features.shape[-2:]
        level = features.flatten(2).transpose(1, 2)
        place = grid if self.query == "image" else size
        if "CA" not in self.parts:
            residual = self.mask_project(_resized(level, size, place))
            blended = residual
        elif self.query == "image":
            attended = self.project(self.attention(refined, level, grid, size))
            blended = self.attention_norm(attended)
            residual = tokens
        else:
            attended = self.project(self.attention(level, refined, size, grid))
            blended = self.attention_norm(attended + self.mask_project(level))
            residual = _resized(tokens, grid, size)
        if "FF" in self.parts:
            blended = self.feed_forward_norm(blended + self.feed_forward(blended))
        if "RES" in self.parts:
            blended = blended + residual
        blended = self.convolution(blended.transpose(1, 2).unflatten(2, tuple(place)))
        return F.interpolate(blended, size, mode="bilinear", align_corners=False)


def _resized(tokens: Tensor, grid: Sequence[int], size: Sequence[int]) -> Tensor:
    """Resize (B, L, C) tokens from one grid (height, width) to another."""
    if tuple(grid) == tuple(size):
        return tokens
    picture = tokens.transpose(1, 2).unflatten(2, tuple(grid))
    if size[0] < grid[0]:
        resized = F.adaptive_avg_pool2d(picture, tuple(size))
    else:
        resized = F.interpolate(picture, tuple(size), mode="bilinear", align_corners=False)
    return resized.flatten(2).transpose(1, 2)
