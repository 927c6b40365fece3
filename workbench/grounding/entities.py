"""Entity masks of any tool: COCO results or a label map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput

Size = tuple[int, int]


def read_entities(path: Path, size: Size) -> tuple[NDArray[np.bool_], list[int]]:
    """Read the masks of one photograph.

    Args:
        path: COCO results (a list of ``segmentation`` and ``score``, or a record with
            ``entities`` as ``esg segment`` writes), or a PNG whose pixels are entity ids.
        size: (height, width) of the photograph.

    Returns:
        Masks (N, H, W) bool, best score first, and their ids: those of the file, or from 1.

    Raises:
        BadInput: Not such a file, no entity, or masks of another size.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, "give the path of COCO results or of a label map")
    if path.suffix.lower() == ".png":
        return _from_label_map(path, size)
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", str(error) or "empty", "give COCO results") from error
    listed = content.get("entities") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise BadInput(path, "top level", "no list of entities", "give COCO results")
    images = {item.get("image_id") for item in listed}
    if len(images) > 1:
        problem = f"results of {len(images)} images"
        raise BadInput(path, "image_id", problem, "give those of this photograph alone")
    order = sorted(range(len(listed)), key=lambda at: -_score(path, listed[at], at))
    masks = masks_of_rles([listed[at].get("segmentation") for at in order], size, path)
    return masks, [int(listed[at].get("id", at + 1)) for at in order]


def masks_of_rles(codes: Sequence[Any], size: Size, where: Path) -> NDArray[np.bool_]:
    """Decode COCO masks, RLE or polygons, to (N, H, W) bool.

    Raises:
        BadInput: None at all, one that is no mask, or of another size.
    """
    from pycocotools import mask as coco_mask

    from workbench.datasets.rle import as_rle

    if not codes:
        raise BadInput(where, "entities", "no entity", "give masks of the photograph")
    masks = np.zeros((len(codes), *size), dtype=bool)
    for at, code in enumerate(codes):
        masks[at] = coco_mask.decode(as_rle(code, size, where, f"entities[{at}].segmentation"))
    return masks


def _score(path: Path, item: dict[str, Any], at: int) -> float:
    score = item.get("score", 1.0)
    if isinstance(score, bool) or not isinstance(score, int | float) or not np.isfinite(score):
        raise BadInput(path, f"entities[{at}].score", repr(score), "give a number")
    return float(score)


def _from_label_map(path: Path, size: Size) -> tuple[NDArray[np.bool_], list[int]]:
    import cv2

    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise BadInput(path, "picture", "cannot be decoded", "give a PNG")
    if labels.ndim == 3:
        # COCO panoptic's colours, R + 256 G + 65536 B; OpenCV gives them as BGR.
        labels = labels[..., :3].astype(np.int64) @ np.array([65536, 256, 1])
    if labels.shape != size:
        problem = f"{labels.shape[0]} x {labels.shape[1]}, the photograph {size[0]} x {size[1]}"
        raise BadInput(path, "size", problem, "give the label map of this photograph")
    ids = [int(number) for number in np.unique(labels) if number != 0]
    if not ids:
        raise BadInput(path, "pixels", "no entity", "give a map with ids above 0")
    return np.stack([labels == number for number in ids]), ids
