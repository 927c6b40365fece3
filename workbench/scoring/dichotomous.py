"""Scores a folder of grey maps against DIS5K's masks (paper Table VII)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput
from workbench.metrics.dichotomous import METRICS, DichotomousMeasures
from workbench.scoring.files import Left, locate, read_grey, with_progress
from workbench.scoring.kinds import FileScore

_MASKS = "gt"


class Dichotomous:
    """Grey PNG maps, one a picture, named as the masks are.

    The data set is a folder with ``gt/`` (``DIS5K/DIS-VD``), a folder with the split's folder
    (``DIS5K`` and the split ``DIS-VD``), or a manifest whose split has ``masks``.
    """

    metrics: tuple[str, ...] = METRICS
    units: Mapping[str, str] = {**dict.fromkeys(METRICS, "ratio"), "HCE_gamma": "clicks"}
    needs_predictions = True

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every mask; a picture without a map is scored as if nothing was found."""
        assert predictions is not None
        if not predictions.is_dir():
            raise MissingInput(predictions, "give the folder of the grey PNG maps")
        masks = _masks(source, split)
        maps = {path.stem: path for path in sorted(predictions.glob("*.png"))}
        measures, missing, resized = DichotomousMeasures(), 0, 0
        for mask in with_progress(masks, "maps"):
            target = _truth_mask(mask)
            if mask.stem in maps:
                found = read_grey(maps[mask.stem])
            else:
                found, missing = np.zeros_like(target), missing + 1
            if found.shape != target.shape:
                found, resized = _resize(found, target.shape), resized + 1
            measures.add(found, target)
        left = Left({"num_images": len(masks), "num_predictions": len(maps)})
        left.count(
            "images_without_prediction",
            missing,
            f"{{}} of {len(masks)} images have no map; they are scored as all background.",
        )
        left.count(
            "maps_resized",
            resized,
            "{} maps have another size than their mask and were resized (bilinear).",
        )
        strangers = len(maps.keys() - {mask.stem for mask in masks})
        left.count("maps_without_mask", strangers, "{} maps belong to no mask: not scored.")
        return FileScore(measures.metrics(), left.counts, left.remarks)


def _masks(source: Path, split: str) -> list[Path]:
    candidates = [source / split / _MASKS, source / _MASKS]
    folder = locate(source, split).masks or next(
        (path for path in candidates if path.is_dir()), candidates[0]
    )
    if not folder.is_dir():
        raise MissingInput(folder, "give a folder with gt/, or name the split with --split")
    masks = sorted(folder.glob("*.png"))
    if not masks:
        raise MissingInput(folder / "*.png", "get the masks of the split")
    return masks


def _truth_mask(path: Path) -> NDArray[np.uint8]:
    """Read a mask; some are stored as 0 and 1."""
    mask = read_grey(path)
    if not mask.size:
        raise BadInput(path, "size", "no pixel", "get the mask again")
    return mask * np.uint8(255) if mask.max() == 1 else mask


def _resize(found: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(found, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))
