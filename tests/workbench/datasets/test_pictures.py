"""What a picture file may do to the machine that reads it."""

import struct
import zlib

import pytest

from workbench.datasets.pictures import read_labels, read_picture, upright_size
from workbench.errors import BadInput, MissingInput

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\nshowpage\n"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claimed(side):
    """Return a PNG of a few bytes that says it is a square of ``side`` pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("read", [read_picture, read_labels, upright_size])
@pytest.mark.parametrize("content", [POSTSCRIPT, claimed(100_000), claimed(1 << 31)])
def test_programs_and_bombs_are_refused(tmp_path, read, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.png: (picture|mask): ") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(MissingInput):
        read(tmp_path / "b.png")
