"""LoadPhoto: pixels upright, and never beside annotations of another size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.engine.transforms import LoadPhoto
from workbench.errors import BadInput


@pytest.fixture
def turned(tmp_path: Path) -> str:
    """A photograph stored 4 x 7 that a viewer shows as 7 x 4."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((4, 7, 3), dtype=np.uint8)).save(tmp_path / "a.png", exif=exif)
    return str(tmp_path / "a.png")


def test_upright_size(turned: str) -> None:
    results = LoadPhoto()({"img_path": turned, "height": 7, "width": 4})
    assert results["img"].shape == (7, 4, 3)
    assert results["img_shape"] == results["ori_shape"] == (7, 4)
    assert LoadPhoto()({"img_path": turned})["ori_shape"] == (7, 4)


def test_annotations_of_the_stored_pixels_are_refused(turned: str) -> None:
    with pytest.raises(BadInput, match="EXIF orientation"):
        LoadPhoto()({"img_path": turned, "height": 4, "width": 7})
