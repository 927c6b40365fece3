"""DIS5K's measures: the worked examples to the printed digits, slow formulas, edge cases."""

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import skeletonize

from workbench.metrics.dichotomous import (
    METRICS,
    DichotomousMeasures,
    score_map,
    stretch,
    structure_measure,
)

EPS = 1e-16


def worked_example():
    truth = np.zeros((8, 8), np.uint8)
    truth[2:6, 2:6] = 255
    prediction = truth.copy()
    prediction[2, 2:6] = 128
    prediction[2:6, 6] = 64
    return prediction, truth


def test_worked_example():
    score = score_map(*worked_example())
    assert score.f_curve.max() == 1.0
    assert score.f_curve.mean() == pytest.approx(0.921517, abs=5e-7)
    assert score.weighted_f == pytest.approx(0.939029, abs=5e-7)
    assert score.mae == pytest.approx(0.046814, abs=5e-7)
    assert score.structure == pytest.approx(0.940581, abs=5e-7)
    assert score.e_mean == pytest.approx(0.948499, abs=5e-7)


def square():
    truth = np.zeros((100, 100), np.uint8)
    truth[20:80, 20:80] = 255
    return truth


def with_a_bite():
    found = square()
    found[40:60, 50:80] = 0
    return found


def with_a_blob():
    found = square()
    found[2:14, 2:14] = 255
    return found


def dilated():
    found = square()
    found[19:81, 20:80] = found[20:80, 19:81] = 255
    return found


@pytest.mark.parametrize(
    ("found", "clicks"),
    [(square(), 0), (with_a_bite(), 2), (with_a_blob(), 1), (square() * 0, 9), (dilated(), 0)],
    ids=["perfect", "bite", "blob", "empty", "one pixel wider"],
)
def test_worked_examples_of_hce(found, clicks):
    assert score_map(found, square()).hce == clicks


