"""Weighted bilinear samples of feature maps, the core of multi-scale deformable attention, on CPU.

mmcv's PyTorch path writes out every sample before it is weighted and summed: for each query and
channel, levels x points values. Here a sample is four rows of a table, and PyTorch's embedding bag
sums weighted rows as it reads them.

Letters: B images, L pixels of all levels, Q queries, H heads, D channels of a head, S samples of a
query and head: levels x points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from scipy.sparse import csc_array
from torch import Tensor
from torch.autograd.function import once_differentiable

Sizes = list[tuple[int, int]]

# Queries at once: what is computed for them (a number a head and sample) stays in the caches.
QUERIES_AT_ONCE = 2048


def sample_levels(
    value: Tensor, sizes: Sizes, columns: Tensor, rows: Tensor, weights: Tensor
) -> Tensor:
    """Sum weighted bilinear samples; outside of a map is zero.

    Equals mmcv's ``multi_scale_deformable_attn_pytorch`` up to rounding, but takes places in pixels.

    Args:
        value: (B, L, H, D), the levels one after the other, row by row.
        sizes: Per level (height, width), L in sum.
        columns: (B, Q, H, levels, points), pixels of the sample's level; 0 is the centre of the
            first column.
        rows: Likewise.
        weights: Likewise, factors of the samples.

    Returns:
        (B, Q, H D).
    """
    levels = _Levels.of(sizes, value.shape[2], columns.shape[-1], value)
    table = _bordered(value, sizes)
    placed = [part.flatten(3) for part in (columns, rows, weights)]
    return _Sampled.apply(table, *placed, levels)


class _Levels(NamedTuple):
    """What the samples' levels are, for each of S samples, in the bordered table.

    Attributes:
        last_column: (S,) int, of the level within its border.
        last_row: Likewise.
        stride: (S,) int, rows of the table from a pixel to the one below.
        start: (H, S) int, row of the table of the border's first pixel.
    """

    last_column: Tensor
    last_row: Tensor
    stride: Tensor
    start: Tensor

    @classmethod
    def of(cls, sizes: Sizes, heads: int, points: int, like: Tensor) -> _Levels:
        starts = [0]
        for height, width in sizes:
            starts.append(starts[-1] + (height + 2) * (width + 2) * heads)
        facts = [
            [width for _, width in sizes],
            [height for height, _ in sizes],
            [(width + 2) * heads for _, width in sizes],
            starts[:-1],
        ]
        column, row, stride, start = (
            torch.tensor(fact, dtype=torch.int32, device=like.device).repeat_interleave(points)
            for fact in facts
        )
        head = torch.arange(heads, dtype=torch.int32, device=like.device)
        return cls(column, row, stride, start + head[:, None])


def _bordered(value: Tensor, sizes: Sizes) -> Tensor:
    """Return (B, rows, D): each level with a border of zeros, a row a pixel and head."""
    maps = value.flatten(2).split([height * width for height, width in sizes], dim=1)
    bordered = [
        F.pad(one.unflatten(1, size), (0, 0, 1, 1, 1, 1)).flatten(1, 2)
        for one, size in zip(maps, sizes, strict=True)
    ]
    return torch.cat(bordered, dim=1).view(len(value), -1, value.shape[-1])


class _Corners(NamedTuple):
    """The four pixels around each sample, rows of a table and their factors, each (n, H, S)."""

    upper: Tensor
    lower: Tensor
    factors: tuple[Tensor, Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, columns: Tensor, rows: Tensor, weights: Tensor, levels: _Levels) -> _Corners:
        """Place samples (n, H, S) in the table; the right neighbour of a row is H rows on."""
        left, right_share = _left_of(columns, levels.last_column)
        top, lower_share = _left_of(rows, levels.last_row)
        upper = top.mul_(levels.stride).add_(left.mul_(levels.start.shape[0])).add_(levels.start)
        below = weights * lower_share
        above = weights - below
        above_right, below_right = above * right_share, below * right_share
        factors = (above - above_right, above_right, below - below_right, below_right)
        return cls(upper, upper + levels.stride, factors)

    def summed(self, table: Tensor) -> Tensor:
        """Return (n, H D) from a table (rows, D)."""
        heads = self.upper.shape[1]
        tables = (table, table[heads:], table, table[heads:])
        indices = (self.upper, self.upper, self.lower, self.lower)
        total: Tensor | None = None
        for rows, index, factors in zip(tables, indices, self.factors, strict=True):
            part = F.embedding_bag(
                index.flatten(0, 1), rows, mode="sum", per_sample_weights=factors.flatten(0, 1)
            )
            total = part if total is None else total.add_(part)
        assert total is not None
        return total.view(-1, heads * table.shape[-1])

    def scattered(self, summed_grad: Tensor, table: Tensor) -> Tensor:
        """Return the table's gradient from that of what :meth:`summed` returns."""
        heads = self.upper.shape[1]
        indices = (self.upper, self.upper + heads, self.lower, self.lower + heads)
        index = torch.cat(indices, dim=-1).flatten(0, 1)
        factors = torch.cat(self.factors, dim=-1).detach().flatten()
        starts = torch.arange(0, index.numel() + 1, index.shape[1], dtype=index.dtype)
        matrix = csc_array(
            (factors.numpy(), index.flatten().numpy(), starts.numpy()),
            shape=(len(table), len(index)),
        )
        return torch.from_numpy(matrix @ summed_grad.reshape(len(index), -1).numpy())


def _left_of(places: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixel left of a place, counted from the border, and the right one's share.

    Places are pixels of the map; those outside fall on the border. The integers are bounded, not
    the places alone: a place that is not a number must not read outside of the table.
    """
    bounded = torch.minimum((places + 1).clamp_(min=0), last + 1)
    left = torch.minimum(bounded.detach().int(), last).clamp_(min=0)
    return left, bounded - left


class _Sampled(torch.autograd.Function):
    """:func:`sample_levels` of a bordered table; keeps its inputs alone for the gradients."""

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, columns: Tensor, rows: Tensor, weights: Tensor, levels: _Levels
    ) -> Tensor:
        ctx.save_for_backward(table, columns, rows, weights)
        ctx.levels = levels
        batch_size, queries, heads, _ = columns.shape
        summed = table.new_empty(batch_size, queries, heads * table.shape[-1])
        for at in _pieces(batch_size, queries):
            corners = _Corners.of(columns[at], rows[at], weights[at], levels)
            summed[at] = corners.summed(table[at[0]])
        return summed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, summed_grad: Tensor) -> tuple[Tensor | None, ...]:
        table, *placed = ctx.saved_tensors
        table_grad = torch.zeros_like(table)
        grads = [torch.empty_like(part) for part in placed]
        for at in _pieces(*summed_grad.shape[:2]):
            leaves = [part[at].detach().requires_grad_() for part in placed]
            with torch.enable_grad():
                corners = _Corners.of(*leaves, ctx.levels)
                summed = corners.summed(table[at[0]])
            for grad, part in zip(
                grads, torch.autograd.grad(summed, leaves, summed_grad[at]), strict=True
            ):
                grad[at] = part
            table_grad[at[0]] += corners.scattered(summed_grad[at], table[at[0]])
        return table_grad, *grads, None


def _pieces(batch_size: int, queries: int) -> Iterator[tuple[int, slice]]:
    """Yield image and queries of each piece that is computed at once."""
    for image in range(batch_size):
        for first in range(0, queries, QUERIES_AT_ONCE):
            yield image, slice(first, first + QUERIES_AT_ONCE)
