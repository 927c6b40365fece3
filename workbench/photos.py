"""Reading photographs as a camera, a phone or an image editor leaves them."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".mpo"})
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
# Above any camera's (200 megapixels), below what would fill the memory of a desktop machine.
MAX_PIXELS = 300_000_000

_ORIENTATION_TAG = 0x0112
# What Pillow's decoders raise for damaged or hostile files.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error,
)  # fmt: skip


def read_photo(path: str | Path) -> NDArray[np.uint8]:
    """Read a photograph upright, in colour, eight bits a channel.

    The orientation noted in EXIF is applied, so the returned size, and that of any mask made from
    it, is the one a viewer shows. Alpha is dropped and the colours stored under it are kept, as
    OpenCV's and detectron2's readers do. Of 16-bit values the eight high bits are kept. CMYK,
    palette and grey images become RGB; embedded colour profiles are not applied.

    Args:
        path: JPEG (also a phone's multi-picture JPEG), PNG, WebP or BMP, up to 300 megapixels.

    Returns:
        (height, width, 3) uint8, BGR.

    Raises:
        BadInput: Missing, truncated, unreadable, too large, or not an image.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        raise BadInput(path, "image", problem, "give the path of a JPEG or PNG file")
    try:
        with _own_limits(), Image.open(path, formats=FORMATS) as image:
            _check_size(path, image.size)
            orientation = _orientation(image)
            rgb = _to_rgb(image)
    except UnidentifiedImageError as error:
        fix = f"use one of {', '.join(FORMATS)}"
        raise BadInput(path, "image", "not an image, or one that cannot be read", fix) from error
    except DECODER_ERRORS as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(
            path, "image", f"truncated or damaged ({reason})", "copy it again"
        ) from error
    return np.ascontiguousarray(_upright(rgb, orientation)[..., ::-1])


@contextmanager
def _own_limits() -> Iterator[None]:
    """Put our bound in place of Pillow's, which refuses photographs that cameras do make.

    Pillow's warnings (size, damaged metadata) stay quiet: what matters is checked here.
    """
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        problem = f"{height} x {width} pixels, over {limit} megapixels"
        raise BadInput(path, "image", problem, "scale it down or cut it into parts")


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 (upright) where it is absent, unknown or damaged."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Decode to (height, width, 3) uint8, RGB, as stored."""
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _upright(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view of the stored pixels that undoes an EXIF orientation."""
    if orientation >= 5:
        stored = stored.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    return stored


def find_photos(paths: list[Path]) -> list[Path]:
    """Return the photographs that paths name: files as given, folders by their files' suffixes.

    Raises:
        BadInput: A folder without photographs, or no path at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file
                for file in path.iterdir()
                if file.suffix.lower() in SUFFIXES and file.is_file()
            )
            if not inside:
                known = ", ".join(sorted(SUFFIXES))
                raise BadInput(path, "folder", "no photographs in it", f"known suffixes: {known}")
            found += inside
        else:
            found.append(path)
    if not found:
        raise BadInput("IMAGE", "paths", "none given", "name photographs or a folder of them")
    return list(dict.fromkeys(found))
