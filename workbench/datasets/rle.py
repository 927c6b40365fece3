"""Run-length masks: decoding checks, and conversion from polygons, plain counts and label maps."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.schema import RLE
from workbench.errors import BadInput

# Of masks that are made together; a large picture with many entities would fill the memory.
_MOST_BYTES = 1 << 28
_DAMAGED = "the mask is damaged; get the file again"


def as_rle(segmentation: Any, size: tuple[int, int], file: Path, field: str) -> RLE:
    """Return a mask as compressed RLE, from compressed or plain RLE or polygons.

    Args:
        segmentation: Value of the annotation file.
        size: (height, width) of the picture.
        file: The annotation file, for errors.
        field: Where in it the value stands, for errors.

    Raises:
        BadInput: Of another size than the picture, or not decodable.
    """
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, size, file, field)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= set(segmentation):
        found = reprlib.repr(segmentation)
        raise BadInput(file, field, found, "use a run-length mask or polygons")
    if segmentation["size"] != list(size):
        found = f"{reprlib.repr(segmentation['size'])} differs from the image's {list(size)}"
        raise BadInput(file, f"{field}.size", found, "use masks of [height, width] of the image")
    counts = segmentation["counts"]
    if isinstance(counts, list):
        return _from_plain_counts(counts, size, file, field)
    if not isinstance(counts, str):
        raise BadInput(file, f"{field}.counts", reprlib.repr(counts), "use run-length counts")
    if covered_pixels(counts) != size[0] * size[1]:
        found = f"{reprlib.repr(counts)} does not fill {list(size)}"
        raise BadInput(file, f"{field}.counts", found, _DAMAGED)
    return {"size": list(size), "counts": counts}


def covered_pixels(counts: str) -> int:
    """Return how many pixels compressed counts cover, or -1 where they are not decodable.

    Source: the code of pycocotools' ``rleFrString``, which does not check: 5 bits a letter, low
    bits first, bit 5 for "more follows"; from the fourth run on, the difference to the run two
    before is stored.
    """
    letters = (
        np.frombuffer(counts.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(np.int64) - 48
    )
    if len(letters) == 0 or letters.min() < 0 or letters.max() > 63 or letters[-1] & 32:
        return -1
    last = np.flatnonzero(letters & 32 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    place = 5 * (np.arange(len(letters)) - np.repeat(first, last - first + 1))
    if place.max() > 40:
        return -1
    runs = np.add.reduceat((letters & 31) << place, first)
    runs -= np.where(letters[last] & 16, np.int64(1) << (place[last] + 5), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return int(runs.sum()) if runs.min() >= 0 else -1


def label_masks(labels: NDArray[np.int32], ids: Sequence[int]) -> list[RLE]:
    """Return the mask of each id of an (H, W) label map, in the order of ``ids``."""
    from pycocotools import mask as coco_mask

    columns, values = np.ascontiguousarray(labels.T), np.asarray(ids, dtype=labels.dtype)
    together = max(1, _MOST_BYTES // max(labels.size, 1))
    codes = []
    for at in range(0, len(values), together):
        # pycocotools wants (H, W, N) in Fortran order, which is (N, W, H) in C order.
        planes = columns[None] == values[at : at + together, None, None]
        codes += coco_mask.encode(planes.view(np.uint8).transpose(2, 1, 0))
    return [{"size": list(labels.shape), "counts": code["counts"].decode()} for code in codes]


def paint_labels(
    masks: Sequence[RLE], values: Sequence[int], size: tuple[int, int], background: int
) -> NDArray[np.int32]:
    """Return an (H, W) map of ``values`` where the masks are, the inverse of ``label_masks``.

    With a record's category ids and void as background this is its semantic map. Where masks
    overlap the later one counts.

    Raises:
        ValueError: Another number of values than of masks, or a mask of another size.
    """
    from pycocotools import mask as coco_mask

    labels = np.full(size, background, dtype=np.int32)
    for mask, value in zip(masks, values, strict=True):
        if tuple(mask["size"]) != tuple(size):
            raise ValueError(f"mask of {mask['size']} in a picture of {list(size)}")
        labels[coco_mask.decode(mask).astype(bool)] = value
    return labels


def _from_plain_counts(counts: list[Any], size: tuple[int, int], file: Path, field: str) -> RLE:
    from pycocotools import mask as coco_mask

    bad = any(isinstance(run, bool) or not isinstance(run, int) or run < 0 for run in counts)
    if bad or sum(counts) != size[0] * size[1]:
        found = f"{reprlib.repr(counts)} does not fill {list(size)}"
        raise BadInput(file, f"{field}.counts", found, _DAMAGED)
    code = coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)
    return {"size": list(size), "counts": code["counts"].decode()}


def _from_polygons(polygons: list[Any], size: tuple[int, int], file: Path, field: str) -> RLE:
    from pycocotools import mask as coco_mask

    if not polygons:
        raise BadInput(file, field, "no polygon", "give at least one polygon or remove the entity")
    for index, polygon in enumerate(polygons):
        if not _is_polygon(polygon):
            found = reprlib.repr(polygon)
            fix = "use x, y of at least three points in pixels"
            raise BadInput(file, f"{field}[{index}]", found, fix)
    code = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    return {"size": list(size), "counts": code["counts"].decode()}


def _is_polygon(polygon: Any) -> bool:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return False
    # Coordinates far outside would make pycocotools rasterise without end.
    return all(
        isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < 1_000_000
        for at in polygon
    )
