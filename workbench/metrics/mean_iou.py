"""Mean IoU of semantic segmentation (paper Tables IV and V).

Source: detectron2 ``evaluation/sem_seg_evaluation.py``, the evaluator that CropFormer uses; own
code, since detectron2 is no dependency and MMDetection's ``SemSegMetric`` counts classes that are
predicted but not annotated as 0, and rounds. One confusion matrix of all pixels of all pictures;
the mean is over the classes that are annotated somewhere. Pixels annotated as ignored count
nowhere. A predicted pixel of no class (the ignore label) leaves its annotated class's pixel out, as
in the reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

METRICS = ("mIoU",)
IGNORE = 255

Labels = NDArray[np.integer[Any]]


class ConfusionMatrix:
    """Adds up label maps.

    Args:
        num_classes: Labels are ``first`` to ``first + num_classes - 1``. Classes that are annotated
            nowhere change nothing, so that too many do no harm.
        ignore: Label of pixels that do not count.
        first: Label of the first class; ADE20K's maps count from 1 and ignore 0.

    Raises:
        ValueError: No class, or the ignore label among the classes.
    """

    def __init__(self, num_classes: int, ignore: int = IGNORE, first: int = 0) -> None:
        if num_classes < 1 or first <= ignore < first + num_classes:
            raise ValueError(f"{num_classes} classes from {first} on with ignore label {ignore}")
        self.num_classes, self.ignore, self.first = num_classes, ignore, first
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

    def mean_iou_of_drawn_classes(self) -> float:
        """Return mIoU were each annotated pixel's class drawn at random; NaN without any.

        Every annotated class is as likely. It is that of the expected numbers of pixels: of a class
        with n of N pixels and K classes, n / K are right, and N / K are said to be of it.
        """
        pixels = self._pixels[:, :-1].sum(axis=0)
        annotated = pixels[pixels > 0]
        if not len(annotated):
            return float("nan")
        classes, total = len(annotated), annotated.sum()
        return float((annotated / (classes * annotated + total - annotated)).mean())

    @property
    def counts(self) -> dict[str, int]:
        """Pixels that count, are ignored by annotation, lack a prediction; annotated classes."""
        return {
            "pixels": int(self._pixels[:-1, :-1].sum()),
            "pixels_ignored": int(self._pixels[:, -1].sum()),
            "pixels_without_prediction": int(self._pixels[-1, :-1].sum()),
            "classes_annotated": int((self._pixels[:-1, :-1].sum(axis=0) > 0).sum()),
        }

    def _classes(self, labels: Labels, where: str | Path) -> NDArray[np.int64]:
        """Return labels with the ignore label as one more class."""
        ignored, last = labels == self.ignore, self.first + self.num_classes - 1
        outside = ~ignored & ((labels < self.first) | (labels > last))
        if outside.any():
            problem = f"{int(labels[outside][0])} is no class of {self.first} to {last}"
            raise BadInput(where, "label", problem, f"use classes, or {self.ignore} for none")
        return np.where(ignored, self.num_classes, labels.astype(np.int64) - self.first)
