"""Scores class-aware masks: COCO results against annotations, and SGinW's 25 sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from workbench.datasets.sginw import ANNOTATIONS
from workbench.errors import BadInput, MissingInput
from workbench.metrics import instance_ap
from workbench.metrics.coco_truth import CocoTruthFile, Truth
from workbench.metrics.instance_ap import (
    DRAWS,
    SGINW_SETS,
    InstanceScores,
    score_drawn_classes,
    score_instances,
)
from workbench.metrics.predictions import PredictionFile
from workbench.scoring.files import Left, locate
from workbench.scoring.kinds import FileScore
from workbench.scoring.truth import open_truth

_SPLIT = "valid"


class Instances:
    """COCO results (``.json``) or entities (``.jsonl``) with ``category_id``."""

    metrics: tuple[str, ...] = instance_ap.METRICS
    units: Mapping[str, str] = {}
    needs_predictions = False

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every annotated image; one without a record is scored as if nothing was found.

        Without predictions it scores the annotated masks with classes drawn at random.
        """
        truth = _truth(source, split)
        if predictions is not None:
            scores = _score(truth, predictions)
            return FileScore(scores.metrics, scores.counts, scores.remarks())
        scores = score_drawn_classes(truth)
        classes = scores.counts["num_classes"] - scores.counts["classes_without_instance"]
        remark = (
            f"Not of a model: annotated masks in random order, each of one of {classes} classes "
            f"drawn at random; the mean of {DRAWS} draws."
        )
        return FileScore(scores.metrics, scores.counts, [remark] if classes else [])


class SegmentationInTheWild:
    """A folder of COCO results, ``SET.json`` each, against SGinW's folder of 25 sets.

    The data set is a folder with ``SET/valid/_annotations_min1cat.coco.json``, or a manifest with
    splits ``SET_valid``.
    """

    metrics: tuple[str, ...] = ("AP", "AP_median", *(f"AP_{name}" for name in SGINW_SETS))
    units: Mapping[str, str] = {}
    needs_predictions = True

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score the 25 sets; one without a file counts as 0.

        Raises:
            MissingInput: A folder or the annotations of a set are not there.
            BadInput: A file of a set that is none of the 25, or a faulty one.
        """
        assert predictions is not None
        files = _result_files(predictions)
        annotations = [_annotations_of(source, name) for name in SGINW_SETS]
        for path in annotations:
            if not path.is_file():
                raise MissingInput(path, "all 25 sets are needed; get SGinW whole")
        aps: dict[str, float] = {}
        left, totals = Left(), dict.fromkeys(("num_images", "num_instances", "num_predictions"), 0)
        zeros = absent = 0
        for name, path in zip(SGINW_SETS, annotations, strict=True):
            aps[name] = math.nan
            if name not in files:
                continue
            scores = _score(CocoTruthFile(path), files[name])
            aps[name] = scores.metrics["AP"]
            totals = {key: value + scores.counts[key] for key, value in totals.items()}
            zeros += scores.counts["instances_with_id_zero"]
            absent += scores.counts["images_without_prediction"]
        left.counts.update({"num_sets": len(aps), **totals})
        without = sum(math.isnan(value) for value in aps.values())
        left.count("sets_without_prediction", without, "{} of 25 sets have no prediction: AP 0.")
        sentence = "{} images have no prediction; their instances count as missed."
        left.count("images_without_prediction", absent, sentence)
        sentence = "{} instances have annotation id 0 and count as never found, as in pycocotools."
        left.count("instances_with_id_zero", zeros, sentence)
        each = {f"AP_{name}": value for name, value in aps.items()}
        return FileScore({**instance_ap.mean_over_sets(aps), **each}, left.counts, left.remarks)


def _score(truth: Truth, predictions: Path) -> InstanceScores:
    return score_instances(truth, PredictionFile(predictions, truth.categories))


def _annotations_of(source: Path, name: str) -> Path:
    """Return where the annotations of a set are; they need not exist."""
    if source.is_dir():
        return source / name / _SPLIT / ANNOTATIONS
    return locate(source, f"{name}_{_SPLIT}").annotations or source


def _truth(source: Path, split: str) -> Truth:
    truth = open_truth(source, split)
    if not truth.categories:
        raise BadInput(source, "categories", "missing", "give annotations with categories")
    return truth


def _result_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise MissingInput(folder, "give a folder with SET.json of each of SGinW's 25 sets")
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    for name, path in files.items():
        if name not in SGINW_SETS:
            raise BadInput(path, "name", f"{name!r} is none of the 25 sets", "name it SET.json")
    return files
