"""Table I's statistics: worked examples, shapes by hand, a slow decode, what is left out."""

import math

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.metrics.shape_statistics import METRICS, UNITS, ShapeStatistics, shape_of


def rle(mask):
    encoded = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def block(rows, columns, size=(40, 50)):
    mask = np.zeros(size, bool)
    mask[rows, columns] = True
    return mask


SQUARE = block(slice(5, 25), slice(10, 30))
L_SHAPE = SQUARE & ~block(slice(5, 15), slice(20, 30))


def test_worked_example_square():
    shape = shape_of(SQUARE)
    assert shape.convexity == 1.0
    assert shape.simplicity == pytest.approx(math.sqrt(math.pi) / 2, abs=5e-7)


def test_worked_example_l_shape():
    """Contour area 261.5, hull 311, perimeter 75.4142."""
    shape = shape_of(L_SHAPE)
    assert shape.convexity == pytest.approx(0.840836, abs=5e-7)
    assert shape.simplicity == pytest.approx(0.760129, abs=5e-7)


def test_worked_example_ideal_l_shape():
    """Pixels get near the ideal as the shape grows."""
    large = np.ones((4000, 4000), np.uint8)
    large[:2000, 2000:] = 0
    shape = shape_of(large)
    assert shape.convexity == pytest.approx(0.857143, abs=5e-4)
    assert shape.simplicity == pytest.approx(0.767495, abs=5e-4)


def test_holes_do_not_matter_and_parts_share_a_hull():
    holed = SQUARE & ~block(slice(10, 15), slice(15, 20))
    assert shape_of(holed) == shape_of(SQUARE)
    # Two 3 x 3 squares (areas 4 + 4, perimeters 8 + 8) in a row 11 px long: hull 2 x 10.
    parts = block(slice(0, 3), slice(0, 3)) | block(slice(0, 3), slice(8, 11))
    assert shape_of(parts).convexity == pytest.approx(8 / 20)
    assert shape_of(parts).simplicity == pytest.approx(math.sqrt(4 * math.pi * 8) / 16)


@pytest.mark.parametrize(
    "mask",
    [SQUARE & False, block(3, 4), block(3, slice(0, 50)), block(slice(0, 40), 7)],
    ids=["empty", "point", "row", "column"],
)
def test_what_encloses_nothing_has_no_shape(mask):
    assert shape_of(mask) is None
    assert shape_of(rle(mask)) is None


@pytest.mark.parametrize("seed", range(30))
def test_run_lengths_and_pixels_have_the_same_shape(seed):
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(1, 30, 2))
    mask = rng.random(size) < rng.random()
    assert shape_of(rle(mask)) == shape_of(mask)


def test_at_the_border_and_of_the_whole_image():
    whole = np.ones((20, 30), bool)
    assert shape_of(rle(whole)).convexity == 1.0
    corner = block(slice(0, 20), slice(30, 50))
    assert shape_of(rle(corner)) == shape_of(SQUARE)


def test_statistics_of_two_images():
    statistics = ShapeStatistics()
    overlap = block(slice(5, 25), slice(20, 40))
    masks = [rle(SQUARE), rle(overlap), rle(block(0, 0)), rle(L_SHAPE)]
    statistics.add((40, 50), masks, [False, False, False, True])
    statistics.add((60, 15), [rle(block(slice(0, 20), slice(0, 15), (60, 15)))], [False])
    metrics = statistics.metrics()
    assert metrics["ImageRes_avg"] == pytest.approx((math.sqrt(2000) + 30) / 2)
    assert metrics["ImageRes_mean_side"] == pytest.approx((45 + 37.5) / 2)
    assert metrics["ImageRes_long_side"] == 55
    assert (metrics["EntityNum_avg"], metrics["EntityNum_max"]) == (2, 3)
    # 20 x 30 px and one more of 2,000, and a third of the second image.
    assert metrics["Valid_Area"] == pytest.approx((601 / 2000 + 1 / 3) / 2)
    square, oblong = math.sqrt(math.pi) / 2, math.sqrt(4 * math.pi * 19 * 14) / 66
    assert metrics["Entity_Complexity"] == 1.0
    assert metrics["Entity_Simplicity"] == pytest.approx((2 * square + oblong) / 3)
    assert metrics["Entity_Simplicity_by_image"] == pytest.approx((square + oblong) / 2)
    assert (statistics.num_entities, statistics.num_crowds) == (4, 1)
    assert statistics.num_without_shape == 1


def test_images_without_entities_count_as_uncovered():
    statistics = ShapeStatistics()
    statistics.add((40, 50), [rle(np.ones((40, 50)))], [False])
    statistics.add((40, 50), [], [])
    metrics = statistics.metrics()
    assert (metrics["Valid_Area"], metrics["EntityNum_avg"]) == (0.5, 0.5)
    assert metrics["Entity_Complexity_by_image"] == 1.0


def test_nothing_seen_is_undefined():
    metrics = ShapeStatistics().metrics()
    assert tuple(metrics) == METRICS
    assert set(UNITS) == set(METRICS)
    assert np.isnan(list(metrics.values())).all()


def test_flags_must_fit_the_masks():
    with pytest.raises(ValueError, match="zip"):
        ShapeStatistics().add((40, 50), [rle(SQUARE)], [])
