"""From the mask logits of several views to one non-overlapping map of scored entities.

Letters: T views, N queries, K kept entities, (h4, w4) low-resolution logits of the padded network
input, (H, W) the photograph's own size.

Nothing of size queries x views x photograph is ever held. The two resizes that a view's logits go
through are linear and separable, so their composition is one small matrix per axis; the photograph
is worked off in tiles in which the same views cover every pixel. A tile starts with the query that
would be painted last and stops when no pixel is free, which gives the same map as painting in
ascending order. A query whose largest possible fused probability in a tile stays below the
threshold is skipped there: a resize is a convex combination of the logits it reads, so the mean
over views of sigmoid(largest logit read) is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.segmentation.label_map import encode_label_map

Views = Literal["all", "full", "crops"]
Score = Literal["double_sigmoid", "single_sigmoid"]
Size = tuple[int, int]
Box = tuple[int, int, int, int]

MASK_THRESHOLD = 0.5  # strict, on the fused probability
AREA_EPSILON = 1e-6  # of the released code's mask quality
TILE_SIDE = 256  # pixels; narrow tiles read few logits, which keeps the matrices small
WORKING_VALUES = 1 << 20  # queries x pixels held at once, float32
BOUND_SLACK = 1e-3  # far above float32 rounding of a fused probability


@dataclass(frozen=True)
class MergedEntities:
    """Non-overlapping entities of one photograph, in the order of their queries.

    Attributes:
        label_map: (H, W) int16, or int32 for over 32,767 entities; k + 1 where entity k is, 0
            where none is.
        scores: (K,) float32, class score times mask quality, 0-1; 0 for an empty mask.
        class_scores: (K,) float32, 0-1.
        areas: (K,) int64, pixels.
    """

    label_map: Tensor
    scores: Tensor
    class_scores: Tensor
    areas: Tensor


@dataclass(frozen=True)
class _View:
    """One view's logits and the resize from them to the view's own pixels.

    Attributes:
        logits: (N, h4, w4) float32.
        box: xyxy in pixels of the photograph.
        row_weights: (h4, box height) float32, columns sum to 1.
        column_weights: (w4, box width) float32, columns sum to 1.
    """

    logits: Tensor
    box: Box
    row_weights: Tensor
    column_weights: Tensor

    def covers(self, tile: Box) -> bool:
        left, top, right, bottom = self.box
        return left <= tile[0] and top <= tile[1] and right >= tile[2] and bottom >= tile[3]

    def window(self, tile: Box) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits that a tile reads, (N, r, c), and their row and column weights."""
        left, top = self.box[:2]
        rows, row_weights = _support(self.row_weights[:, tile[1] - top : tile[3] - top])
        columns, column_weights = _support(self.column_weights[:, tile[0] - left : tile[2] - left])
        return self.logits[:, rows, columns], row_weights, column_weights


@torch.no_grad()
def merge_views(
    view_logits: Tensor,
    class_scores: Tensor,
    view_boxes: Tensor,
    input_size: Size,
    valid_size: Size | Sequence[Size],
    image_size: Size,
    *,
    views: Views = "all",
    score: Score = "double_sigmoid",
    max_entities: int = 100,
) -> MergedEntities:
    """Fuse what all views predict for one photograph and drop overlaps.

    Per view, logits go bilinearly (corners not aligned) to the padded input, are cut to the valid
    area, go bilinearly to the view's own pixels and through a sigmoid. A pixel's fused probability
    is the mean over the views that cover it; a query's binary mask is where that exceeds 0.5.
    Masks are painted in ascending class score, the later over the earlier; among equal class
    scores the query with the larger index is painted later.

    Source: paper 4.1, Inference; non-overlap rule and scores as in qqlu/Entity,
    Entityv2/CropFormer/mask2former/cropformer_model.py.

    Args:
        view_logits: (T, N, h4, w4) float, mask logits at the padded input's stride.
        class_scores: (N,) float, probability of "entity", 0-1.
        view_boxes: (T, 4) xyxy in pixels of the photograph, whole numbers; view 0 is the full
            image.
        input_size: (height, width) of the padded network input, pixels.
        valid_size: (height, width) of the resized views inside it, pixels; one, or one a view.
        image_size: (H, W) of the photograph, pixels.
        views: Average over all views, the full one only, or the crops only. A pixel that no
            chosen view covers has probability 0.
        score: Mask quality is the mean over the final mask of sigmoid(p) as in the released code
            (``double_sigmoid``: p is a probability already), or of p (``single_sigmoid``).
        max_entities: Keep the highest-scoring ones (equal scores: smaller query first). Pixels of
            the others become 0; they are not given to the query painted below.

    Returns:
        The entities; empty masks stay in the list with score 0.

    Raises:
        ValueError: Sizes, boxes or options that do not fit each other.
    """
    _check_inputs(view_logits, class_scores, view_boxes, views, score)
    valid_sizes = torch.as_tensor(valid_size).expand(len(view_logits), 2).tolist()
    for valid in valid_sizes:
        _check_sizes(input_size, valid, image_size)
    wanted = {"all": slice(None), "full": slice(1), "crops": slice(1, None)}[views]
    chosen = [
        _view(logits, box, (input_size, valid, image_size))
        for logits, box, valid in zip(
            view_logits[wanted].float(),
            view_boxes[wanted].tolist(),
            valid_sizes[wanted],
            strict=True,
        )
    ]
    order = torch.argsort(class_scores, stable=True).flip(0)
    num_queries = len(class_scores)
    device = view_logits.device
    label_map = torch.zeros(image_size, dtype=_label_dtype(num_queries), device=device)
    areas = torch.zeros(num_queries + 1, dtype=torch.int64, device=device)
    quality_sums = torch.zeros(num_queries + 1, dtype=torch.float64, device=device)
    for tile in _tiles([view.box for view in chosen], image_size):
        covering = [view for view in chosen if view.covers(tile)]
        if covering:
            labels, fused = _paint_tile(covering, order, tile)
            label_map[tile[1] : tile[3], tile[0] : tile[2]] = labels
            flat = labels.flatten()
            quality = (torch.sigmoid(fused) if score == "double_sigmoid" else fused).flatten()
            areas += torch.bincount(flat, minlength=num_queries + 1)
            quality_sums.index_add_(0, flat, quality.double())
    quality = (quality_sums / (areas + AREA_EPSILON)).float()[1:]
    class_scores = class_scores.float()
    merged = MergedEntities(label_map, class_scores * quality, class_scores, areas[1:])
    return _keep_best(merged, max_entities)


