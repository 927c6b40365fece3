"""Files that ``esg segment`` leaves for each photograph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.files import atomic_path, write_json
from workbench.segmentation.label_map import paint_label_map
from workbench.segmentation.overlay import draw_overlay
from workbench.segmentation.segmenter import Entity

PNG_COMPRESSION = 1  # zlib level: three times as fast as the default, a tenth larger


@dataclass(frozen=True)
class PhotoOutputs:
    """Where the results of one photograph go."""

    entities: Path
    labels: Path
    overlay: Path

    @classmethod
    def named(cls, folder: Path, name: str) -> PhotoOutputs:
        return cls(
            folder / f"{name}.json", folder / f"{name}_labels.png", folder / f"{name}_overlay.png"
        )

    def paths(self) -> tuple[Path, Path, Path]:
        return self.entities, self.labels, self.overlay


def plan_outputs(photos: Sequence[Path], folder: Path) -> dict[Path, PhotoOutputs]:
    """Give each photograph its own output files.

    They are called after the photograph's stem; where two would meet (``a.jpg`` and ``a.png``, or
    the same name in two folders) by its whole name, then by its folder and name, then by a number.

    Raises:
        BadInput: An output would replace one of the photographs.
    """
    forms: tuple[Callable[[Path], str], ...] = (
        lambda photo: photo.stem,
        lambda photo: photo.name,
        lambda photo: f"{photo.resolve().parent.name}_{photo.name}",
    )
    planned: dict[Path, PhotoOutputs] = {}
    taken: set[Path] = set()
    uses = [Counter(form(photo).lower() for photo in photos) for form in forms]
    for photo in photos:
        free = [form(photo) for form, use in zip(forms, uses, strict=True)
                if use[form(photo).lower()] == 1]  # fmt: skip
        base = free[0] if free else forms[-1](photo)
        outputs, number = PhotoOutputs.named(folder, base), 1
        while taken.intersection(map(_folded, outputs.paths())):
            number += 1
            outputs = PhotoOutputs.named(folder, f"{base}-{number}")
        taken.update(map(_folded, outputs.paths()))
        planned[photo] = outputs
    clash = taken.intersection(_folded(photo) for photo in photos)
    if clash:
        problem = f"results would replace the photograph {sorted(clash)[0].name}"
        raise BadInput("--out", str(folder), problem, "choose another folder")
    return planned


def _folded(path: Path) -> Path:
    """Return a path as a file system that ignores case sees it."""
    resolved = path.resolve()
    return resolved.with_name(resolved.name.lower())


def write_outputs(
    outputs: PhotoOutputs, photo: Path, image: NDArray[np.uint8], entities: Sequence[Entity]
) -> None:
    """Write label map, overlay and, last, the JSON record, each whole.

    Args:
        outputs: Where to.
        photo: The photograph's file.
        image: (H, W, 3) uint8, BGR, upright.
        entities: The highest score first; entity k has id k + 1 in the record and the label map.
    """
    size = (image.shape[0], image.shape[1])
    painted = paint_label_map([entity.segmentation for entity in entities], size)
    _write_png(outputs.labels, painted)
    _write_png(outputs.overlay, draw_overlay(image, painted))
    write_json(outputs.entities, photo_record(photo, size, entities))


def photo_record(photo: Path, size: tuple[int, int], entities: Sequence[Entity]) -> dict[str, Any]:
    """Return the entities of a photograph as one record of COCO results, with ids from 1."""
    from pycocotools import mask as mask_utils

    listed = []
    for number, entity in enumerate(entities, start=1):
        measures = {
            "area": int(mask_utils.area(entity.segmentation)),
            "bbox": [float(edge) for edge in mask_utils.toBbox(entity.segmentation)],
        }
        listed.append({"id": number, **entity.record(), **measures})
    return {
        "image_id": photo.stem,
        "file_name": photo.name,
        "height": size[0],
        "width": size[1],
        "entities": listed,
    }


def _write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    import cv2

    with atomic_path(path) as aside:
        if not cv2.imwrite(str(aside), pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION]):
            raise OSError(f"{path}: could not be written")
