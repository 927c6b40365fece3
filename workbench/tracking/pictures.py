"""Pictures of predicted entities: each photograph beside its coloured masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.files import atomic_path

SIDE = 320
PICTURES = 4
MIN_SCORE = 0.1


def _colours(count: int) -> NDArray[np.uint8]:
    """Return well-separated colours, (count, 3) uint8."""
    return np.random.default_rng(7).integers(40, 255, (count, 3), dtype=np.uint8)


def overlay(
    image: NDArray[np.uint8], masks: Sequence[dict[str, Any]], scores: Sequence[float]
) -> NDArray[np.uint8]:
    """Blend entity masks over an image, the best on top.

    Args:
        image: (H, W, 3) uint8.
        masks: RLE masks of the image's size.
        scores: (N,) in [0, 1]; masks below 0.1 are left out.

    Returns:
        (H, W, 3) uint8.
    """
    from pycocotools import mask as coco_mask

    out = image.astype(np.float32)
    colours = _colours(len(masks))
    for index in np.argsort(np.asarray(scores, dtype=np.float64)):
        if scores[index] >= MIN_SCORE:
            inside = coco_mask.decode(masks[index]).astype(bool)
            out[inside] = 0.45 * image[inside] + 0.55 * colours[index]
    return out.astype(np.uint8)


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale an image into a square of ``SIDE`` pixels, padded with white."""
    import cv2

    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    # OpenCV takes (width, height).
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def _column(sample: Any) -> NDArray[np.uint8] | None:
    """Return a sample's image above its entities; None if it cannot be drawn."""
    import cv2

    entities, file = getattr(sample, "pred_entities", None), getattr(sample, "img_path", None)
    if entities is None or not file:
        return None
    image = cv2.imread(str(file))
    if image is None or image.shape[:2] != tuple(sample.ori_shape[:2]):
        return None
    scores = [float(score) for score in entities.scores]
    return _pair(image.astype(np.uint8), list(entities.masks), scores)


def _pair(
    image: NDArray[np.uint8], masks: Sequence[dict[str, Any]], scores: Sequence[float]
) -> NDArray[np.uint8]:
    return np.concatenate([_thumbnail(image), _thumbnail(overlay(image, masks, scores))])


def draw_predictions(samples: Sequence[Any], path: Path) -> None:
    """Write one PNG: above the images, below them with their predicted entities.

    Args:
        samples: Data samples with ``img_path`` and ``pred_entities``; others are left out.
        path: PNG to write; nothing is written where no image can be drawn.
    """
    _write([column for column in map(_column, samples) if column is not None], path)


def draw_entities(predictions: Path, manifest: Path, split: str, path: Path) -> None:
    """Write one PNG: above the first pictures of a split, below them with predicted entities.

    Args:
        predictions: Entities file of the split.
        manifest: Of the data set.
        split: Its name there.
        path: PNG to write; nothing is written where no picture can be read.
    """
    import cv2

    from workbench.datasets import load_entities
    from workbench.metrics.predictions import PredictionFile

    dataset, file = load_entities(manifest, split), PredictionFile(predictions)
    columns = []
    for index in range(min(PICTURES, len(dataset))):
        entry = dataset[index]
        image = cv2.imread(str(entry.file))
        if image is not None and image.shape[:2] == (entry.height, entry.width):
            found = file.of(entry.image_id, (entry.height, entry.width))
            masks = [result["segmentation"] for result in found]
            scores = [float(result["score"]) for result in found]
            columns.append(_pair(image.astype(np.uint8), masks, scores))
    _write(columns, path)


def _write(columns: Sequence[NDArray[np.uint8]], path: Path) -> None:
    import cv2

    if columns:
        with atomic_path(path) as aside:
            cv2.imwrite(str(aside), np.concatenate(columns, axis=1))
