"""Photographs of every mode, orientation and kind of damage."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from workbench import photos
from workbench.errors import BadInput
from workbench.photos import find_photos, read_photo

GENERATOR = np.random.default_rng(0)
RGB = GENERATOR.integers(0, 256, (11, 17, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ALPHA = GENERATOR.integers(0, 256, (11, 17), dtype=np.uint8)


def saved(folder: Path, image: Image.Image, name: str = "photo.png", **options: object) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def test_rgb_comes_back_as_bgr(tmp_path: Path) -> None:
    photo = read_photo(saved(tmp_path, Image.fromarray(RGB)))
    assert photo.dtype == np.uint8
    assert photo.flags.c_contiguous
    assert (photo == RGB[..., ::-1]).all()


def test_grey_fills_all_channels(tmp_path: Path) -> None:
    photo = read_photo(saved(tmp_path, Image.fromarray(GREY)))
    assert (photo == GREY[..., None]).all()
    assert photo.shape == (11, 17, 3)


def test_black_and_white(tmp_path: Path) -> None:
    photo = read_photo(saved(tmp_path, Image.fromarray(GREY > 127)))
    assert (photo == np.where(GREY > 127, 255, 0)[..., None]).all()


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = Image.fromarray(np.dstack([RGB, ALPHA]))
    assert (read_photo(saved(tmp_path, rgba)) == RGB[..., ::-1]).all()
    grey = Image.fromarray(np.dstack([GREY, ALPHA]), mode="LA")
    assert (read_photo(saved(tmp_path, grey)) == GREY[..., None]).all()


def test_palette_with_transparency(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB).quantize(8)
    expected = np.asarray(palette.convert("RGB"))
    photo = read_photo(saved(tmp_path, palette, transparency=0))
    assert (photo == expected[..., ::-1]).all()


def test_sixteen_bit_grey_keeps_the_high_bits(tmp_path: Path) -> None:
    deep = GENERATOR.integers(0, 2**16, (5, 9), dtype=np.uint16)
    deep[0, :2] = 0, 65535
    photo = read_photo(saved(tmp_path, Image.fromarray(deep)))
    assert (photo == (deep >> 8)[..., None]).all()


def write_png16(path: Path, pixels: NDArray[np.uint16], colour_type: int) -> None:
    """Write a 16-bit colour PNG, which Pillow reads but cannot write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize(("channels", "colour_type"), [(3, 2), (4, 6), (2, 4)])
def test_sixteen_bit_colour_and_alpha(tmp_path: Path, channels: int, colour_type: int) -> None:
    deep = GENERATOR.integers(0, 2**16, (4, 6, channels), dtype=np.uint16)
    write_png16(tmp_path / "deep.png", deep, colour_type)
    colours = deep[..., :3] if channels > 2 else deep[..., [0, 0, 0]]
    assert (read_photo(tmp_path / "deep.png") == (colours >> 8)[..., ::-1]).all()


def test_cmyk_jpeg(tmp_path: Path) -> None:
    red = Image.new("RGB", (16, 16), (220, 10, 10)).convert("CMYK")
    photo = read_photo(saved(tmp_path, red, "photo.jpg", quality=100))
    assert abs(photo[8, 8].astype(int) - [10, 10, 220]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(RGB), exif=exif)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert (read_photo(path) == expected[..., ::-1]).all()
    assert read_photo(path).shape[:2] == ((11, 17) if orientation < 5 else (17, 11))


def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(RGB), "photo.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_photo(path).shape == (11, 17, 3)


def test_eight_thousand_pixels_wide(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (8192, 40), (1, 2, 3)), "wide.jpg")
    assert read_photo(path).shape == (40, 8192, 3)


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    noise = GENERATOR.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(BadInput, match=str(path)) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_missing_folder_text_and_empty(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    for path in (tmp_path / "none.jpg", tmp_path, tmp_path / "text.jpg", tmp_path / "empty.png"):
        with pytest.raises(BadInput, match=str(path)):
            read_photo(path)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not an image"):
        read_photo(saved(tmp_path, Image.fromarray(RGB), "photo.tiff"))


@pytest.mark.parametrize("limit", [100, 60])
def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Both above our bound and above twice our bound, where Pillow itself raises."""
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(photos, "MAX_PIXELS", limit)
    with pytest.raises(BadInput):
        read_photo(saved(tmp_path, Image.fromarray(RGB)))
    assert before == Image.MAX_IMAGE_PIXELS


def test_find_photos(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "inner.png").mkdir()
    found = find_photos([tmp_path, tmp_path / "a.png", tmp_path / "missing.jpg"])
    assert [path.name for path in found] == ["a.png", "b.JPG", "missing.jpg"]
    with pytest.raises(BadInput, match="no photographs"):
        find_photos([tmp_path / "inner.png"])
    with pytest.raises(BadInput, match="none given"):
        find_photos([])
