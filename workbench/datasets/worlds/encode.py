"""Image files with the same bytes on every machine.

Pictures are baseline JPEG without chroma subsampling, made by the Pillow of the lock file:
libjpeg-turbo's integer transform gives the same coefficients with and without vector
instructions, EntitySeg's and COCO's own files are JPEG, and a picture takes a tenth of a PNG's
space. Label maps must be PNG and are written by ``worlds.png``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workbench.files import write_text

JPEG_QUALITY = 95


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=False)


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (H, W, 3) uint8 bilinearly to (height, width)."""
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_labels(labels: NDArray[np.int32], size: tuple[int, int]) -> NDArray[np.int32]:
    """Resize (H, W) labels to (height, width) by the nearest pixel centre."""
    rows = (2 * np.arange(size[0]) + 1) * labels.shape[0] // (2 * size[0])
    columns = (2 * np.arange(size[1]) + 1) * labels.shape[1] // (2 * size[1])
    return labels[rows[:, None], columns[None, :]]


def low_resolution(size: tuple[int, int], short_side: int, long_side: int) -> tuple[int, int]:
    """Return (height, width) scaled to a short side unless the long side would pass its limit."""
    height, width = size
    short, long = min(size), max(size)
    wanted, given = (
        (long_side, long) if long * short_side > long_side * short else (short_side, short)
    )
    return (height * wanted + given // 2) // given, (width * wanted + given // 2) // given


def write_compact_json(path: Path, value: Any) -> None:
    """Write JSON without white space, as the real data sets' files are."""
    write_text(path, json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")
