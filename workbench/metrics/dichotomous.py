"""The six measures of dichotomous image segmentation (paper Table VII, DIS5K).

Source: mczhuge/SOCToolbox ``codes/metrics.py`` (all but HCE) and xuebinqin/DIS
``hce_metric_main.py``, by which DIS5K's numbers are made. Their maintained equivalent,
pysodmetrics, gives the same values and is used for maxF, weighted F, MAE, E and HCE; not for the
S-measure, whose object term it takes with n - 1 below the deviation where the reference has n
(0.9401 for 0.9406 in the worked example), so that one is own code.

Truth is what exceeds 128. A map is divided by 255 and stretched to [0, 1] by its own extremes
unless it is constant; only HCE takes it as it is, binarised above 128.

* ``F_beta_max``: F with beta² = 0.3 at 256 thresholds; mean over images first, then the maximum.
* ``F_beta_w``: weighted F with beta = 1; 0 for an image without foreground.
* ``MAE``: mean absolute error.
* ``S_alpha``: structure measure with alpha = 0.5.
* ``E_phi_mean``: enhanced alignment, mean over the 256 thresholds and images. Its divisor is the
  number of pixels less one, so that a perfect tiny image can exceed 1.
* ``HCE_gamma``: human correction efforts (clicks), gamma = 5, epsilon = 2; at full resolution.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRICS = ("F_beta_max", "F_beta_w", "MAE", "S_alpha", "E_phi_mean", "HCE_gamma")
TRUTH_ABOVE = 128

_BETA_SQUARED, _ALPHA, _GAMMA, _EPSILON = 0.3, 0.5, 5, 2.0
_TINY = 1e-16

Grey = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MapScore:
    """Measures of one map.

    Attributes:
        f_curve: (256,) F at thresholds from 255 down to 0, in [0, 1].
        e_mean: E-measure, mean over the thresholds.
        weighted_f, mae, structure: In [0, 1].
        hce: Clicks.
    """

    f_curve: Floats
    e_mean: float
    weighted_f: float
    mae: float
    structure: float
    hce: float


def score_map(prediction: Grey, truth: Grey) -> MapScore:
    """Score one grey map against its mask.

    Args:
        prediction: (H, W) uint8, 0 for background to 255 for foreground.
        truth: (H, W) uint8, foreground above 128.

    Raises:
        ValueError: Not two pictures of the same size, two axes and at least one pixel each.
    """
    if prediction.shape != truth.shape or truth.ndim != 2 or not truth.size:
        raise ValueError(f"a map of {prediction.shape} and a mask of {truth.shape}")
    import py_sod_metrics

    foreground = truth > TRUTH_ABOVE
    stretched = stretch(prediction)
    f_measure = _quietly(py_sod_metrics.Fmeasure, beta=_BETA_SQUARED)
    enhanced, weighted = py_sod_metrics.Emeasure(), py_sod_metrics.WeightedFmeasure(beta=1)
    for measure in (enhanced, weighted):
        measure.step(stretched, foreground, normalize=False)
    effort = py_sod_metrics.HumanCorrectionEffortMeasure(relax=_GAMMA, epsilon=_EPSILON)
    return MapScore(
        f_curve=f_measure.cal_pr(stretched, foreground)[2],
        e_mean=float(np.mean(enhanced.changeable_ems[0])),
        weighted_f=float(weighted.weighted_fms[0]),
        mae=float(py_sod_metrics.MAE().cal_mae(stretched, foreground)),
        structure=structure_measure(stretched, foreground),
        hce=float(effort.cal_hce((prediction > TRUTH_ABOVE).astype(np.float64), foreground)),
    )


def _quietly(measure: Any, **arguments: Any) -> Any:
    # It announces a successor that computes the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return measure(**arguments)


def stretch(prediction: Grey) -> Floats:
    """Return a map over its own range, as float64 in [0, 1]; a constant one is only scaled."""
    values = prediction / 255
    low, high = values.min(), values.max()
    return values if low == high else (values - low) / (high - low)


def structure_measure(prediction: Floats, foreground: NDArray[np.bool_]) -> float:
    """Return the S-measure of a map in [0, 1]; the part of an empty quadrant is 0.

    Args:
        prediction: (H, W) float64 in [0, 1].
        foreground: (H, W) bool.
    """
    share = float(foreground.mean())
    if share in (0.0, 1.0):
        mean = float(prediction.mean())
        return mean if share else 1 - mean
    inside, outside = prediction[foreground], 1 - prediction[~foreground]
    objects = share * _object_term(inside) + (1 - share) * _object_term(outside)
    regions = _region_term(prediction, foreground)
    return max(0.0, _ALPHA * objects + (1 - _ALPHA) * regions)


def _object_term(values: Floats) -> float:
    mean = float(values.mean())
    return 2 * mean / (mean**2 + 1 + float(values.std()) + _TINY)


def _region_term(prediction: Floats, foreground: NDArray[np.bool_]) -> float:
    """Return the similarity of the four parts around the mask's centroid, weighted by area."""
    height, width = foreground.shape
    rows, columns = foreground.sum(axis=1), foreground.sum(axis=0)
    total = rows.sum()
    row = int(np.round((rows * np.arange(height)).sum() / total)) + 1
    column = int(np.round((columns * np.arange(width)).sum() / total)) + 1
    similarity = 0.0
    for part_rows in (slice(0, row), slice(row, height)):
        for part_columns in (slice(0, column), slice(column, width)):
            part = foreground[part_rows, part_columns]
            if part.size:
                weight = part.size / foreground.size
                similarity += weight * _similarity(prediction[part_rows, part_columns], part)
    return similarity


def _similarity(prediction: Floats, foreground: NDArray[np.bool_]) -> float:
    x, y = float(prediction.mean()), float(foreground.mean())
    apart_x, apart_y = prediction - x, foreground - y
    divisor = max(foreground.size - 1, 1)
    variances = ((apart_x**2).sum() + (apart_y**2).sum()) / divisor
    covariance = (apart_x * apart_y).sum() / divisor
    above, below = 4 * x * y * covariance, (x**2 + y**2) * variances
    if above != 0:
        return float(above / (below + _TINY))
    return 1.0 if below == 0 else 0.0


@dataclass
class DichotomousMeasures:
    """Collects maps one by one; memory does not grow with the size or the number of images."""

    num_maps: int = 0
    _f_curve: Floats = field(default_factory=lambda: np.zeros(256))
    _sums: Floats = field(default_factory=lambda: np.zeros(5))

    def add(self, prediction: Grey, truth: Grey) -> MapScore:
        """Score one map, see ``score_map``, and add it to the means."""
        score = score_map(prediction, truth)
        self._f_curve += score.f_curve
        self._sums += (score.weighted_f, score.mae, score.structure, score.e_mean, score.hce)
        self.num_maps += 1
        return score

    def metrics(self) -> dict[str, float]:
        """Return means over the maps by the names in ``METRICS``; NaN without a map."""
        if not self.num_maps:
            return dict.fromkeys(METRICS, float("nan"))
        values = [self._f_curve.max(), *self._sums]
        return {
            name: float(value / self.num_maps) for name, value in zip(METRICS, values, strict=True)
        }
