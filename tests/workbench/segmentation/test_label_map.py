"""Label maps to RLE and back."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.segmentation.label_map import encode_label_map, paint_label_map


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 11), (40, 30)])
def test_same_as_encoding_each_mask_alone(size: tuple[int, int]) -> None:
    label_map = np.random.default_rng(1).integers(0, 6, size)
    encoded = encode_label_map(label_map, 7)
    for label, rle in enumerate(encoded, start=1):
        mask = np.asfortranarray(label_map == label).astype(np.uint8)
        assert rle["counts"] == mask_utils.encode(mask)["counts"].decode()
        assert rle["size"] == list(size)
    assert (paint_label_map(encoded, size) == label_map).all()


def test_one_label_fills_the_map() -> None:
    (rle,) = encode_label_map(np.ones((3, 4), dtype=np.int16), 1)
    assert mask_utils.area(rle) == 12


def test_unsigned_and_transposed_maps() -> None:
    label_map = np.array([[0, 1, 1], [2, 2, 0]], dtype=np.uint16)
    assert encode_label_map(label_map, 2) == encode_label_map(label_map.T.copy().T, 2)


def test_no_label_at_all() -> None:
    assert encode_label_map(np.zeros((2, 2), dtype=np.int16), 0) == []
    assert not paint_label_map([], (2, 2)).any()


def test_the_earlier_mask_stays_on_top() -> None:
    whole = encode_label_map(np.ones((2, 2), dtype=np.int16), 1)[0]
    left = encode_label_map(np.array([[1, 0], [1, 0]]), 1)[0]
    assert paint_label_map([left, whole], (2, 2)).tolist() == [[1, 2], [1, 2]]
    assert paint_label_map([whole, left], (2, 2)).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("label_map", [[[3]], [[-1]]])
def test_labels_out_of_range(label_map: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="not 0 to 2"):
        encode_label_map(np.array(label_map), 2)


def test_masks_of_another_size() -> None:
    with pytest.raises(ValueError, match="size"):
        paint_label_map(encode_label_map(np.ones((2, 2), dtype=np.int16), 1), (2, 3))
