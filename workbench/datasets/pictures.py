"""Decoding pictures, with errors that name the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput
from workbench.photos import DECODER_ERRORS

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
# EntitySeg has pictures of 15,000 pixels a side; a small file may claim any size.
MOST_PIXELS = 1 << 29

_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


@contextmanager
def open_picture(path: Path, field: str = "picture") -> Iterator[Image.Image]:
    """Open a picture with Pillow; what goes wrong until it is closed names the file.

    Only the formats of data sets are tried: of others, some are read by running a program.

    Raises:
        BadInput: Not a picture, truncated, or of more than ``MOST_PIXELS``.
        MissingInput: No such file.
    """
    from PIL import Image

    if not path.is_file():
        raise MissingInput(path, f"get the {field}")
    before = Image.MAX_IMAGE_PIXELS
    # Pillow warns above its limit and refuses what is twice as large.
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                yield picture
    except (*DECODER_ERRORS, Image.DecompressionBombError) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(path, field, found, "the file is damaged; get it again") from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to (H, W, 3) uint8 RGB, pixels as stored.

    Raises:
        BadInput: Not a picture, or truncated.
        MissingInput: No such file.
    """
    with open_picture(path) as picture:
        return np.asarray(picture.convert("RGB"))


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
    with open_picture(path, "mask") as picture:
        values = np.asarray(picture).astype(np.int32)
    if values.ndim != 2 and not coloured:
        problem = f"{values.shape[2]} channels"
        raise BadInput(path, "mask", problem, "use a label map of one channel")
    return values if values.ndim == 2 else values[..., 0]


def upright_size(path: Path) -> tuple[int, int]:
    """Return (height, width) as seen, after the EXIF rotation that readers apply.

    Raises:
        BadInput: Not a picture.
        MissingInput: No such file.
    """
    with open_picture(path) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1) in _TURNED
        width, height = picture.size
    return (width, height) if turned else (height, width)
