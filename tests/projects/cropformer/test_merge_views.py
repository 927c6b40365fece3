"""Worked examples, agreement with the slow direct chain, independence of tiles, errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from pycocotools import mask as mask_utils
from torch import Tensor

from projects.cropformer import merge_views as module
from projects.cropformer.merge_views import MergedEntities, label_map_to_rles, merge_views


def corner_boxes(height: int, width: int, ratio: float = 0.7) -> Tensor:
    """Full view, then upper-left, upper-right, lower-left and lower-right crops, xyxy."""
    rows, columns = int(ratio * height), int(ratio * width)
    right, bottom = width - columns, height - rows
    return torch.tensor(
        [
            [0, 0, width, height],
            [0, 0, columns, rows],
            [right, 0, width, rows],
            [0, bottom, columns, height],
            [right, bottom, width, height],
        ],
        dtype=torch.float32,
    )


def fuse_slowly(
    view_logits: Tensor,
    view_boxes: Tensor,
    input_size: tuple[int, int],
    valid_size: tuple[int, int] | list[tuple[int, int]],
    image_size: tuple[int, int],
    views: str,
) -> Tensor:
    """The chain as written down: every query, every view, at full size. (N, H, W)."""
    total = torch.zeros(view_logits.shape[1], *image_size)
    count = torch.zeros(image_size)
    chosen = {"all": range(len(view_boxes)), "full": [0], "crops": range(1, len(view_boxes))}
    sizes = torch.as_tensor(valid_size).expand(len(view_boxes), 2).tolist()
    for view in chosen[views]:
        height, width = sizes[view]
        left, top, right, bottom = (int(edge) for edge in view_boxes[view])
        at_input = F.interpolate(
            view_logits[view][None], input_size, mode="bilinear", align_corners=False
        )
        valid = at_input[..., :height, :width]
        own = F.interpolate(
            valid, (bottom - top, right - left), mode="bilinear", align_corners=False
        )
        total[:, top:bottom, left:right] += own[0].sigmoid()
        count[top:bottom, left:right] += 1
    return total / count.clamp(min=1)


def merge_slowly(fused: Tensor, class_scores: Tensor, double: bool) -> tuple[Tensor, Tensor]:
    """Paint every query at full size in ascending class score, then score the final masks."""
    label_map = torch.zeros(fused.shape[1:], dtype=torch.int64)
    for query in sorted(range(len(fused)), key=lambda q: (float(class_scores[q]), q)):
        label_map[fused[query] > 0.5] = query + 1
    scores = []
    for query, probability in enumerate(fused):
        mask = label_map == query + 1
        value = probability.sigmoid() if double else probability
        scores.append(class_scores[query] * value[mask].sum() / (mask.sum() + 1e-6))
    return label_map, torch.stack(scores)


def merge_plain(probabilities: Tensor, class_scores: list[float], **options: str) -> MergedEntities:
    """Merge one view whose logits are at the photograph's own size already."""
    size = (probabilities.shape[1], probabilities.shape[2])
    box = torch.tensor([[0, 0, size[1], size[0]]])
    logits = torch.logit(probabilities)[None]
    return merge_views(logits, torch.tensor(class_scores), box, size, size, size, **options)


EXAMPLE = torch.tensor(
    [
        [[0.9, 0.9, 0.9, 0.9, 0.6, 0.1, 0.1, 0.1]],
        [[0.1, 0.1, 0.7, 0.7, 0.8, 0.8, 0.1, 0.1]],
        [[0.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2]],
    ]
)


def test_worked_example_with_the_released_score() -> None:
    merged = merge_plain(EXAMPLE, [0.5, 0.9, 0.3])
    assert merged.label_map.tolist() == [[1, 1, 2, 2, 2, 2, 0, 0]]
    assert merged.areas.tolist() == [2, 4, 0]
    assert [f"{score:.6f}" for score in merged.scores] == ["0.355475", "0.611173", "0.000000"]


def test_worked_example_with_a_single_sigmoid() -> None:
    merged = merge_plain(EXAMPLE, [0.5, 0.9, 0.3], score="single_sigmoid")
    quality = merged.scores / merged.class_scores
    assert quality.tolist() == pytest.approx([0.9, 0.75, 0.0], abs=1e-6)