def label_map_to_rles(merged: MergedEntities) -> tuple[list[dict[str, Any]], Tensor]:
    """Encode the entities that have pixels, highest score first.

    Empty masks are left out: with score 0 they come last and change no AP.

    Args:
        merged: Result of :func:`merge_views`.

    Returns:
        COCO run-length encodings at the photograph's size, and the (k,) int64 indices of their
        entities in ``merged``.
    """
    encoded = encode_label_map(merged.label_map.cpu().numpy(), len(merged.scores))
    order = torch.argsort(merged.scores, descending=True, stable=True)
    kept = order[merged.areas[order] > 0]
    return [encoded[index] for index in kept.tolist()], kept


def _check_inputs(
    view_logits: Tensor, class_scores: Tensor, view_boxes: Tensor, views: str, score: str
) -> None:
    """Refuse tensors that do not belong together and unknown options."""
    if view_logits.ndim != 4:
        raise ValueError(f"view_logits has shape {tuple(view_logits.shape)}, not (T, N, h4, w4)")
    num_views, num_queries = view_logits.shape[:2]
    if tuple(class_scores.shape) != (num_queries,):
        raise ValueError(
            f"class_scores has shape {tuple(class_scores.shape)}, not {(num_queries,)}"
        )
    if tuple(view_boxes.shape) != (num_views, 4):
        raise ValueError(f"view_boxes has shape {tuple(view_boxes.shape)}, not {(num_views, 4)}")
    if views not in ("all", "full", "crops"):
        raise ValueError(f"views is {views!r}, not 'all', 'full' or 'crops'")
    if views == "crops" and num_views == 1:
        raise ValueError("views='crops' with the full view only")
    if score not in ("double_sigmoid", "single_sigmoid"):
        raise ValueError(f"score is {score!r}, not 'double_sigmoid' or 'single_sigmoid'")


def _check_sizes(input_size: Size, valid_size: Size, image_size: Size) -> None:
    """Refuse empty sizes and a valid area larger than the padded input."""
    if min(*input_size, *valid_size, *image_size) < 1:
        raise ValueError(f"empty size among {input_size}, {valid_size}, {image_size}")
    if valid_size[0] > input_size[0] or valid_size[1] > input_size[1]:
        raise ValueError(f"valid_size {valid_size} exceeds input_size {input_size}")


def _view(logits: Tensor, box: list[float], sizes: tuple[Size, Size, Size]) -> _View:
    """Return a view with its composed resize.

    Args:
        logits: (N, h4, w4).
        box: xyxy in pixels of the photograph.
        sizes: Of the padded input, of the view inside it, and of the photograph.
    """
    input_size, valid_size, (height, width) = sizes
    left, top, right, bottom = (round(edge) for edge in box)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(f"view box {box} is empty or leaves the image {(height, width)}")
    rows = (logits.shape[1], input_size[0], valid_size[0], bottom - top)
    columns = (logits.shape[2], input_size[1], valid_size[1], right - left)
    return _View(
        logits,
        (left, top, right, bottom),
        _resize_weights(*rows, logits.device),
        _resize_weights(*columns, logits.device),
    )


