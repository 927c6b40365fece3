"""Class-agnostic entity AP and recall (paper Tables IV, V, VI, VIII).

Source: qqlu/Entity ``Entityv2/CropFormer/mask2former/evaluation/entity_evaluation.py``. Its changed
COCO API collapses all categories into one and leaves the rest as in pycocotools, so APe is the
stock COCO mask AP of one category: ten IoU thresholds 0.50:0.05:0.95, 101 recall points, at most
100 detections an image. The evaluation resolution is the image's size in the annotations.

Edge cases, as the reference has them: no detection at all gives NaN for every metric (not 0); no
ground truth gives NaN; images without ground truth add false positives; ``iscrowd`` entities are
ignored; an entity whose annotation id is 0 can never be found (pycocotools stores the matched id
and reads 0 as "unmatched"), so ids are left alone and such entities are counted.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from workbench.errors import BadInput, MissingInput
from workbench.metrics.predictions import ImageSizes
from workbench.metrics.rle import rle_problem

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset

MAX_DETECTIONS = (1, 10, 100)
METRICS = ("APe", "AP50", "AP75", "APs", "APm", "APl", "AR100", "recall50")
_FIX_ANNOTATIONS = "correct the annotation file"


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
    """

    metrics: dict[str, float]
    num_images: int
    num_entities: int
    num_predictions: int
    num_id_zero: int

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
        return said


def image_sizes(ground_truth: Mapping[str, Any]) -> ImageSizes:
    """Return (height, width) in pixels of each image of a COCO dict, by image id."""
    return {image["id"]: (image["height"], image["width"]) for image in ground_truth["images"]}


def load_ground_truth(path: Path) -> dict[str, Any]:
    """Read a COCO annotation file.

    Raises:
        MissingInput: No such file.
        BadInput: Not JSON, or without ``images`` and ``annotations``.
    """
    if not path.is_file():
        raise MissingInput(path, "give the annotation file of the split")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", _FIX_ANNOTATIONS) from error
    for field in ("images", "annotations"):
        if not isinstance(value, dict) or not isinstance(value.get(field), list):
            raise BadInput(path, field, "not a list", _FIX_ANNOTATIONS)
    check_ground_truth(value, path)
    return value


def check_ground_truth(
    ground_truth: Mapping[str, Any], source: str | Path = "ground truth"
) -> None:
    """Refuse a COCO dict that pycocotools would silently score wrongly.

    Raises:
        BadInput: No image; an image without id, height or width; an id twice; an annotation of an
            unknown image; a mask that is missing, damaged or of another size. ``source`` names
            the file.
    """
    images, entities = ground_truth["images"], ground_truth["annotations"]
    if not images:
        raise BadInput(source, "images", "empty", "give a data set with at least one image")
    for index, image in enumerate(images):
        for field, kind in (("id", int | str), ("height", int), ("width", int)):
            if not isinstance(image, Mapping) or not isinstance(image.get(field), kind):
                problem = "missing or of another kind"
                raise BadInput(source, f"images[{index}].{field}", problem, _FIX_ANNOTATIONS)
    _check_unique(source, "images", images)
    sizes = image_sizes(ground_truth)
    for index, entity in enumerate(entities):
        part, fault = _entity_problem(entity, sizes)
        if fault:
            raise BadInput(source, f"annotations[{index}].{part}", fault, _FIX_ANNOTATIONS)
    _check_unique(source, "annotations", entities)


def _entity_problem(entity: Any, sizes: ImageSizes) -> tuple[str, str | None]:
    """Return a faulty field of an annotation and what is wrong with it (None: nothing)."""
    if not isinstance(entity, Mapping) or not isinstance(entity.get("id"), int):
        return "id", "missing or not a whole number"
    image_id, mask = entity.get("image_id"), entity.get("segmentation")
    if not isinstance(image_id, int | str) or image_id not in sizes:
        return "image_id", f"{image_id!r} is not among the images"
    if isinstance(mask, Mapping) and isinstance(mask.get("counts"), list):
        same = list(mask.get("size", [])) == list(sizes[image_id])
        return "segmentation", None if same else "size differs from the image's"
    if isinstance(mask, list):
        return "segmentation", None if mask else "empty"
    return "segmentation", rle_problem(mask, sizes[image_id])


