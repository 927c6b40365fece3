"""Operators of box-based segmenters, by mmcv's own functions: worked examples and plain loops."""

import math

import pytest
import torch

from workbench.engine import box_ops, ops  # noqa: F401  (mmcv needs the stand-in)

BOXES = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5], [1, 0, 11, 10], [20, 20, 30, 30.0]])


def test_of_overlapping_boxes_the_best_stays():
    scores = torch.tensor([0.5, 0.9, 0.8, 0.1])
    # IoU of 1 with 0: 50 / 100; with 2: 45 / 105; of 0 with 2: 90 / 110.
    assert box_ops.nms(BOXES, scores, 0.5, 0).tolist() == [1, 2, 3]
    assert box_ops.nms(BOXES, scores, 0.4, 0).tolist() == [1, 3]
    assert box_ops.nms(BOXES, scores, 0.9, 0).tolist() == [1, 2, 0, 3]


def test_a_pixel_more_a_side_changes_the_overlap():
    boxes = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 2.0]])
    scores = torch.tensor([0.9, 0.8])
    # Sides of 2 pixels: 2 of 6 are common; of 1: none.
    assert box_ops.nms(boxes, scores, 0.3, 1).tolist() == [0]
    assert box_ops.nms(boxes, scores, 0.3, 0).tolist() == [0, 1]


def test_no_boxes_and_equal_scores():
    assert box_ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5, 0).tolist() == []
    assert box_ops.nms(BOXES[[0, 0, 0]], torch.ones(3), 0.5, 0).tolist() == [0]


def test_mmcv_finds_them():
    from mmcv.ops import batched_nms

    found, kept = batched_nms(
        BOXES, torch.tensor([0.5, 0.9, 0.8, 0.1]), torch.tensor([0, 1, 0, 0]),
        dict(type="nms", iou_threshold=0.4),
    )  # fmt: skip
    assert kept.tolist() == [1, 2, 3]
    assert found.shape == (3, 5)


def by_loops(features, roi, bins, scale, ratio, aligned):
    """RoIAlign of one region, sample by sample (He et al. 2017; mmcv's rules at the border)."""
    shift = 0.5 if aligned else 0.0
    left, top, right, bottom = (float(edge) * scale - shift for edge in roi[1:])
    width, height = right - left, bottom - top
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    rows = ratio or math.ceil(height / bins[0])
    columns = ratio or math.ceil(width / bins[1])
    out = torch.zeros(features.shape[1], *bins, dtype=features.dtype)
    for p in range(bins[0]):
        for q in range(bins[1]):
            for i in range(rows):
                for j in range(columns):
                    y = top + (p + (i + 0.5) / rows) * height / bins[0]
                    x = left + (q + (j + 0.5) / columns) * width / bins[1]
                    out[:, p, q] += sample(features[int(roi[0])], y, x)
    return out / max(rows * columns, 1)


def sample(image, y, x):
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(len(image), dtype=image.dtype)
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    upper = image[:, y0, x0] * (1 - x + x0) + image[:, y0, x1] * (x - x0)
    lower = image[:, y1, x0] * (1 - x + x0) + image[:, y1, x1] * (x - x0)
    return upper * (1 - y + y0) + lower * (y - y0)


ROIS = torch.tensor(
    [[1, 2, 3, 20, 17], [0, -9, -7, 6, 40], [1, 5, 5, 5.4, 5.2], [0, 25, 20, 60, 50.0]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_regions_are_pooled_as_by_plain_loops(aligned: bool, ratio: int) -> None:
    from mmcv.ops import roi_align

    features = torch.randn(2, 3, 8, 11, dtype=torch.float64)
    pooled = roi_align(features, ROIS, (3, 2), 0.25, ratio, "avg", aligned)
    expected = [by_loops(features, roi, (3, 2), 0.25, ratio, aligned) for roi in ROIS]
    torch.testing.assert_close(pooled, torch.stack(expected))


def test_gradients_are_those_of_the_pooling():
    from mmcv.ops import roi_align

    features = torch.randn(2, 2, 8, 11, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda given: roi_align(given, ROIS, (3, 2), 0.25, 0, "avg", True), features
    )


def test_no_region_and_max_pooling():
    from mmcv.ops import roi_align

    features = torch.zeros(1, 2, 4, 4)
    assert roi_align(features, torch.zeros(0, 5), (3, 2), 1.0, 0, "avg", True).shape == (0, 2, 3, 2)
    with pytest.raises(NotImplementedError, match="make ops"):
        roi_align(features, torch.zeros(1, 5), (3, 2), 1.0, 0, "max", True)
