"""Class-agnostic entity AP and recall (paper Tables IV, V, VI, VIII).

Source: qqlu/Entity ``Entityv2/CropFormer/mask2former/evaluation/entity_evaluation.py``. Its changed
COCO API collapses all categories into one and leaves the rest as in pycocotools, so APe is the
stock COCO mask AP of one category: ten IoU thresholds 0.50:0.05:0.95, 101 recall points, at most
100 detections an image. The evaluation resolution is the image's size in the annotations.

Overlaps of masks come from pycocotools; matching and curves are ``average_precision``, equal to
pycocotools and free of its memory for the masks of all images.

Edge cases, as the reference has them: no detection at all gives NaN for every metric (not 0); no
ground truth gives NaN; images without ground truth add false positives; ``iscrowd`` entities are
ignored; an entity whose annotation id is 0 can never be found (pycocotools stores the matched id
and reads 0 as "unmatched"), so ids are left alone and such entities are counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.metrics.average_precision import AveragePrecision, Curves
from workbench.metrics.coco_truth import (
    CocoTruth,
    DatasetTruth,
    ImageTruth,
    Truth,
    check_ground_truth,
)
from workbench.metrics.predictions import ImageId, PredictionFile
from workbench.shards import ALONE, Shard

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset

__all__ = [
    "METRICS",
    "EntityScores",
    "check_ground_truth",
    "score_entities",
    "score_entity_file",
]

METRICS = ("APe", "AP50", "AP75", "APs", "APm", "APl", "AR100", "recall50")

# Gives the results of an image of (height, width) by its id.
ResultsOf = Callable[[ImageId, tuple[int, int]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class EntityScores:
    """Result of one evaluation.

    Attributes:
        metrics: Fractions in [0, 1] by the names in ``METRICS``; NaN where undefined. Small, medium
            and large are below 32², 96² px and above, at the evaluation resolution. AR100 is the
            mean over thresholds, ``recall50`` (Table VIII) the recall at IoU 0.5 alone.
        num_images: Images in the ground truth.
        num_entities: Ground-truth entities that are not crowds.
        num_predictions: Scored masks given.
        num_id_zero: Entities that can never be found because their annotation id is 0.
        images_without_prediction: Images that have no record; their entities count as missed. Where
            the source cannot say so, those without a mask.
    """

    metrics: dict[str, float]
    num_images: int
    num_entities: int
    num_predictions: int
    num_id_zero: int
    images_without_prediction: int = 0

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said = []
        if not self.num_entities:
            said.append("No ground-truth entity: every metric is undefined.")
        elif not self.num_predictions:
            said.append(
                "No prediction at all: the reference evaluator gives NaN, not 0, kept as null."
            )
        if self.num_id_zero:
            said.append(
                f"{self.num_id_zero} entities have annotation id 0 and count as never found, "
                "as in pycocotools."
            )
        if self.images_without_prediction:
            said.append(
                f"{self.images_without_prediction} of {self.num_images} images have no prediction "
                "record; their entities count as missed."
            )
        return said


def score_entities(
    ground_truth: Mapping[str, Any] | EntityDataset, results: Sequence[Mapping[str, Any]]
) -> EntityScores:
    """Score masks against annotated entities, whatever their classes.

    Args:
        ground_truth: COCO dict (``images``, ``annotations``), left unchanged, or a data set.
        results: COCO results: ``image_id``, ``segmentation`` (RLE), ``score``. Other fields, boxes
            and categories included, are not used.

    Raises:
        BadInput: See ``check_ground_truth``; a result of an image that is not annotated.
    """
    truth: Truth = (
        CocoTruth(ground_truth) if isinstance(ground_truth, Mapping) else DatasetTruth(ground_truth)
    )
    by_image: dict[ImageId, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        by_image[result["image_id"]].append(result)
    scores = _score(truth, lambda image_id, size: by_image.pop(image_id, ()))
    if by_image:
        problem = f"{next(iter(by_image))!r} is not in the annotations"
        raise BadInput("results", "image_id", problem, "predict on the split that is scored")
    return scores


def score_entity_file(truth: Truth, file: PredictionFile, shard: Shard = ALONE) -> EntityScores:
    """Score a predictions file; one image's masks are in memory at a time.

    Args:
        truth: Annotated images.
        file: Made on them.
        shard: Whose images are matched here; every process returns the scores of all.

    Raises:
        BadInput: A fault of the annotations or of the predictions.
    """
    known: set[ImageId] = set()

    def found_in(image_id: ImageId, size: tuple[int, int]) -> Sequence[Mapping[str, Any]]:
        known.add(image_id)
        return file.of(image_id, size)

    scores = _score(truth, found_in, shard)
    known = set().union(*shard.everyone(known))
    return replace(scores, images_without_prediction=len(known) - file.finish(known))


def _score(truth: Truth, found_in: ResultsOf, shard: Shard = ALONE) -> EntityScores:
    own = AveragePrecision()
    entities = predictions = zeros = 0
    for image in truth.part(shard):
        found = found_in(image.image_id, image.size)
        annotations = _class_agnostic(image)
        own.add(image.image_id, annotations, found)
        counting = [one for one in annotations if not one["iscrowd"]]
        entities += len(counting)
        zeros += sum(one["id"] == 0 for one in counting)
        predictions += len(found)
    counts = shard.everyone((entities, predictions, zeros))
    entities, predictions, zeros = map(sum, zip(*counts, strict=True))
    gathered = AveragePrecision()
    for part in shard.everyone(own):
        gathered.join(part)
    metrics = dict.fromkeys(METRICS, float("nan"))
    if entities and predictions:
        metrics = _read_out(gathered.curves())
    return EntityScores(metrics, len(truth), entities, predictions, zeros)


def _class_agnostic(image: ImageTruth) -> list[dict[str, Any]]:
    """Leave out classes, and areas: files of entities have those of boxes."""
    return [
        {field: one[field] for field in ("id", "segmentation", "iscrowd")}
        for one in image.annotations
    ]


def _read_out(curves: Curves) -> dict[str, float]:
    return {
        "APe": curves.mean_precision(),
        "AP50": curves.mean_precision(threshold=0),
        "AP75": curves.mean_precision(threshold=5),
        "APs": curves.mean_precision(area=1),
        "APm": curves.mean_precision(area=2),
        "APl": curves.mean_precision(area=3),
        "AR100": curves.mean_recall(),
        "recall50": curves.mean_recall(threshold=0),
    }
