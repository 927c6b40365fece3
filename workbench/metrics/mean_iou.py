"""Mean IoU of semantic segmentation (paper Tables IV and V).

Source: detectron2 ``evaluation/sem_seg_evaluation.py``, the evaluator that CropFormer uses; own
code, since detectron2 is no dependency and MMDetection's ``SemSegMetric`` counts classes that are
predicted but not annotated as 0, and rounds. One confusion matrix of all pixels of all pictures;
the mean is over the classes that are annotated somewhere. Pixels annotated as ignored count
nowhere. A predicted pixel of no class (the ignore label) leaves its annotated class's pixel out, as
in the reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput

METRICS = ("mIoU",)
IGNORE = 255

Labels = NDArray[np.integer[Any]]


class ConfusionMatrix:
    """Adds up label maps.

    Args:
        num_classes: Labels are 0 to ``num_classes - 1``.
        ignore: Label of pixels that do not count.
    """

    def __init__(self, num_classes: int, ignore: int = IGNORE) -> None:
        if num_classes < 1 or 0 <= ignore < num_classes:
            problem = f"{num_classes} with ignore label {ignore}"
            raise BadInput("mean IoU", "num_classes", problem, "keep the label out of the classes")
        self.num_classes, self.ignore = num_classes, ignore
        self._pixels = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)

    def add(
        self,
        found: Labels,
        truth: Labels,
        where: str | Path = "prediction",
        truth_where: str | Path = "ground truth",
    ) -> None:
        """Add a picture.

        Args:
            found: (H, W) predicted labels.
            truth: (H, W) annotated labels.
            where: File of the prediction, for errors.
            truth_where: File of the ground truth, for errors.

        Raises:
            BadInput: Two sizes, or a label that is neither a class nor the ignore label.
        """
        if found.shape != truth.shape:
            problem = f"{list(found.shape)} differs from the ground truth's {list(truth.shape)}"
            raise BadInput(where, "size", problem, "predict at the size of the annotations")
        classes = self.num_classes + 1
        codes = self._classes(found, where) * classes + self._classes(truth, truth_where)
        counted = np.bincount(codes.reshape(-1), minlength=classes * classes)
        self._pixels += counted.reshape(classes, classes)

    def class_ious(self) -> NDArray[np.float64]:
        """Return (num_classes,) IoUs as fractions, NaN where a class is not annotated."""
        pixels = self._pixels[:-1, :-1]
        right, annotated = pixels.diagonal(), pixels.sum(axis=0)
        union = annotated + pixels.sum(axis=1) - right
        ious = np.full(self.num_classes, np.nan)
        there = annotated > 0
        ious[there] = right[there] / union[there]
        return ious

    def mean_iou(self) -> float:
        """Return the mean over annotated classes as a fraction, NaN without any."""
        ious = self.class_ious()
        there = ~np.isnan(ious)
        return float(ious[there].mean()) if there.any() else float("nan")

    @property
    def counts(self) -> dict[str, int]:
        """``pixels`` that count, those ``pixels_ignored`` by the ground truth, and unlabelled."""
        return {
            "pixels": int(self._pixels[:-1, :-1].sum()),
            "pixels_ignored": int(self._pixels[:, -1].sum()),
            "pixels_without_prediction": int(self._pixels[-1, :-1].sum()),
            "classes_annotated": int((self._pixels[:-1, :-1].sum(axis=0) > 0).sum()),
        }

    def _classes(self, labels: Labels, where: str | Path) -> NDArray[np.int64]:
        """Return labels with the ignore label as one more class."""
        ignored = labels == self.ignore
        outside = ~ignored & ((labels < 0) | (labels >= self.num_classes))
        if outside.any():
            problem = f"{int(labels[outside][0])} is no class of 0 to {self.num_classes - 1}"
            raise BadInput(where, "label", problem, f"use classes, or {self.ignore} for none")
        return np.where(ignored, self.num_classes, labels.astype(np.int64))


@dataclass(frozen=True)
class SemanticScores:
    """Result of one evaluation.

    Attributes:
        metrics: ``mIoU`` as a fraction, NaN where nothing is annotated.
        class_ious: (num_classes,) fractions, NaN where a class is not annotated.
        counts: Pictures and pixels; see ``ConfusionMatrix.counts``. ``predictions_left_out`` are
            PNGs without an annotated one.
    """

    metrics: dict[str, float]
    class_ious: NDArray[np.float64]
    counts: dict[str, int]

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said = []
        if self.counts["predictions_left_out"]:
            count = self.counts["predictions_left_out"]
            said.append(f"{count} predicted PNGs of no annotated picture are left out.")
        if self.counts["pixels_without_prediction"]:
            count = self.counts["pixels_without_prediction"]
            said.append(f"{count} annotated pixels have no predicted class and are left out.")
        if not self.counts["classes_annotated"]:
            said.append("No annotated pixel: mIoU is undefined.")
        return said


def score_label_folders(
    found: Path, truth: Path, num_classes: int, ignore: int = IGNORE
) -> SemanticScores:
    """Score a folder of label PNGs against another, by equal relative names.

    Args:
        found: Predicted PNGs, 8 or 16 bits, one label a pixel.
        truth: Annotated PNGs; all are scored.
        num_classes: Number of classes.
        ignore: Label of pixels that do not count.

    Raises:
        MissingInput: A folder, or the prediction of an annotated PNG, is not there.
        BadInput: No PNG, or one that cannot be used.
    """
    matrix = ConfusionMatrix(num_classes, ignore)
    names = list(_png_names(truth))
    if not names:
        raise BadInput(truth, "PNG", "none in the folder", "give the annotated label PNGs")
    there = set(_png_names(found))
    for name in names:
        if name not in there:
            raise MissingInput(found / name, "predict every annotated picture")
        matrix.add(_read_labels(found / name), _read_labels(truth / name), found / name, truth / name)
    counts = {
        "num_images": len(names),
        "predictions_left_out": len(there - set(names)),
        **matrix.counts,
    }
    return SemanticScores({"mIoU": matrix.mean_iou()}, matrix.class_ious(), counts)


def _png_names(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise MissingInput(folder, "give a folder of label PNGs")
    return (path.relative_to(folder) for path in sorted(folder.rglob("*.png")))


def _read_labels(path: Path) -> Labels:
    """Decode a PNG of one channel to (H, W) labels; palettes give their indices."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            labels = np.asarray(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        found = str(error).replace("\n", " ")
        raise BadInput(path, "picture", found, "the file is damaged; write it again") from error
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        problem = f"{picture.mode} instead of one channel of whole numbers"
        raise BadInput(path, "mode", problem, "write one label a pixel, 8 or 16 bits")
    return labels
