"""Class-aware mask AP: COCO's (paper Tables IV, V) and its mean over SGinW's sets (Table XIV).

Source: cocodataset/cocoapi ``COCOeval`` with its own parameters, equal to pycocotools at 100
detections an image and class; of several sets, microsoft/X-Decoder, branch ``seginw``. A class
without ground truth does not count, but its detections are not refused. Areas are the annotations'
``area``, as COCO takes them. Without any detection every metric is NaN, as in detectron2.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from workbench.datasets.sginw import SETS
from workbench.errors import BadInput
from workbench.metrics.average_precision import AveragePrecision
from workbench.metrics.coco_truth import ImageTruth, Truth
from workbench.metrics.predictions import ImageId, PredictionFile

KeyT = TypeVar("KeyT")

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR100")

SGINW_SETS = tuple(SETS)

DRAWS = 10  # of random classes: AP of single ones deviates by half of its mean (Table IV, mini)


@dataclass(frozen=True)
class InstanceScores:
    """Result of one evaluation.

    Attributes:
        metrics: Fractions in [0, 1] by the names in ``METRICS``; NaN where undefined.
        class_aps: AP by category id; NaN where a class has no ground truth.
        counts: ``num_images``, ``num_instances`` that are not crowds, ``num_predictions``,
            ``images_without_prediction`` (their instances count as missed),
            ``instances_with_id_zero`` (never found, as in pycocotools), ``num_classes`` and, of
            these, ``classes_without_instance``, which do not count.
    """

    metrics: dict[str, float]
    class_aps: dict[int, float]
    counts: dict[str, int]

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said, counts = [], self.counts
        if not counts["num_instances"]:
            said.append("No annotated instance: every metric is undefined.")
        elif not counts["num_predictions"]:
            said.append("No prediction at all: the reference evaluator gives NaN, kept as null.")
        if counts["images_without_prediction"]:
            said.append(
                f"{counts['images_without_prediction']} of {counts['num_images']} images have no "
                "prediction; their instances count as missed."
            )
        if counts["instances_with_id_zero"]:
            said.append(
                f"{counts['instances_with_id_zero']} instances have annotation id 0 and count as "
                "never found, as in pycocotools."
            )
        if counts["classes_without_instance"]:
            said.append(
                f"{counts['classes_without_instance']} of {counts['num_classes']} classes have no "
                "annotated instance and do not count."
            )
        return said


def score_instances(truth: Truth, found: PredictionFile) -> InstanceScores:
    """Score masks with classes; one image's masks are in memory at a time.

    Args:
        truth: Annotated images with categories.
        found: Predictions, opened with those categories.

    Raises:
        BadInput: A fault of the annotations or of the predictions.
    """
    categories = list(truth.categories)
    gathered = AveragePrecision(categories)
    known: set[ImageId] = set()
    classes: set[int] = set()
    predictions = zeros = 0
    for image in truth:
        _check_categories(image, truth)
        results = found.of(image.image_id, image.size)
        gathered.add(image.image_id, image.annotations, results)
        counting = [one for one in image.annotations if not one["iscrowd"]]
        classes.update(one["category_id"] for one in counting)
        zeros += sum(one["id"] == 0 for one in counting)
        predictions += len(results)
        known.add(image.image_id)
    counts = {
        "num_images": len(known),
        "num_instances": truth.num_entities,
        "num_predictions": predictions,
        "images_without_prediction": len(known) - found.finish(known),
        "instances_with_id_zero": zeros,
        "num_classes": len(categories),
        "classes_without_instance": len(categories) - len(classes),
    }
    metrics, class_aps = _read_out(gathered, categories)
    if not (truth.num_entities and predictions):
        metrics = dict.fromkeys(METRICS, math.nan)
    return InstanceScores(metrics, class_aps, counts)


def score_drawn_classes(truth: Truth) -> InstanceScores:
    """Score the annotated masks with classes and scores drawn at random: the mean of ``DRAWS``.

    Every class that is annotated somewhere is as likely; crowds are not drawn for. What lies near
    these numbers tells no classes apart.

    Args:
        truth: Annotated images with categories.
    """
    generator = np.random.default_rng(0)
    categories, classes = list(truth.categories), sorted(_counting_classes(truth))
    draws = [AveragePrecision(categories) for _ in range(DRAWS)]
    images = instances = 0
    for image in truth:
        masks = [one["segmentation"] for one in image.annotations if not one["iscrowd"]]
        images, instances = images + 1, instances + len(masks)
        for drawn in draws:
            found = [
                {"segmentation": mask, "score": score, "category_id": category}
                for mask, score, category in zip(
                    masks,
                    generator.random(len(masks)).tolist(),
                    generator.choice(classes, len(masks)).tolist(),
                    strict=True,
                )
            ]
            drawn.add(image.image_id, image.annotations, found)
    metrics, class_aps = zip(*(_read_out(drawn, categories) for drawn in draws), strict=True)
    counts = {
        "num_images": images,
        "num_instances": instances,
        "num_classes": len(categories),
        "classes_without_instance": len(categories) - len(classes),
    }
    return InstanceScores(_means(metrics), _means(class_aps), counts)


def _counting_classes(truth: Truth) -> set[int]:
    classes: set[int] = set()
    for image in truth:
        _check_categories(image, truth)
        classes.update(one["category_id"] for one in image.annotations if not one["iscrowd"])
    return classes


def _means(rows: Sequence[Mapping[KeyT, float]]) -> dict[KeyT, float]:
    return {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}


def _check_categories(image: ImageTruth, truth: Truth) -> None:
    for one in image.annotations:
        if one.get("category_id") not in truth.categories:
            problem = f"annotation {one['id']}: {one.get('category_id')!r} is not listed"
            fix = "correct the annotation file"
            raise BadInput(truth.source, "category_id", problem, fix)


def mean_over_sets(aps: Mapping[str, float]) -> dict[str, float]:
    """Return mean and median AP over sets, each counted once.

    Args:
        aps: AP of every set as a fraction; NaN, which is no prediction at all, counts as 0.

    Raises:
        ValueError: No set.
    """
    if not aps:
        raise ValueError("no set")
    values = [0.0 if math.isnan(value) else value for value in aps.values()]
    return {"AP": statistics.fmean(values), "AP_median": statistics.median(values)}


def _read_out(
    gathered: AveragePrecision, categories: list[int]
) -> tuple[dict[str, float], dict[int, float]]:
    curves = gathered.curves()
    metrics = {
        "AP": curves.mean_precision(),
        "AP50": curves.mean_precision(threshold=0),
        "AP75": curves.mean_precision(threshold=5),
        "APs": curves.mean_precision(area=1),
        "APm": curves.mean_precision(area=2),
        "APl": curves.mean_precision(area=3),
        "AR100": curves.mean_recall(),
    }
    each = {category: curves.of_category(at) for at, category in enumerate(categories)}
    return metrics, each