def _resize_weights(low: int, padded: int, valid: int, target: int, device: torch.device) -> Tensor:
    """Return (low, target) weights of: resize to ``padded``, cut to ``valid``, resize again.

    The resizes are applied to unit vectors, so the weights are exactly PyTorch's.
    """
    unit = torch.eye(low, device=device)[None]
    at_input = F.interpolate(unit, size=padded, mode="linear", align_corners=False)[..., :valid]
    return F.interpolate(at_input, size=target, mode="linear", align_corners=False)[0]


def _support(weights: Tensor) -> tuple[slice, Tensor]:
    """Return the range of rows with a non-zero weight, and the (r, pixels) weights in it."""
    used = weights.any(dim=1).nonzero()
    rows = slice(int(used[0]), int(used[-1]) + 1)
    return rows, weights[rows]


def _tiles(boxes: list[Box], image_size: Size) -> Iterator[Box]:
    """Yield xyxy tiles that fill the image and are crossed by no view's edge."""
    rows = _cuts({edge for box in boxes for edge in box[1::2]} | {0, image_size[0]})
    columns = _cuts({edge for box in boxes for edge in box[0::2]} | {0, image_size[1]})
    for top, bottom in rows:
        for left, right in columns:
            yield left, top, right, bottom


def _cuts(edges: set[int]) -> list[tuple[int, int]]:
    """Return consecutive intervals between the edges, none longer than the tile's side."""
    ordered = sorted(edges)
    return [
        (start, min(start + TILE_SIDE, end))
        for begin, end in zip(ordered[:-1], ordered[1:], strict=True)
        for start in range(begin, end, TILE_SIDE)
    ]


def _paint_tile(covering: list[_View], order: Tensor, tile: Box) -> tuple[Tensor, Tensor]:
    """Paint one tile that all of ``covering`` cover.

    Args:
        covering: Views to average.
        order: (N,) query indices, the one painted last first.
        tile: xyxy in pixels of the photograph.

    Returns:
        (rows, columns) int64, query index + 1 or 0; (rows, columns) float32, the painted query's
        fused probability.
    """
    windows = [view.window(tile) for view in covering]
    bounds = torch.stack([torch.sigmoid(logits.amax((1, 2))) for logits, _, _ in windows]).mean(0)
    order = order[bounds[order] > MASK_THRESHOLD - BOUND_SLACK]
    shape = (tile[3] - tile[1], tile[2] - tile[0])
    labels = torch.zeros(shape, dtype=torch.int64, device=order.device)
    painted = torch.zeros(shape, device=order.device)
    per_chunk = min(max(1, WORKING_VALUES // labels.numel()), torch.iinfo(torch.int16).max)
    for queries in order.split(per_chunk) if len(order) else ():
        fused = _fuse(windows, queries)
        last = len(queries)
        # Highest for the query painted last. int16: PyTorch reduces int64 100 times slower.
        precedence = torch.arange(last, 0, -1, dtype=torch.int16, device=order.device)
        highest = ((fused > MASK_THRESHOLD) * precedence[:, None, None]).amax(0).long()
        fresh = (highest > 0) & (labels == 0)
        winner = (last - highest).clamp(max=last - 1)
        labels = torch.where(fresh, queries[winner] + 1, labels)
        painted = torch.where(fresh, fused.gather(0, winner[None])[0], painted)
        if bool(labels.all()):
            break
    return labels, painted


def _fuse(windows: list[tuple[Tensor, Tensor, Tensor]], queries: Tensor) -> Tensor:
    """Return the (queries, rows, columns) mean over views of the resized probabilities."""
    total: Tensor | None = None
    for logits, row_weights, column_weights in windows:
        wide = torch.matmul(row_weights.T, logits[queries])
        probabilities = torch.matmul(wide, column_weights).sigmoid_()
        total = probabilities if total is None else total.add_(probabilities)
    assert total is not None
    return total.div_(len(windows))


def _keep_best(merged: MergedEntities, max_entities: int) -> MergedEntities:
    """Drop all but the ``max_entities`` highest scores and renumber the map."""
    count = len(merged.scores)
    if count <= max_entities:
        return merged
    best = torch.argsort(merged.scores, descending=True, stable=True)[:max_entities]
    kept = best.sort().values
    renumber = merged.label_map.new_zeros(count + 1)
    renumber[kept + 1] = torch.arange(1, len(kept) + 1, device=kept.device).to(renumber.dtype)
    label_map = torch.empty_like(merged.label_map)
    for start in range(0, len(label_map), TILE_SIDE):
        rows = slice(start, start + TILE_SIDE)
        label_map[rows] = renumber[merged.label_map[rows].long()]
    return MergedEntities(
        label_map, merged.scores[kept], merged.class_scores[kept], merged.areas[kept]
    )


def _label_dtype(num_queries: int) -> torch.dtype:
    return torch.int16 if num_queries < 2**15 else torch.int32