def test_hce_takes_the_map_as_it_is():
    """Stretched to its own range, the grey square would be the foreground."""
    faint = (square() // 255 * 100).astype(np.uint8)
    assert score_map(faint, square()).hce == 9


def grown_within(seeds, allowed):
    """Grow by one pixel in four directions five times, each time within what is allowed."""
    for _ in range(5):
        seeds = ndimage.binary_dilation(seeds) & allowed
    return seeds


def slow_efforts(wrong, touching):
    """Count control points of the boundary runs that touch something, and components that do not.

    A boundary pixel is used once, in the order in which the contours visit it; where a contour's
    first and last run meet, they are one.
    """
    near = ndimage.binary_dilation(touching)
    labels, number = ndimage.label(wrong, np.ones((3, 3)))
    contours, _ = cv2.findContours(wrong.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    seen, touched, points = set(), set(), 0
    for contour in contours:
        runs, last = [], None
        for at, (x, y) in enumerate(map(tuple, contour[:, 0].tolist())):
            if not near[y, x] or (x, y) in seen:
                continue
            seen.add((x, y))
            touched.add(labels[y, x])
            if last != at - 1 or not runs:
                runs.append([])
            runs[-1].append((x, y))
            last = at
        if len(runs) > 1:
            gap = np.abs(np.subtract(runs[0][0], runs[-1][-1]))
            if gap.max() == 1:
                runs[-1] += runs.pop(0)[::-1]
        points += sum(len(cv2.approxPolyDP(np.array(run)[:, None], 2.0, False)) for run in runs)
    return points + number - len(touched)


def slow_hce(found, truth):
    found, truth = found > 128, truth > 128
    right, extra, missed = found & truth, found & ~truth, truth & ~found
    core = found | truth
    for _ in range(5):
        core = ndimage.binary_erosion(core, border_value=1)
    extra = extra & grown_within(extra & core, ~truth)
    missed = missed & grown_within(missed & core, ~found)
    missed |= skeletonize(truth) & ~right
    efforts = slow_efforts(extra, right | missed)
    return efforts + slow_efforts(missed, ~(right | extra | missed))


@pytest.mark.parametrize("seed", range(12))
def test_hce_equal_to_slow_steps(seed):
    """Blurred noise: many components, holes, and shapes that reach the border."""
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(60, 140, 2))
    noise = cv2.GaussianBlur(rng.normal(size=size), (0, 0), rng.uniform(2, 6))
    truth = ((noise > 0) * 255).astype(np.uint8)
    noise += cv2.GaussianBlur(rng.normal(size=size), (0, 0), 4) * rng.uniform(0.2, 2)
    found = np.clip(128 + noise / noise.std() * 60, 0, 255).astype(np.uint8)
    expected = slow_hce(found, truth)
    assert score_map(found, truth).hce == expected > 20


def slow_f(prediction, foreground, threshold):
    found = np.floor(prediction * 255) >= threshold
    right = (found & foreground).sum()
    precision = right / max(found.sum(), 1)
    recall = right / max(foreground.sum(), 1)
    if precision * recall == 0:
        return 0.0
    return 1.3 * precision * recall / (0.3 * precision + recall)


def slow_e(prediction, foreground, threshold):
    found = (np.floor(prediction * 255) >= threshold).astype(float)
    if not foreground.any():
        total = (1 - found).sum()
    elif foreground.all():
        total = found.sum()
    else:
        a, b = found - found.mean(), foreground - foreground.mean()
        total = ((2 * a * b / (a * a + b * b + EPS) + 1) ** 2 / 4).sum()
    return total / (foreground.size - 1)


def slow_weighted_f(prediction, foreground):
    """As the reference has it, with loops over pixels; ties of the nearest pixel are averaged."""
    height, width = foreground.shape
    inside = np.argwhere(foreground)
    error = abs(prediction - foreground)
    spread, distance = error.copy(), np.zeros(foreground.shape)
    for at in np.argwhere(~foreground):
        apart = ((inside - at) ** 2).sum(axis=1)
        nearest = {float(error[tuple(i)]) for i in inside[apart == apart.min()]}
        assert len(nearest) == 1, "the example must not have ties that matter"
        spread[tuple(at)] = nearest.pop()
        distance[tuple(at)] = np.sqrt(apart.min())
    offsets = np.arange(-3, 4)
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / 50)
    kernel /= kernel.sum()
    padded = np.pad(spread, 3)
    smooth = np.array(
        [[(padded[r : r + 7, c : c + 7] * kernel).sum() for c in range(width)]
         for r in range(height)]
    )  # fmt: skip
    smallest = np.where(foreground, np.minimum(error, smooth), error)
    weighted = smallest * np.where(foreground, 1, 2 - np.exp(np.log(0.5) / 5 * distance))
    right = foreground.sum() - weighted[foreground].sum()
    recall = 1 - weighted[foreground].mean()
    precision = right / (right + weighted[~foreground].sum() + EPS)
    return 2 * recall * precision / (recall + precision + EPS)