@pytest.mark.parametrize("views", ["all", "full", "crops"])
def test_views_of_different_sizes_in_one_input(views: str) -> None:
    """A crop that came out larger than the full view reads more of the padded input."""
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 6, 16, 24, generator=generator) * 4
    boxes = torch.tensor([[0, 0, 90, 60], [0, 0, 63, 42], [27, 18, 90, 60]])
    sizes = [(60, 89), (63, 96), (59, 90)]
    scores = torch.linspace(0.3, 0.9, 6)
    merged = merge_views(logits, scores, boxes, (64, 96), sizes, (60, 90), views=views)
    fused = fuse_slowly(logits, boxes, (64, 96), sizes, (60, 90), views)
    label_map, expected = merge_slowly(fused, scores, double=True)
    assert torch.equal(merged.label_map.long(), label_map)
    torch.testing.assert_close(merged.scores, expected, atol=1e-6, rtol=0)


def test_mean_of_the_covering_views() -> None:
    """One pixel of a 3x3 photograph lies in two crops: (0.4 + 0.7 + 0.6) / 3 = 0.5667."""
    boxes = torch.tensor([[0, 0, 3, 3], [0, 0, 2, 2], [1, 1, 3, 3]])
    logits = torch.logit(torch.tensor([0.4, 0.7, 0.6])).reshape(3, 1, 1, 1)
    merged = merge_views(
        logits, torch.ones(1), boxes, (1, 1), (1, 1), (3, 3), score="single_sigmoid"
    )
    # Means: corners without a crop 0.4; first crop only 0.55; second only 0.5 (not over 0.5).
    assert merged.label_map.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert float(merged.scores[0]) == pytest.approx((3 * 0.55 + 1.7 / 3) / 4, abs=1e-6)


@pytest.mark.parametrize("num_queries", [1, 7, 100])
@pytest.mark.parametrize(
    ("num_views", "views"), [(1, "all"), (2, "all"), (5, "all"), (5, "full"), (5, "crops")]
)
@pytest.mark.parametrize(
    ("low", "padded", "valid", "image"),
    [
        ((8, 12), (32, 48), (30, 45), (67, 101)),
        ((9, 7), (36, 28), (36, 28), (23, 19)),
        ((5, 6), (20, 24), (1, 24), (1, 37)),
    ],
)
def test_agrees_with_the_direct_chain(
    num_queries: int,
    num_views: int,
    views: str,
    low: tuple[int, int],
    padded: tuple[int, int],
    valid: tuple[int, int],
    image: tuple[int, int],
) -> None:
    generator = torch.Generator().manual_seed(num_queries * 10 + num_views)
    if image[0] == 1:
        boxes = torch.tensor([[0, 0, image[1], 1]] * num_views)
    else:
        boxes = corner_boxes(*image)[:num_views]
    logits = torch.randn(num_views, num_queries, *low, generator=generator) * 4 - 2
    class_scores = torch.rand(num_queries, generator=generator)
    fused = fuse_slowly(logits, boxes, padded, valid, image, views)
    for double in (True, False):
        label_map, scores = merge_slowly(fused, class_scores, double)
        merged = merge_views(
            logits,
            class_scores,
            boxes,
            padded,
            valid,
            image,
            views=views,  # type: ignore[arg-type]
            score="double_sigmoid" if double else "single_sigmoid",
        )
        assert torch.equal(merged.label_map.long(), label_map)
        assert torch.allclose(merged.scores, scores, atol=1e-5)
        assert torch.equal(
            merged.areas, torch.bincount(label_map.flatten(), minlength=num_queries + 1)[1:]
        )


@pytest.mark.parametrize("side", [1, 5, 64])
def test_does_not_depend_on_the_tile_or_the_working_size(
    monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 12, 6, 8, generator=generator) * 3
    arguments = (torch.rand(12, generator=generator), corner_boxes(41, 53), (24, 32), (22, 31))
    whole = merge_views(logits, *arguments, (41, 53))
    monkeypatch.setattr(module, "TILE_SIDE", side)
    monkeypatch.setattr(module, "WORKING_VALUES", 1)
    small = merge_views(logits, *arguments, (41, 53))
    assert torch.equal(whole.label_map, small.label_map)
    assert torch.allclose(whole.scores, small.scores, atol=1e-6)


def test_skipping_hopeless_queries_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(2, 30, 6, 6, generator=generator) - 1.5
    arguments = (torch.rand(30, generator=generator), corner_boxes(40, 40)[:2], (24, 24), (24, 24))
    skipped = merge_views(logits, *arguments, (40, 40))
    monkeypatch.setattr(module, "BOUND_SLACK", 1.0)
    assert torch.equal(skipped.label_map, merge_views(logits, *arguments, (40, 40)).label_map)