def _check_unique(source: str | Path, field: str, records: list[dict[str, Any]]) -> None:
    seen = set()
    for index, record in enumerate(records):
        if record["id"] in seen:
            problem = f"{record['id']!r} a second time"
            raise BadInput(source, f"{field}[{index}].id", problem, _FIX_ANNOTATIONS)
        seen.add(record["id"])


def score_entities(
    ground_truth: Mapping[str, Any] | EntityDataset, results: Sequence[Mapping[str, Any]]
) -> EntityScores:
    """Score masks against annotated entities, whatever their classes.

    Args:
        ground_truth: COCO dict (``images``, ``annotations``), or a data set that can make one.
            Left unchanged.
        results: COCO results: ``image_id``, ``segmentation`` (RLE), ``score``. Other fields, boxes
            and categories included, are not used.

    Raises:
        BadInput: See ``check_ground_truth``.
    """
    coco = ground_truth if isinstance(ground_truth, Mapping) else ground_truth.to_coco()
    check_ground_truth(coco)
    entities = [entity for entity in coco["annotations"] if not entity.get("iscrowd", 0)]
    metrics = dict.fromkeys(METRICS, float("nan"))
    if entities and results:
        metrics = _evaluate(coco, results)
    return EntityScores(
        metrics=metrics,
        num_images=len(coco["images"]),
        num_entities=len(entities),
        num_predictions=len(results),
        num_id_zero=sum(entity["id"] == 0 for entity in entities),
    )


def _evaluate(
    ground_truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    # Images are renumbered in the order of their ids: detections of equal score are ranked in that
    # order, and pycocotools cannot sort ids of mixed type.
    ids = sorted((image["id"] for image in ground_truth["images"]), key=_id_order)
    rank = {image_id: index for index, image_id in enumerate(ids, start=1)}
    sizes = image_sizes(ground_truth)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": rank[i], "height": sizes[i][0], "width": sizes[i][1]} for i in ids],
            "annotations": [_as_truth(a, rank, sizes) for a in ground_truth["annotations"]],
            "categories": [{"id": 1, "name": "entity"}],
        }
        truth.createIndex()
        found = truth.loadRes([_as_detection(r, rank) for r in results])
        evaluator = COCOeval(truth, found, iouType="segm")
        evaluator.params.maxDets = list(MAX_DETECTIONS)
        evaluator.evaluate()
        evaluator.accumulate()
    return _read_out(evaluator.eval)


def _id_order(image_id: int | str) -> tuple[bool, int, str]:
    is_text = isinstance(image_id, str)
    return (is_text, 0, image_id) if isinstance(image_id, str) else (is_text, image_id, "")


def _as_truth(
    entity: Mapping[str, Any], rank: Mapping[Any, int], sizes: ImageSizes
) -> dict[str, Any]:
    height, width = sizes[entity["image_id"]]
    mask = entity["segmentation"]
    if isinstance(mask, list):
        mask = mask_utils.merge(mask_utils.frPyObjects(mask, height, width))
    elif isinstance(mask["counts"], list):
        mask = mask_utils.frPyObjects(mask, height, width)
    return {
        "id": entity["id"],
        "image_id": rank[entity["image_id"]],
        "category_id": 1,
        "segmentation": mask,
        "area": float(mask_utils.area(mask)),
        "iscrowd": int(entity.get("iscrowd", 0)),
    }


def _as_detection(result: Mapping[str, Any], rank: Mapping[Any, int]) -> dict[str, Any]:
    # No box: loadRes would take the detection's area from it instead of from the mask.
    return {
        "image_id": rank[result["image_id"]],
        "category_id": 1,
        "segmentation": result["segmentation"],
        "score": result["score"],
    }


def _read_out(accumulated: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Read metrics from COCOeval's arrays, unrounded; -1 there means undefined.

    ``precision`` is (threshold, recall point, category, area range, maxDets), ``recall`` lacks the
    second axis; area ranges are all, small, medium, large.
    """
    precision, recall = accumulated["precision"][..., 2], accumulated["recall"][..., 2]
    return {
        "APe": _mean(precision[:, :, :, 0]),
        "AP50": _mean(precision[0, :, :, 0]),
        "AP75": _mean(precision[5, :, :, 0]),
        "APs": _mean(precision[:, :, :, 1]),
        "APm": _mean(precision[:, :, :, 2]),
        "APl": _mean(precision[:, :, :, 3]),
        "AR100": _mean(recall[:, :, 0]),
        "recall50": _mean(recall[0, :, 0]),
    }


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")
