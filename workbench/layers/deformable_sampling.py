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
QUERIES_AT_ONCE = 4096


def sample_levels(
    value: Tensor, sizes: Sizes, columns: Tensor, rows: Tensor, weights: Tensor
) -> Tensor:
    """Sum weighted bilinear samples; outside of a map is zero.

    Equals mmcv's ``multi_scale_deformable_attn_pytorch`` up to rounding; places are in pixels here.

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
    placed = [part.flatten(3) for part in (columns, rows, weights)]
    return _Sampled.apply(value, *placed, _Levels.of(sizes, value.shape[2], columns))


class _Levels(NamedTuple):
    """The table: every level with a border of zeros, row by row, a row of it a pixel and head.

    Attributes:
        sizes: Per level (height, width) without border.
        heads: H.
        last: Column and row of each sample's level that are the border, two (S,).
        stride: (S,) int, rows of the table from a pixel to the one below.
        start: (H, S) int, row of the table of the level's first pixel.
        length: Rows of the table.
    """

    sizes: Sizes
    heads: int
    last: tuple[Tensor, Tensor]
    stride: Tensor
    start: Tensor
    length: int

    @classmethod
    def of(cls, sizes: Sizes, heads: int, places: Tensor) -> _Levels:
        """Describe the levels of places (B, Q, H, levels, points)."""

        def spread(numbers: list[int], dtype: torch.dtype) -> Tensor:
            a_level = torch.tensor(numbers, dtype=dtype, device=places.device)
            return a_level.repeat_interleave(places.shape[-1])

        strides = [(width + 2) * heads for _, width in sizes]
        lengths = [(size[0] + 2) * stride for size, stride in zip(sizes, strides, strict=True)]
        starts = [sum(lengths[:n]) + stride + heads for n, stride in enumerate(strides)]
        last = (
            spread([width for _, width in sizes], places.dtype),
            spread([height for height, _ in sizes], places.dtype),
        )
        head = torch.arange(heads, dtype=torch.int32, device=places.device)
        start = spread(starts, torch.int32) + head[:, None]
        return cls(sizes, heads, last, spread(strides, torch.int32), start, sum(lengths))

    def table(self, value: Tensor) -> Tensor:
        """Return the table (B, length, D) of (B, L, H, D)."""
        table = value.new_zeros(len(value), self.length, value.shape[-1])
        for inner, level in zip(self._inner(table), self._maps(value), strict=True):
            inner.copy_(level)
        return table

    def value(self, table: Tensor) -> Tensor:
        """Return what is in a table, (B, L, H, D)."""
        levels = torch.cat([inner.flatten(1, 2) for inner in self._inner(table)], dim=1)
        return levels.unflatten(2, (self.heads, -1))

    def _maps(self, value: Tensor) -> list[Tensor]:
        levels = value.flatten(2).split([height * width for height, width in self.sizes], dim=1)
        return [one.unflatten(1, size) for one, size in zip(levels, self.sizes, strict=True)]

    def _inner(self, table: Tensor) -> list[Tensor]:
        """Return views (B, height, width, H D) of a table, without borders."""
        bordered = [(height + 2, width + 2) for height, width in self.sizes]
        pixels = table.view(len(table), -1, self.heads * table.shape[-1])
        levels = pixels.split([height * width for height, width in bordered], dim=1)
        return [
            one.unflatten(1, size)[:, 1:-1, 1:-1]
            for one, size in zip(levels, bordered, strict=True)
        ]


class _Corners(NamedTuple):
    """The four pixels around each sample: rows of a table and their factors, each (n, H, S).

    Right neighbours are H rows after the left ones.
    """

    upper: Tensor
    lower: Tensor
    factors: tuple[Tensor, Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, columns: Tensor, rows: Tensor, weights: Tensor, levels: _Levels) -> _Corners:
        """Place samples (n, H, S) in the table."""
        left, right_share = _before(columns, levels.last[0])
        top, lower_share = _before(rows, levels.last[1])
        upper = top.mul_(levels.stride).add_(left, alpha=levels.heads).add_(levels.start)
        # A place that is not a number must not read outside of the table.
        highest = levels.length - 1 - levels.heads - levels.stride
        upper = torch.minimum(upper, highest).clamp_(min=0)
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

    def entries(self) -> tuple[Tensor, Tensor]:
        """Return the rows of the table that are read and their factors, each (n H, 4 S)."""
        heads = self.upper.shape[1]
        read = (self.upper, self.upper + heads, self.lower, self.lower + heads)
        return torch.cat(read, dim=-1).flatten(0, 1), torch.cat(self.factors, dim=-1).flatten(0, 1)


def _before(places: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixel left of or above a place, and the share of the one after it.

    Places outside of the map fall on its border, at -1 or ``last``.
    """
    bounded = torch.clamp(places, torch.full_like(last, -1), last)
    before = torch.minimum(bounded.detach().floor(), last - 1)
    return before.int(), bounded - before


class _Sampled(torch.autograd.Function):
    """:func:`sample_levels`; keeps the table and the places for gradients, no sample."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, columns: Tensor, rows: Tensor, weights: Tensor, levels: _Levels
    ) -> Tensor:
        table = levels.table(value)
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
        batch_size, queries = summed_grad.shape[:2]
        grads = [torch.empty_like(part) for part in placed]
        entries: list[tuple[Tensor, Tensor]] = []
        for at in _pieces(batch_size, queries):
            leaves = [part[at].detach().requires_grad_() for part in placed]
            with torch.enable_grad():
                corners = _Corners.of(leaves[0], leaves[1], leaves[2], ctx.levels)
                summed = corners.summed(table[at[0]])
            found = torch.autograd.grad(summed, leaves, summed_grad[at])
            for grad, part in zip(grads, found, strict=True):
                grad[at] = part
            entries.append(corners.entries())
        per_image = len(entries) // batch_size
        table_grad = torch.stack(
            [
                _scattered(entries[n * per_image : (n + 1) * per_image], summed_grad[n], table[n])
                for n in range(batch_size)
            ]
        )
        return ctx.levels.value(table_grad), *grads, None


def _scattered(entries: list[tuple[Tensor, Tensor]], summed_grad: Tensor, table: Tensor) -> Tensor:
    """Return the gradient (length, D) of one image's table, given that of its sums (Q, H D).

    The sums are a sparse matrix times the table; this is its transpose times their gradient.
    """
    rows, factors = (torch.cat(parts).detach() for parts in zip(*entries, strict=True))
    starts = torch.arange(0, rows.numel() + 1, rows.shape[1], dtype=rows.dtype)
    transposed = csc_array(
        (factors.flatten().numpy(), rows.flatten().numpy(), starts.numpy()),
        shape=(len(table), len(rows)),
    )
    return torch.from_numpy(transposed @ summed_grad.reshape(len(rows), -1).numpy())


def _pieces(batch_size: int, queries: int) -> Iterator[tuple[int, slice]]:
    """Yield image and queries of each piece that is computed at once."""
    for image in range(batch_size):
        for first in range(0, queries, QUERIES_AT_ONCE):
            yield image, slice(first, first + QUERIES_AT_ONCE)
