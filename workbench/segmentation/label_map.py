"""Label maps to and from COCO run-length encodings, without a full-size copy per entity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rle = dict[str, Any]


def encode_label_map(label_map: NDArray[np.integer[Any]], num_labels: int) -> list[Rle]:
    """Encode each label of a map.

    The runs of all labels are found in one pass over the map in column order.

    Args:
        label_map: (height, width) integers, 0 for no entity.
        num_labels: Labels 1 to this are encoded, absent ones as empty masks.

    Returns:
        Compressed RLE of labels 1, 2, ...: ``{"size": [height, width], "counts": str}``.

    Raises:
        ValueError: A label outside 0 to ``num_labels``, or an empty map.
    """
    height, width = label_map.shape
    flat = label_map.ravel(order="F")
    if flat.size == 0:
        raise ValueError(f"the label map is empty: {label_map.shape}")
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    labels = flat[starts]
    if labels.min() < 0 or labels.max() > num_labels:
        raise ValueError(f"labels {labels.min()} to {labels.max()}, not 0 to {num_labels}")
    order = np.argsort(labels, kind="stable")
    firsts = np.searchsorted(labels[order], np.arange(1, num_labels + 2))
    encoded = []
    for first, after in zip(firsts[:-1], firsts[1:], strict=True):
        runs = order[first:after]
        encoded.append(_compress(starts[runs], ends[runs], (height, width)))
    return encoded


def encode_masks(masks: NDArray[np.bool_]) -> list[Rle]:
    """Encode masks (K, height, width), which may overlap, as compressed RLE."""
    from pycocotools import mask as mask_utils

    if not len(masks):
        return []
    encoded = mask_utils.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))
    return [{**one, "counts": one["counts"].decode("ascii")} for one in encoded]


def _compress(starts: NDArray[np.intp], ends: NDArray[np.intp], size: tuple[int, int]) -> Rle:
    """Compress the foreground runs of one mask, given in column order."""
    from pycocotools import mask as mask_utils

    edges = np.empty(2 * len(starts) + 2, dtype=np.int64)
    edges[0], edges[-1] = 0, size[0] * size[1]
    edges[1:-1:2], edges[2:-1:2] = starts, ends
    counts = np.diff(edges)
    if counts[-1] == 0:
        counts = counts[:-1]
    rle = mask_utils.frPyObjects({"size": list(size), "counts": counts.tolist()}, *size)
    return {"size": list(size), "counts": rle["counts"].decode("ascii")}


def paint_label_map(masks: Sequence[Rle], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Paint masks onto a map; where masks overlap, the earlier one stays.

    Args:
        masks: COCO RLE of one size, painted as 1, 2, ...; at most 65,535.
        size: (height, width) in pixels.

    Returns:
        (height, width) uint16, 0 where no mask is.

    Raises:
        ValueError: A mask of another size, or too many masks.
    """
    from pycocotools import mask as mask_utils

    if len(masks) > np.iinfo(np.uint16).max:
        raise ValueError(f"{len(masks)} masks, more than a 16-bit label map holds")
    label_map = np.zeros(size, dtype=np.uint16, order="F")
    for label, rle in reversed(list(enumerate(masks, start=1))):
        if tuple(rle["size"]) != tuple(size):
            raise ValueError(f"mask {label} has size {rle['size']}, not {list(size)}")
        left, top, width, height = (int(edge) for edge in mask_utils.toBbox(rle))
        window = np.s_[top : top + height, left : left + width]
        label_map[window][mask_utils.decode(rle)[window].astype(bool)] = label
    return np.ascontiguousarray(label_map)
