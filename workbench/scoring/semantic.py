"""Scores folders of label PNGs (paper Tables IV and V)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.datasets.images import ImageFolder
from workbench.datasets.pictures import open_picture, read_labels
from workbench.errors import BadInput, MissingInput
from workbench.metrics.mean_iou import IGNORE, METRICS, ConfusionMatrix, Labels
from workbench.scoring.files import Left, locate, with_progress
from workbench.scoring.kinds import FileScore
from workbench.scoring.records import read_json

# Every label of 8 bits below the ignore label may be a class: those not annotated do not count.
_ALL_CLASSES = {"first": 0, "classes": IGNORE, "ignore": IGNORE}


@dataclass(frozen=True)
class _Maps:
    """Annotated maps: their folder, their names in it and what their labels mean."""

    folder: Path
    names: list[str]
    first: int
    classes: int
    ignore: int


class SemanticMaps:
    """A folder of PNGs of one label a pixel, named as the annotated ones are.

    The data set is a folder of annotated PNGs, labels from 0 on and 255 for ignored pixels, or a
    manifest whose split has ``masks`` and may have ``first``, ``classes`` and ``ignore`` (ADE20K:
    1, 150, 0) and, as ``annotations``, a list of "PICTURE MAP" lines.
    """

    metrics: tuple[str, ...] = METRICS
    units: Mapping[str, str] = {}
    needs_predictions = False

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every annotated map; each must be predicted.

        Without predictions it scores classes drawn at random, pixel by pixel.

        Raises:
            MissingInput: A folder, or the prediction of an annotated map, is not there.
            BadInput: No map, or one that cannot be used.
        """
        if predictions is None:
            return _score_drawn_classes(_maps(source, split), source)
        if not predictions.is_dir():
            raise MissingInput(predictions, "give the folder of the label PNGs")
        maps = _maps(source, split)
        matrix, folder = (
            ConfusionMatrix(maps.classes, maps.ignore, maps.first),
            ImageFolder(maps.folder),
        )
        for name in with_progress(maps.names, "maps"):
            truth = folder.find(name, source, "annotations")
            found = predictions / name
            if not found.is_file():
                raise MissingInput(found, "predict every annotated picture")
            matrix.add(_read_labels(found), read_labels(truth), found, truth)
        return _file_score(matrix, maps, predictions)


def _score_drawn_classes(maps: _Maps, source: Path) -> FileScore:
    """Score pixels whose classes are drawn at random, a floor of Table IV."""
    matrix = ConfusionMatrix(maps.classes, maps.ignore, maps.first)
    folder = ImageFolder(maps.folder)
    for name in with_progress(maps.names, "maps"):
        path = folder.find(name, source, "annotations")
        truth = read_labels(path)
        matrix.add(truth, truth, path, path)
    classes = matrix.counts["classes_annotated"]
    remark = f"Not of a model: each pixel of one of {classes} classes drawn at random."
    return FileScore(
        {"mIoU": matrix.mean_iou_of_drawn_classes()},
        {"num_images": len(maps.names), **matrix.counts},
        [remark] if classes else [],
    )


def _file_score(matrix: ConfusionMatrix, maps: _Maps, predictions: Path) -> FileScore:
    left = Left({"num_images": len(maps.names), **matrix.counts})
    strangers = len(set(_png_names(predictions)) - set(maps.names))
    left.count("predictions_left_out", strangers, "{} PNGs belong to no annotated map: left out.")
    left.count(
        "pixels_without_prediction",
        matrix.counts["pixels_without_prediction"],
        "{} annotated pixels have no predicted class and are left out, as in the reference.",
    )
    if not matrix.counts["classes_annotated"]:
        left.remarks.append("No annotated pixel: mIoU is undefined.")
    return FileScore({"mIoU": matrix.mean_iou()}, left.counts, left.remarks)


def _maps(source: Path, split: str) -> _Maps:
    """Return the annotated maps that a folder or a manifest means."""
    where = locate(source, split)
    folder = where.masks if where.is_manifest else source
    if folder is None or not folder.is_dir():
        fix = "give a folder of label PNGs, or a manifest whose split has masks"
        raise MissingInput(folder or source, fix)
    labels = _labels(source, split) if where.is_manifest else _ALL_CLASSES
    listed = where.annotations if where.is_manifest else None
    names = list(_png_names(folder)) if listed is None else list(_listed(listed))
    if not names:
        raise BadInput(folder, "PNG", "none in the folder", "give the annotated label PNGs")
    return _Maps(folder, names, **labels)


def _labels(manifest: Path, split: str) -> dict[str, int]:
    entry = read_json(manifest, "give a manifest")["splits"][split]
    labels = {key: entry.get(key, default) for key, default in _ALL_CLASSES.items()}
    for key, value in labels.items():
        if type(value) is not int:
            raise BadInput(manifest, f"splits.{split}.{key}", repr(value), "give a whole number")
    first, classes, ignore = (labels[key] for key in _ALL_CLASSES)
    if not 0 < classes <= 1 << 12 or first <= ignore < first + classes:
        problem = f"{classes} from {first} on with {ignore} ignored"
        raise BadInput(manifest, f"splits.{split}.classes", problem, "ignore no class")
    return labels


def _listed(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise MissingInput(path, "the list of pictures and maps; get the data set whole")
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.strip():
            yield line.split()[-1]


def _png_names(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.png")))


def _read_labels(path: Path) -> Labels:
    """Decode a PNG of one channel to (H, W) labels; palettes give their indices."""
    with open_picture(path) as picture:
        mode, labels = picture.mode, np.asarray(picture)
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        problem = f"mode {mode} instead of one channel of whole numbers"
        raise BadInput(path, "picture", problem, "write one label a pixel, 8 or 16 bits")
    return labels
