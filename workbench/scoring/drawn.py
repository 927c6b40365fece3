"""What an entity drawn at random scores on referring expressions: the floor of Table IX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pycocotools import mask as coco_mask

from workbench.datasets.instances import InstanceReader
from workbench.datasets.load import load_referring, read_manifest, split_files
from workbench.errors import BadInput
from workbench.metrics.referring_iou import RLE
from workbench.scoring.files import Left
from workbench.scoring.kinds import FileScore


def score_drawn(manifest: Path, split: str) -> FileScore:
    """Score the expectation over all annotated instances of a picture, each as likely.

    cIoU is the sum of the expected intersections over that of the expected unions; gIoU the mean of
    the expected IoUs.

    Raises:
        BadInput: The split has no annotated instances but the targets themselves.
    """
    files = split_files(read_manifest(manifest), manifest, split)
    if not isinstance(files.entry.get("annotations"), str):
        problem = "has no annotated entities but the targets themselves"
        fix = "give predictions, or a data set of RefCOCO's form"
        raise BadInput(manifest, f"splits.{split}", problem, fix)
    reader = InstanceReader(files)
    places = {number: at for at, number in enumerate(reader.image_ids())}
    intersection = union = ious = 0.0
    count = entities = 0
    for image in load_referring(manifest, split):
        masks = reader(places[image.image_id]).masks
        shared, joined, overlap = _expected(masks, image.target)
        intersection += image.num_scored * shared
        union += image.num_scored * joined
        ious += image.num_scored * overlap
        count += image.num_scored
        entities += image.num_scored * len(masks)
    values = {
        "cIoU": intersection / union if union else float("nan"),
        "gIoU": ious / count if count else float("nan"),
    }
    left = Left({"num_expressions": count})
    if count:
        left.remarks.append(
            f"Not of a model: one of the {entities / count:.1f} annotated instances of a picture, "
            "drawn at random, in expectation."
        )
    return FileScore(values, left.counts, left.remarks)


def _expected(masks: Sequence[RLE], target: RLE) -> tuple[float, float, float]:
    """Return the mean intersection and union in pixels, and IoU, of N >= 1 masks with one."""
    aimed = int(coco_mask.area(target))
    shared = [int(coco_mask.area(coco_mask.merge([one, target], intersect=True))) for one in masks]
    joined = [int(coco_mask.area(one)) + aimed - s for one, s in zip(masks, shared, strict=True)]
    overlaps = [s / j if j else 1.0 for s, j in zip(shared, joined, strict=True)]
    number = len(masks)
    return sum(shared) / number, sum(joined) / number, sum(overlaps) / number