def slow_similarity(x, y):
    if x.size == 0:
        return 0.0
    below = max(x.size - 1, 1)
    covariance = sum(
        (a - x.mean()) * (b - y.mean()) for a, b in zip(x.ravel(), y.ravel(), strict=True)
    )
    squares = ((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum()
    above = 4 * x.mean() * y.mean() * covariance / below
    divisor = (x.mean() ** 2 + y.mean() ** 2) * squares / below
    return above / divisor if above else float(divisor == 0)


def slow_s(prediction, foreground):
    if not foreground.any():
        return 1 - prediction.mean()
    if foreground.all():
        return prediction.mean()
    terms = []
    for values in (prediction[foreground], 1 - prediction[~foreground]):
        deviation = np.sqrt(((values - values.mean()) ** 2).mean())
        terms.append(2 * values.mean() / (values.mean() ** 2 + 1 + deviation))
    share = foreground.mean()
    row, column = (int(n) + 1 for n in np.round(np.argwhere(foreground).mean(axis=0)))
    truth = foreground.astype(float)
    regions = 0.0
    for rows in (slice(None, row), slice(row, None)):
        for columns in (slice(None, column), slice(column, None)):
            part = truth[rows, columns]
            weight = part.size / truth.size
            regions += weight * slow_similarity(prediction[rows, columns], part)
    return max(0, 0.5 * (share * terms[0] + (1 - share) * terms[1]) + 0.5 * regions)


def random_pair(seed):
    """A noisy map of a random rectangle (none and all of the image included)."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 40, 2)
    truth = np.zeros((height, width), np.uint8)
    top, left = rng.integers(0, height), rng.integers(0, width)
    truth[top : top + rng.integers(0, 30), left : left + rng.integers(0, 30)] = 255
    if seed % 10 == 0:
        truth[:] = 255 * (seed % 20 == 0)
    return rng.integers(0, 256, truth.shape).astype(np.uint8) // 2 + truth // 2, truth


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_slow_formulas(seed):
    prediction, truth = random_pair(seed)
    score, foreground, values = score_map(prediction, truth), truth > 128, stretch(prediction)
    curve = [slow_f(values, foreground, t) for t in range(255, -1, -1)]
    assert score.f_curve == pytest.approx(curve, abs=1e-12)
    es = [slow_e(values, foreground, t) for t in range(256)]
    assert score.e_mean == pytest.approx(np.mean(es), abs=1e-9)
    assert score.structure == pytest.approx(slow_s(values, foreground), abs=1e-9)
    assert score.mae == pytest.approx(abs(values - foreground).mean(), abs=1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_weighted_f_equal_to_slow_formula(seed):
    """A column of truth: every pixel beside it has one nearest pixel."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((12, 17), np.uint8)
    truth[:, int(rng.integers(2, 15))] = 255
    prediction = rng.integers(0, 256, truth.shape).astype(np.uint8)
    expected = slow_weighted_f(stretch(prediction), truth > 128)
    assert score_map(prediction, truth).weighted_f == pytest.approx(expected, abs=1e-9)


def test_constant_maps_are_only_scaled():
    grey = np.full((4, 4), 51, np.uint8)
    assert stretch(grey) == pytest.approx(0.2)
    nothing = np.zeros((4, 4), np.uint8)
    assert score_map(nothing, nothing).weighted_f == 0
    assert score_map(nothing, nothing).structure == 1
    assert structure_measure(np.full((4, 4), 0.2), np.ones((4, 4), bool)) == pytest.approx(0.2)


def test_empty_quadrant_adds_nothing():
    """The centroid is in the last column, so that nothing is right of it."""
    foreground = np.zeros((6, 6), bool)
    foreground[:, 5] = True
    assert structure_measure(foreground.astype(float), foreground) == pytest.approx(1.0)


def test_means_over_images_come_before_the_maximum():
    measures = DichotomousMeasures()
    pairs = [random_pair(seed) for seed in (1, 2, 3)]
    scores = [measures.add(*pair) for pair in pairs]
    metrics = measures.metrics()
    assert tuple(metrics) == METRICS
    curve = np.mean([score.f_curve for score in scores], axis=0)
    assert metrics["F_beta_max"] == pytest.approx(curve.max())
    assert metrics["HCE_gamma"] == pytest.approx(np.mean([score.hce for score in scores]))
    assert metrics["S_alpha"] == pytest.approx(np.mean([score.structure for score in scores]))


def test_nothing_scored_is_undefined():
    assert all(np.isnan(value) for value in DichotomousMeasures().metrics().values())


@pytest.mark.parametrize("shape", [(4, 5), (4, 4, 3), (0, 4)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="mask"):
        score_map(np.zeros(shape, np.uint8), np.zeros((4, 4), np.uint8))
