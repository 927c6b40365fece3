"""Masks of label maps."""

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.datasets import rle


@pytest.mark.parametrize("most", [1, 50, 1 << 28])
def test_masks_are_the_same_however_many_are_made_together(monkeypatch, most):
    monkeypatch.setattr(rle, "_MOST_BYTES", most)
    labels = np.random.default_rng(0).integers(0, 9, (4, 6)).astype(np.int32)
    masks = rle.label_masks(labels, range(1, 9))
    for number, mask in enumerate(masks, start=1):
        assert (mask_utils.decode(mask).astype(bool) == (labels == number)).all()
    assert rle.label_masks(labels, []) == []
