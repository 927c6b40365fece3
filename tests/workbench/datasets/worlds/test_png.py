"""The PNG writer against Pillow and zlib, and polygons against pycocotools."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from workbench.datasets.worlds.outline import mask_polygons
from workbench.datasets.worlds.png import compress, write_png


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (40, 61)])
@pytest.mark.parametrize("values", [1, 2, 256])
def test_pillow_reads_what_was_written(size: tuple[int, int], values: int, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, values, (*size, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), image)


@pytest.mark.parametrize("byte", [0, 143, 144, 255])
@pytest.mark.parametrize("first", [1, 250])
def test_runs_of_every_length(byte: int, first: int) -> None:
    runs = [np.full(length, byte ^ (length & 1), np.uint8) for length in range(first, first + 280)]
    data = np.concatenate(runs)
    packed = compress(data)
    assert zlib.decompress(packed) == data.tobytes()
    assert len(packed) < len(data) // 4


def rasterised(mask: np.ndarray) -> np.ndarray:
    code = coco_mask.merge(coco_mask.frPyObjects(mask_polygons(mask), *mask.shape))
    return coco_mask.decode(code).astype(bool)


def test_outline_of_one_pixel() -> None:
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True
    assert mask_polygons(mask) == [[2, 1, 3, 1, 3, 2, 2, 2]]
    assert np.array_equal(rasterised(mask), mask)


def test_outlines_of_separate_parts_and_touching_corners() -> None:
    mask = np.zeros((12, 12), bool)
    mask[1:4, 1:6] = True
    mask[4:8, 6:9] = True
    mask[10, 0:2] = True
    assert np.array_equal(rasterised(mask), mask)


def test_a_hole_has_an_outline_of_its_own() -> None:
    mask = np.zeros((8, 8), bool)
    mask[1:7, 1:7] = True
    mask[3:5, 3:5] = False
    assert len(mask_polygons(mask)) == 2
    assert mask_polygons(np.zeros((4, 4), bool)) == []
