"""cIoU and gIoU: the worked example, ignore and no-target rules, a slow second implementation."""

import math

import numpy as np
import pytest

from tests.workbench.random_masks import near, random_mask, rle
from workbench.metrics.referring_iou import ReferringIoU


def row(*pixels):
    mask = np.zeros((1, 10), bool)
    mask[0, list(pixels)] = True
    return mask


# (predicted, target, ignored) of the four expressions of the example.
EXAMPLE = [
    (row(0, 1, 2), row(0, 1, 2, 3, 4, 5), None),
    (row(0, 1, 2, 3), row(0, 1), row(3)),
    (row(), row(), None),
    (row(7), row(), None),
]


@pytest.mark.parametrize("encode", [lambda mask: mask, rle], ids=["arrays", "rle"])
def test_worked_example(encode):
    sums = ReferringIoU()
    each = [sums.add(*(m if m is None else encode(m) for m in masks)) for masks in EXAMPLE]
    assert each == pytest.approx([3 / 6, 2 / 3, 1, 0], abs=1e-5)
    assert (sums.intersection, sums.union) == (5, 10)
    assert sums.metrics()["cIoU"] == pytest.approx(0.5, abs=1e-10)
    assert sums.metrics()["gIoU"] == pytest.approx(0.5416659, abs=5e-8)
    assert round(sums.metrics()["gIoU"], 6) == 0.541666
    assert (sums.count, sums.without_target) == (4, 2)


def test_no_prediction_is_an_empty_mask():
    sums = ReferringIoU()
    assert sums.add(None, row(1)) == 0.0
    assert sums.add(None, row()) == 1.0
    assert sums.union == 1


def test_a_target_that_is_ignored_whole_is_no_target():
    sums = ReferringIoU()
    assert sums.add(row(1), row(1, 2), ignore=row(1, 2)) == 1.0
    assert (sums.union, sums.without_target) == (0, 1)


def test_nothing_is_undefined():
    assert math.isnan(ReferringIoU().metrics()["cIoU"])


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"\[1, 9\] and \[1, 10\]"):
        ReferringIoU().add(row()[:, :9], row())
    with pytest.raises(ValueError, match="sizes"):
        ReferringIoU().add(row(), row(), row()[:, 1:])


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_the_slow_implementation(seed):
    """Label maps as the reference has them: 0, 1, and 255 for ignored, on both sides."""
    rng = np.random.default_rng(seed)
    sums, inter, union, ious = ReferringIoU(), 0, 0, []
    for _ in range(40):
        target = random_mask(rng)
        found = near(rng, target) if rng.random() < 0.6 else random_mask(rng)
        ignore = random_mask(rng) if rng.random() < 0.4 else None
        sums.add(rle(found), rle(target), None if ignore is None else rle(ignore))
        output, label = found.astype(int), target.astype(int)
        if ignore is not None:
            label[ignore] = 255
            output[label == 255] = 255
        mine = int(((output == 1) & (label == 1)).sum())
        both = int((output == 1).sum() + (label == 1).sum()) - mine
        inter, union = inter + mine, union + both
        ious.append(mine / (both + 1e-5) + (both == 0))
    assert sums.metrics()["cIoU"] == pytest.approx(inter / (union + 1e-10), abs=1e-12)
    assert sums.metrics()["gIoU"] == pytest.approx(np.mean(ious), abs=1e-12)
