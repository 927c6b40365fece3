"""Masks that are given to a grounding model, and work on a split in batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput

T = TypeVar("T")
RLE = dict[str, Any]


def read_entities_file(path: Path) -> dict[Any, list[RLE]]:
    """Return masks by image of an entities file, best score first as the segment stage writes.

    Raises:
        MissingInput: No such file.
        BadInput: A line that is no record of entities.
    """
    if not path.is_file():
        raise MissingInput(path, f"dvc repro segment@{path.parent.name}")
    found: dict[Any, list[RLE]] = {}
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                record = json.loads(line)
                codes = [entity["segmentation"] for entity in record["entities"]]
                found[record["image_id"]] = codes
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                problem = f"no record of entities ({error!r})"
                fix = f"dvc repro segment@{path.parent.name}"
                raise BadInput(path, f"line {number}", problem, fix) from error
    return found


def decode_masks(codes: Sequence[RLE]) -> NDArray[np.bool_]:
    """Decode N >= 1 compressed masks of one size to (N, H, W) bool."""
    from pycocotools import mask as coco_mask

    decoded = coco_mask.decode(list(codes)).astype(bool)
    return np.ascontiguousarray(decoded.transpose(2, 0, 1))


def encode_mask(mask: NDArray[np.bool_]) -> RLE:
    """Compress an (H, W) mask."""
    from pycocotools import mask as coco_mask

    code: RLE = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(code["size"]), "counts": code["counts"].decode("ascii")}


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of ``size``, the last one perhaps shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