def test_all_empty_and_no_query() -> None:
    for num_queries in (0, 3):
        logits = torch.full((1, num_queries, 4, 4), -3.0)
        box = torch.tensor([[0, 0, 9, 7]])
        merged = merge_views(logits, torch.ones(num_queries), box, (16, 16), (14, 16), (7, 9))
        assert not merged.label_map.any()
        assert merged.scores.tolist() == [0.0] * num_queries
        masks, kept = label_map_to_rles(merged)
        assert masks == []
        assert kept.tolist() == []


def test_probability_of_exactly_one_half_is_background() -> None:
    assert not merge_plain(torch.full((1, 3, 3), 0.5), [1.0]).label_map.any()


def test_equal_class_scores_are_painted_by_query_index() -> None:
    assert merge_plain(torch.full((3, 2, 2), 0.9), [0.5, 0.5, 0.4]).label_map.unique().item() == 2


def test_permuting_queries_permutes_entities() -> None:
    generator = torch.Generator().manual_seed(8)
    logits = torch.randn(5, 6, 5, 5, generator=generator) * 4
    class_scores = torch.rand(6, generator=generator)
    turn = torch.randperm(6, generator=generator)
    sizes = (corner_boxes(31, 33), (20, 20), (19, 20), (31, 33))
    plain = merge_views(logits, class_scores, *sizes)
    turned = merge_views(logits[:, turn], class_scores[turn], *sizes)
    back = torch.cat([torch.zeros(1, dtype=torch.int64), turn + 1])
    assert torch.equal(back[turned.label_map.long()], plain.label_map.long())
    assert torch.allclose(turned.scores, plain.scores[turn])


def test_max_entities_keeps_the_highest_scores_in_query_order() -> None:
    merged = merge_plain(EXAMPLE, [0.5, 0.9, 0.3])
    size = (1, 8)
    box = torch.tensor([[0, 0, 8, 1]])
    logits = torch.logit(EXAMPLE)[None]
    scores = torch.tensor([0.5, 0.9, 0.3])
    best = merge_views(logits, scores, box, size, size, size, max_entities=1)
    assert best.label_map.tolist() == [[0, 0, 1, 1, 1, 1, 0, 0]]
    assert best.scores.tolist() == merged.scores[1:2].tolist()
    two = merge_views(logits, scores, box, size, size, size, max_entities=2)
    assert two.label_map.tolist() == merged.label_map.tolist()


def test_uncovered_pixels_are_background_with_crops_only() -> None:
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 2, 2]])
    logits = torch.full((2, 1, 2, 2), 5.0)
    merged = merge_views(logits, torch.ones(1), boxes, (8, 8), (8, 8), (4, 4), views="crops")
    assert int(merged.areas[0]) == 4
    assert merged.label_map[:2, :2].all()


def test_rles_are_the_label_map() -> None:
    generator = torch.Generator().manual_seed(2)
    merged = merge_plain(torch.rand(6, 13, 9, generator=generator), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    masks, kept = label_map_to_rles(merged)
    assert merged.scores[kept].tolist() == sorted(merged.scores[kept].tolist(), reverse=True)
    assert set(kept.tolist()) == set((merged.label_map.unique() - 1).tolist()) - {-1}
    for index, rle in zip(kept.tolist(), masks, strict=True):
        assert (mask_utils.decode(rle) == (merged.label_map == index + 1).numpy()).all()


def test_many_queries_fit_the_label_type() -> None:
    logits = torch.full((1, 40_000, 1, 1), -9.0)
    logits[0, 39_999] = 9.0
    box = torch.tensor([[0, 0, 2, 2]])
    merged = merge_views(
        logits, torch.ones(40_000), box, (1, 1), (1, 1), (2, 2), max_entities=40_000
    )
    assert merged.label_map.dtype == torch.int32
    assert merged.label_map.unique().item() == 40_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": "corners"}, "views"),
        ({"views": "crops"}, "full view only"),
        ({"score": "triple"}, "score"),
        ({"class_scores": torch.ones(3)}, "class_scores"),
        ({"view_boxes": torch.ones(2, 4)}, "view_boxes"),
        ({"view_boxes": torch.tensor([[0, 0, 9, 4]])}, "leaves the image"),
        ({"view_logits": torch.ones(2, 4, 4)}, "view_logits"),
        ({"valid_size": (20, 16)}, "valid_size"),
        ({"image_size": (0, 4)}, "empty size"),
    ],
)
def test_refuses_what_does_not_fit(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "view_logits": torch.ones(1, 2, 4, 4),
        "class_scores": torch.ones(2),
        "view_boxes": torch.tensor([[0, 0, 4, 4]]),
        "input_size": (16, 16),
        "valid_size": (16, 16),
        "image_size": (4, 4),
    }
    with pytest.raises(ValueError, match=message):
        merge_views(**(arguments | change))  # type: ignore[arg-type]
