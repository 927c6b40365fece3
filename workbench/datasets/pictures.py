"""Decoding pictures, with errors that name the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput

_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit of pixels: EntitySeg has pictures of 15,000 pixels a side."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to (H, W, 3) uint8 RGB, pixels as stored.

    Raises:
        BadInput: Not a picture, or truncated.
        MissingInput: No such file.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise MissingInput(path, "get the data set's pictures")
    try:
        with _any_size(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        found = str(error).replace("\n", " ")
        raise BadInput(path, "picture", found, "the file is damaged; get it again") from error


def read_labels(path: Path, *, coloured: bool = True) -> NDArray[np.int32]:
    """Decode a map of labels to (H, W) int32; of a coloured file the red channel counts.

    Palette indices stay indices, and 16 bits stay 16 bits.

    Args:
        path: A PNG.
        coloured: Whether several channels are allowed.

    Raises:
        BadInput: Not a picture, truncated, or coloured where that is not allowed.
        MissingInput: No such file.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise MissingInput(path, "get the data set's masks")
    try:
        with _any_size(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                values = np.asarray(picture).astype(np.int32)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        found = str(error).replace("\n", " ")
        raise BadInput(path, "mask", found, "the file is damaged; get it again") from error
    if values.ndim != 2 and not coloured:
        problem = f"{values.shape[2]} channels"
        raise BadInput(path, "mask", problem, "use a label map of one channel")
    return values if values.ndim == 2 else values[..., 0]


def upright_size(path: Path) -> tuple[int, int]:
    """Return (height, width) as seen, after the EXIF rotation that readers apply.

    Raises:
        BadInput: Not a picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _any_size(), Image.open(path) as picture:
            turned = picture.getexif().get(_ORIENTATION, 1) in _TURNED
            width, height = picture.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        found = str(error).replace("\n", " ")
        raise BadInput(path, "picture", found, "the file is damaged; get it again") from error
    return (width, height) if turned else (height, width)
