"""A small PNG writer whose bytes depend on the pixels alone.

The output of a general compressor differs between its versions and forks (zlib, zlib-ng) and may
differ between processors. Label maps and overlays are mostly runs of equal bytes once each row
is replaced by its difference to the row above, so run lengths with the fixed Huffman code of
DEFLATE serve as well.

Source: RFC 1951 (DEFLATE, 3.2.5 and 3.2.6), RFC 1950 (zlib), PNG specification (filter type 2).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

_FILTER_UP = 2
_GRAY, _RGB = 0, 2
_LONGEST_MATCH = 258
_SHORTEST_MATCH = 3
# First length and number of extra bits of the length codes 257 to 285.
_LENGTH_CODES = (
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
)  # fmt: skip


def write_png(path: Path, image: Bytes) -> None:
    """Write (H, W, 3) uint8 RGB as PNG."""
    height, width, _ = image.shape
    _write(path, image.reshape(height, width * 3), (width, height, 8, _RGB))


def write_gray_png(path: Path, image: Bytes | NDArray[np.uint16]) -> None:
    """Write (H, W) uint8 or uint16 as PNG of one channel of 8 or 16 bits."""
    height, width = image.shape
    depth = image.dtype.itemsize
    rows = image.astype(f">u{depth}").view(np.uint8).reshape(height, width * depth)
    _write(path, rows, (width, height, 8 * depth, _GRAY))


def _write(path: Path, rows: Bytes, about: tuple[int, int, int, int]) -> None:
    """Write (H, bytes a row) with width, height, bits a channel and kind of colour."""
    above = np.vstack([np.zeros((1, rows.shape[1]), np.uint8), rows[:-1]])
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[:, 1:] = rows - above
    header = struct.pack(">IIBBBBB", *about, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", header), (b"IDAT", compress(filtered)), (b"IEND", b"")):
            check = zlib.crc32(kind + body)
            stream.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check))


def compress(data: Bytes) -> bytes:
    """Return a zlib stream of the bytes: one fixed-Huffman block of literals and repeats."""
    flat = np.ascontiguousarray(data).ravel()
    codes, widths = _tokens(flat)
    ends = np.cumsum(widths)
    token = np.repeat(np.arange(len(codes)), widths)
    place = np.arange(int(ends[-1])) - np.repeat(ends - widths, widths)
    bits = (codes[token] >> place & 1).astype(np.uint8)
    packed = np.packbits(bits, bitorder="little").tobytes()
    return b"\x78\x01" + packed + struct.pack(">I", zlib.adler32(flat.tobytes()))


def _tokens(flat: Bytes) -> tuple[Numbers, Numbers]:
    """Return codes (first bit lowest) and their widths for a byte string.

    A run of n equal bytes becomes one literal, as many repeats of 258 as fit, and for the rest a
    shorter repeat, or literals when it is under 3.
    """
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.concatenate([starts, [len(flat)]])) - 1
    full, rest = np.divmod(lengths, _LONGEST_MATCH)
    short = rest < _SHORTEST_MATCH
    counts = 1 + full + np.where(short, rest, 1)
    run = np.repeat(np.arange(len(starts)), counts)
    order = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
    literal = (order == 0) | ((order > full[run]) & short[run])
    length = np.where(order <= full[run], _LONGEST_MATCH, rest[run])
    byte = flat[starts][run].astype(np.int64)
    codes = np.where(literal, _LITERALS[0][byte], _REPEATS[0][np.where(literal, 0, length)])
    widths = np.where(literal, _LITERALS[1][byte], _REPEATS[1][np.where(literal, 0, length)])
    # Block header: last block, fixed code. End of block: seven zero bits.
    return np.concatenate([[0b011], codes, [0]]), np.concatenate([[3], widths, [7]])


def _reversed(code: int, width: int) -> int:
    return int(f"{code:0{width}b}"[::-1], 2)


def _symbol(symbol: int) -> tuple[int, int]:
    """Return the fixed Huffman code, first bit lowest, and its width."""
    if symbol < 144:
        code, width = 0x30 + symbol, 8
    elif symbol < 256:
        code, width = 0x190 + symbol - 144, 9
    elif symbol < 280:
        code, width = symbol - 256, 7
    else:
        code, width = 0xC0 + symbol - 280, 8
    return _reversed(code, width), width


def _repeat_table() -> tuple[Numbers, Numbers]:
    """Return code and width of "repeat the last byte n times" at index n, 3 to 258."""
    codes, widths = np.zeros((2, _LONGEST_MATCH + 1), np.int64)
    for index, (first, extra) in enumerate(_LENGTH_CODES):
        code, width = _symbol(257 + index)
        for more in range(1 << extra):
            if first + more <= _LONGEST_MATCH:
                codes[first + more] = code | more << width
                widths[first + more] = width + extra + 5  # distance 1 is five zero bits
    return codes, widths


_LITERALS = tuple(np.array([_symbol(byte) for byte in range(256)], np.int64).T)
_REPEATS = _repeat_table()
