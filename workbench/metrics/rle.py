"""Checks of COCO run-length encodings that pycocotools itself does not make.

pycocotools reads past the end of an encoding that is too short and never compares the encoded
length with ``size``, so that a damaged mask yields a plausible but wrong number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST, _DATA_BITS, _CONTINUES, _SIGN = 48, 5, 0x20, 0x10


def run_lengths(counts: str | bytes) -> NDArray[np.int64]:
    """Decode the compressed ``counts`` of an RLE into run lengths.

    Source: cocodataset/cocoapi ``common/maskApi.c``, ``rleFrString``: five bits a character, least
    significant first; from the fourth run on, the difference to the run two before is stored.

    Returns:
        (R,) int64, lengths of alternating runs of background and foreground, column by column.

    Raises:
        ValueError: A character outside the alphabet, or the last number is cut off.
    """
    if not counts.isascii():
        raise ValueError("a character outside the RLE alphabet")
    codes = np.frombuffer(_bytes(counts), dtype=np.uint8).astype(np.int64) - _FIRST
    if codes.size == 0:
        raise ValueError("empty counts")
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError("a character outside the RLE alphabet")
    ends = np.flatnonzero((codes & _CONTINUES) == 0)
    if ends.size == 0 or ends[-1] != codes.size - 1:
        raise ValueError("the last number is cut off")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 7:
        raise ValueError("a number longer than seven characters")
    position = np.arange(codes.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (_DATA_BITS * position), starts)
    negative = (codes[ends] & _SIGN) != 0
    values = values - np.where(negative, np.int64(1) << (_DATA_BITS * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def rle_problem(rle: Any, size: tuple[int, int]) -> str | None:
    """Say in a few words what is wrong with a compressed RLE, or return None.

    Args:
        rle: What a file holds where ``{"size": [height, width], "counts": text}`` is expected.
        size: (height, width) in pixels of the image the mask belongs to.
    """
    if not isinstance(rle, dict) or "size" not in rle or "counts" not in rle:
        return "not an RLE with size and counts"
    if not _is_possible(size):
        return f"size [{size[0]}, {size[1]}] is no picture's"
    if rle["size"] not in (list(size), tuple(size)):
        return f"size {rle['size']} differs from the image's [{size[0]}, {size[1]}]"
    if not isinstance(rle["counts"], str | bytes):
        return "counts is not a compressed RLE text"
    try:
        runs = run_lengths(rle["counts"])
    except ValueError as error:
        return f"damaged counts ({error})"
    if runs.min() < 0 or int(runs.sum()) != size[0] * size[1]:
        return f"damaged counts (runs sum to {int(runs.sum())}, not {size[0]} x {size[1]})"
    return None


def first_rle_problem(rles: Sequence[Any], size: tuple[int, int]) -> tuple[int, str] | None:
    """Return the first faulty mask of several of one image and what is wrong with it.

    Sound masks, nearly all of them, are checked together, much faster than one by one.
    """
    if _all_sound(rles, size):
        return None
    for index, rle in enumerate(rles):
        problem = rle_problem(rle, size)
        if problem:
            return index, problem
    return None


def _all_sound(rles: Sequence[Any], size: tuple[int, int]) -> bool:
    """Decode all masks at once; False where any may be faulty."""
    if rles and not _is_possible(size):
        return False
    sizes = (list(size), tuple(size))
    texts = []
    for rle in rles:
        if not isinstance(rle, dict) or rle.get("size") not in sizes:
            return False
        counts = rle.get("counts")
        if not isinstance(counts, str | bytes) or not counts or not counts.isascii():
            return False
        texts.append(_bytes(counts))
    return not texts or _fill(texts, size[0] * size[1])


def _bytes(counts: str | bytes) -> bytes:
    return counts if isinstance(counts, bytes) else counts.encode("ascii")


def _is_possible(size: tuple[int, int]) -> bool:
    """Tell whether pycocotools, which counts in 32 bits, can hold a mask of a size."""
    return min(size) > 0 and size[0] * size[1] < 1 << 32


def _fill(texts: Sequence[bytes], pixels: int) -> bool:
    """Tell whether each encoding is whole and its runs, none negative, cover ``pixels``."""
    codes = np.frombuffer(b"".join(texts), dtype=np.uint8).astype(np.int64) - _FIRST
    last = np.cumsum([len(text) for text in texts]) - 1
    ends = np.flatnonzero((codes & _CONTINUES) == 0)
    if codes.min() < 0 or codes.max() > 63 or (codes[last] & _CONTINUES).any():
        return False
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 7:
        return False
    position = np.arange(codes.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (_DATA_BITS * position), starts)
    values -= np.where((codes[ends] & _SIGN) != 0, np.int64(1) << (_DATA_BITS * lengths), 0)
    runs = _undo_differences(values, np.searchsorted(ends, last) + 1)
    totals = np.add.reduceat(runs, np.concatenate(([0], np.searchsorted(ends, last)[:-1] + 1)))
    return bool(runs.min() >= 0 and (totals == pixels).all())


def _undo_differences(values: NDArray[np.int64], stops: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the runs of several masks, of which ``stops`` says where each ends.

    From the fourth run of a mask on, the difference to the run two before is stored: a sum over
    every second run, from the second and from the third of each mask.
    """
    starts = np.concatenate(([0], stops[:-1]))
    within = np.arange(values.size) - np.repeat(starts, stops - starts)
    runs = np.where(within == 0, 0, values)
    for parity in (0, 1):
        sums = np.cumsum(np.where(within % 2 == parity, runs, 0))
        before = np.concatenate(([0], sums))[starts]
        chosen = within % 2 == parity
        runs = np.where(chosen, sums - np.repeat(before, stops - starts), runs)
    return np.where(within == 0, values, runs)
