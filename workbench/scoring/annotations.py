"""Scores of annotations: their statistics (paper Table I) and two annotators (Table II)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadInput
from workbench.metrics import annotator_agreement, shape_statistics
from workbench.metrics.annotator_agreement import AnnotatedImage, agreement
from workbench.metrics.predictions import ImageId, PredictionFile
from workbench.metrics.shape_statistics import ShapeStatistics
from workbench.scoring.files import Left, locate
from workbench.scoring.kinds import FileScore
from workbench.scoring.truth import open_truth


class Statistics:
    """Numbers, sizes and shapes of annotated entities, or of predicted ones.

    Several splits, with commas between them, are taken together.
    """

    metrics: tuple[str, ...] = shape_statistics.METRICS
    units: Mapping[str, str] = shape_statistics.UNITS
    needs_predictions = False

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Describe the annotations of a data set, or the predictions made on it."""
        statistics, left = ShapeStatistics(), Left()
        parts = split.split(",")
        if predictions is not None:
            if len(parts) > 1:
                raise BadInput("--split", split, "several", "predictions are of one split")
            self._add_predictions(statistics, left, predictions, source, split)
        else:
            for part in parts:
                for image in open_truth(source, part):
                    masks = [one["segmentation"] for one in image.annotations]
                    crowds = [bool(one["iscrowd"]) for one in image.annotations]
                    statistics.add(image.size, masks, crowds)
        left.counts["num_images"] = statistics.num_images
        left.counts["num_entities"] = statistics.num_entities
        left.count("crowds_left_out", statistics.num_crowds, "{} crowds are left out.")
        left.count(
            "entities_without_shape",
            statistics.num_without_shape,
            "{} entities enclose nothing (points, lines) and are left out of convexity and "
            "simplicity.",
        )
        if len(parts) > 1:
            left.remarks.append(f"{' and '.join(parts)} are taken together.")
        return FileScore(statistics.metrics(), left.counts, left.remarks)

    @staticmethod
    def _add_predictions(
        statistics: ShapeStatistics, left: Left, predictions: Path, source: Path, split: str
    ) -> None:
        found = PredictionFile(predictions)
        known: set[ImageId] = set()
        for image in open_truth(source, split):
            masks = [one["segmentation"] for one in found.of(image.image_id, image.size)]
            statistics.add(image.size, masks, [False] * len(masks))
            known.add(image.image_id)
        left.count(
            "images_without_prediction",
            len(known) - found.finish(known),
            "{} images have no prediction record and count as images without entities.",
        )


class Agreement:
    """Annotations of one annotator against those of another, both COCO files or manifests."""

    metrics: tuple[str, ...] = annotator_agreement.METRICS
    units: Mapping[str, str] = {}
    needs_predictions = True

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Compare ``predictions``, the table's row, with ``source``, its column."""
        assert predictions is not None
        row, column = _by_image(predictions, split), _by_image(source, split)
        both = sorted(row.keys() & column.keys(), key=lambda one: (isinstance(one, str), one))
        if not both:
            fix = "give two annotations of the same images"
            raise BadInput(predictions, "images", f"none is in {source}", fix)
        for image_id in both:
            (size, _), (other, _) = row[image_id], column[image_id]
            if size != other:
                problem = f"{size} differs from {other} of {source}"
                fix = "give two annotations of the same images"
                raise BadInput(predictions, f"image {image_id!r}: height, width", problem, fix)
        found = agreement([row[key][1] for key in both], [column[key][1] for key in both])
        left = Left({"num_images": len(both), "entities_compared": found.num_predicted})
        left.counts["entities_of_dataset"] = found.num_truth
        left.counts["masks_in_both"] = found.num_paired
        alone = len(row.keys() ^ column.keys())
        left.count("images_of_one_alone", alone, "{} images are in one of the files only.")
        left.count("crowds_left_out", found.num_crowds, "{} crowds are left out.")
        left.remarks += found.remarks()
        return FileScore(found.metrics, left.counts, left.remarks)


def _by_image(source: Path, split: str) -> dict[ImageId, tuple[tuple[int, int], AnnotatedImage]]:
    """Return the size of each image and its entities in the order of annotation ids."""
    truth = open_truth(source, split)
    ids = _segment_ids(source, split)
    found = {}
    for image in truth:
        own = ids.get(image.image_id, [one["id"] for one in image.annotations])
        entities = [image.annotations[at] for at in sorted(range(len(own)), key=own.__getitem__)]
        numbers = [one.get("category_id") for one in entities]
        names = [truth.categories.get(n, str(n)) if n is not None else None for n in numbers]
        masks = tuple(one["segmentation"] for one in entities)
        crowds = tuple(bool(one["iscrowd"]) for one in entities)
        found[image.image_id] = (image.size, AnnotatedImage(masks, tuple(names), crowds))
    return found


def _segment_ids(source: Path, split: str) -> dict[ImageId, list[int]]:
    """Return the ids of a manifest's entities, which its ground truth numbers anew."""
    if not locate(source, split).is_manifest:
        return {}
    from workbench.datasets import load_entities

    return {image.image_id: list(image.segment_ids) for image in load_entities(source, split)}
