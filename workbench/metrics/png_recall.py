"""Average recall of Panoptic Narrative Grounding (paper Tables X, XII, XIX to XXIII).

Source: BCV-Uniandes/PNG ``baseline/utils/meters.py`` (curve) and ``baseline/test_net.py``
(protocol). The thresholds are ``i * 1e-5`` for i = 0 ... 99999, the recall at one is the share of
phrases with an IoU of at least it, and the area under that curve is the left Riemann sum without
the last threshold. A phrase with IoU u adds ``min(floor(u * 1e5) + 1, 99999) * 1e-5``, so AR is the
mean IoU to within 1e-5: 1 gives 0.99999, 0 gives 0.00001, an undefined IoU gives 0. On a grid point
the floor of a float may be one step off the reference's own grid: compare within 2e-5.

Unlike the baseline, masks are hard and at the size of the picture, and a phrase is told by its
segments' ids instead of by boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as mask_utils

STEPS = 100_000
# How the entities of a singular phrase are chosen: the best one, or as for a plural phrase.
SINGULAR_RULES = ("argmax", "union")
SPLITS = ("AR", "AR_Th", "AR_St", "AR_Sing", "AR_Pl", "AR_context")

Mask = Mapping[str, Any] | NDArray[Any]


def recall_area(ious: ArrayLike) -> NDArray[np.float64]:
    """Return what each IoU adds to the area under the recall curve, elementwise.

    Args:
        ious: In [0, 1], or NaN for an IoU of two empty masks.

    Returns:
        float64 of the same shape, in [0, 0.99999].

    Raises:
        ValueError: An IoU outside [0, 1].
    """
    values = np.asarray(ious, dtype=np.float64)
    undefined = np.isnan(values)
    values = np.where(undefined, 0.0, values)
    if values.size and not 0.0 <= values.min() <= values.max() <= 1.0:
        raise ValueError(f"an IoU outside [0, 1]: {values.min()} to {values.max()}")
    passed = np.minimum(np.floor(values * STEPS) + 1, STEPS - 1)
    return np.where(undefined, 0.0, passed / STEPS)


def average_recall(ious: ArrayLike) -> float:
    """Return the AR of phrases, pooled without regard to their pictures; NaN without a phrase."""
    return mean(recall_area(ious))


def split_recalls(
    areas: ArrayLike,
    things: Sequence[bool],
    plurals: Sequence[bool],
    contexts: Sequence[bool],
) -> dict[str, float]:
    """Return the AR of all phrases and of each group; a group without phrases gives NaN.

    Args:
        areas: (P,) one value a phrase, from ``recall_area``.
        things: (P,) whether the phrase means things; otherwise stuff.
        plurals: (P,) whether it means several segments.
        contexts: (P,) whether only its context tells it from another phrase of the same words.

    Returns:
        Values by the names in ``SPLITS``, in [0, 1].
    """
    values = np.asarray(areas, dtype=np.float64)
    thing, plural, context = (
        np.asarray(tags, dtype=bool).reshape(values.shape) for tags in (things, plurals, contexts)
    )
    groups = (np.ones_like(thing), thing, ~thing, ~plural, plural, context)
    return {name: mean(values[group]) for name, group in zip(SPLITS, groups, strict=True)}


def choose_entities(
    probabilities: Sequence[float], threshold: float, plural: bool, singular: str = "argmax"
) -> list[int]:
    """Return which entities a phrase is said to mean.

    A plural phrase means all entities above the threshold, or the best one where none is.

    Args:
        probabilities: (N,) that the phrase means each entity.
        threshold: Probability that an entity must exceed.
        plural: Whether the phrase means several segments, by the ground truth as in the baseline.
        singular: One of ``SINGULAR_RULES``: a singular phrase means the best entity, or follows
            the rule for plural ones.

    Returns:
        Positions, ascending; none where there is no entity. Of equal probabilities the first wins.

    Raises:
        ValueError: An unknown rule.
    """
    if singular not in SINGULAR_RULES:
        raise ValueError(f"{singular!r}: use one of {', '.join(SINGULAR_RULES)}")
    if not len(probabilities):
        return []
    if plural or singular == "union":
        above = [at for at, value in enumerate(probabilities) if value > threshold]
        if above:
            return above
    return [int(np.argmax(probabilities))]


def union(masks: Sequence[Mask]) -> dict[str, Any]:
    """Return the union of at least one mask as compressed RLE."""
    merged: dict[str, Any] = mask_utils.merge([_as_rle(mask) for mask in masks])
    return merged


def mask_iou(predicted: Mask, truth: Mask) -> float:
    """Return the IoU of two binary masks, NaN where both are empty.

    Args:
        predicted: Compressed RLE, or (H, W) array that is not zero inside.
        truth: The same, of the same size.

    Raises:
        ValueError: Masks of different sizes.
    """
    return float(mask_ious([predicted], truth)[0])


def mask_ious(predicted: Sequence[Mask], truth: Mask) -> NDArray[np.float64]:
    """Return the (N,) IoUs of several masks with one; see ``mask_iou``."""
    if not len(predicted):
        return np.zeros(0)
    masks, target = [_as_rle(mask) for mask in predicted], _as_rle(truth)
    for mask in masks:
        if list(mask["size"]) != list(target["size"]):
            raise ValueError(f"masks of sizes {list(mask['size'])} and {list(target['size'])}")
    found = np.asarray(mask_utils.iou(masks, [target], [0]), dtype=np.float64).reshape(-1)
    if mask_utils.area(target) == 0:
        found[mask_utils.area(masks) == 0] = np.nan
    return found


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean, NaN of nothing."""
    return float(values.mean()) if values.size else float("nan")


def _as_rle(mask: Mask) -> dict[str, Any]:
    if isinstance(mask, Mapping):
        return dict(mask)
    encoded: dict[str, Any] = mask_utils.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return encoded
