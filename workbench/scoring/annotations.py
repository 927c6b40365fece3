"""Scores of annotations: their statistics (paper Table I) and two annotators (Table II)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.metrics import annotator_agreement, shape_statistics
from workbench.metrics.annotator_agreement import AnnotatedImage, agreement
from workbench.metrics.entity_ap import load_ground_truth
from workbench.metrics.predictions import read_predictions
from workbench.metrics.shape_statistics import ShapeStatistics
from workbench.scoring.files import Left, locate
from workbench.scoring.kinds import FileScore


@dataclass(frozen=True)
class Annotated:
    """One image of a data set; the tuples run in parallel, in the order of annotation ids."""

    image_id: int | str
    size: tuple[int, int]
    masks: tuple[Mapping[str, Any], ...]
    crowds: tuple[bool, ...]
    classes: tuple[str, ...]


def annotated_images(source: Path, split: str) -> Iterator[Annotated]:
    """Yield the images of a data set, from a manifest or a COCO annotation file.

    Raises:
        BadInput, MissingInput: It cannot be read, or a mask of it cannot.
    """
    where = locate(source, split)
    if where.is_manifest:
        yield from _of_manifest(source, split)
    elif where.annotations:
        yield from _of_coco(where.annotations)
    else:
        raise BadInput(source, "--dataset", "a folder", "give a manifest or COCO annotations")


def _of_manifest(source: Path, split: str) -> Iterator[Annotated]:
    from workbench.datasets import load_entities

    dataset = load_entities(source, split)
    names = {category.category_id: category.name for category in dataset.categories}
    for image in dataset:
        order = sorted(range(len(image.masks)), key=lambda at: image.segment_ids[at])
        yield Annotated(
            image.image_id,
            (image.height, image.width),
            tuple(image.masks[at] for at in order),
            tuple(image.iscrowd[at] for at in order),
            tuple(_name(names, image.category_ids[at]) for at in order),
        )


def _of_coco(path: Path) -> Iterator[Annotated]:
    from workbench.datasets.rle import as_rle

    content = load_ground_truth(path)
    names = _names(content.get("categories"))
    of_image: defaultdict[int | str, list[int]] = defaultdict(list)
    entities = content["annotations"]
    for at in sorted(range(len(entities)), key=lambda at: entities[at]["id"]):
        of_image[entities[at]["image_id"]].append(at)
    for image in content["images"]:
        size, order = (image["height"], image["width"]), of_image[image["id"]]
        field = "annotations[{}].segmentation".format
        yield Annotated(
            image["id"],
            size,
            tuple(as_rle(entities[at]["segmentation"], size, path, field(at)) for at in order),
            tuple(bool(entities[at].get("iscrowd", 0)) for at in order),
            tuple(_name(names, entities[at].get("category_id")) for at in order),
        )


def _names(categories: Any) -> dict[int, str]:
    """Return the names that a COCO file gives its categories; it need not give any."""
    records = categories if isinstance(categories, list) else []
    listed = [one for one in records if isinstance(one, dict)]
    return {
        one["id"]: one["name"]
        for one in listed
        if isinstance(one.get("id"), int) and isinstance(one.get("name"), str)
    }


def _name(names: Mapping[int, str], category: Any) -> str:
    """Return what names a class: its name, or its id where the file has no name for it."""
    return names.get(category, str(category)) if isinstance(category, int) else str(category)


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
                for image in annotated_images(source, part):
                    statistics.add(image.size, image.masks, image.crowds)
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
        sizes = {image.image_id: image.size for image in annotated_images(source, split)}
        found = read_predictions(predictions, sizes)
        masks: defaultdict[int | str, list[Mapping[str, Any]]] = defaultdict(list)
        for result in found.results:
            masks[result["image_id"]].append(result["segmentation"])
        for image_id, size in sizes.items():
            statistics.add(size, masks[image_id], [False] * len(masks[image_id]))
        left.count(
            "images_without_prediction",
            len(sizes) - len(found.image_ids),
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
        row = {image.image_id: image for image in annotated_images(predictions, split)}
        column = {image.image_id: image for image in annotated_images(source, split)}
        both = sorted(row.keys() & column.keys(), key=lambda one: (isinstance(one, str), one))
        if not both:
            fix = "give two annotations of the same images"
            raise BadInput(predictions, "images", f"none is in {source}", fix)
        for image_id in both:
            if row[image_id].size != column[image_id].size:
                problem = f"{row[image_id].size} differs from {column[image_id].size} of {source}"
                fix = "give two annotations of the same images"
                raise BadInput(predictions, f"image {image_id!r}: height, width", problem, fix)
        found = agreement(*([_entry(side[key]) for key in both] for side in (row, column)))
        left = Left({"num_images": len(both), "entities_compared": found.num_predicted})
        left.counts["entities_of_dataset"] = found.num_truth
        left.counts["masks_in_both"] = found.num_paired
        alone = len(row.keys() ^ column.keys())
        left.count("images_of_one_alone", alone, "{} images are in one of the files only.")
        left.count("crowds_left_out", found.num_crowds, "{} crowds are left out.")
        left.remarks += found.remarks()
        return FileScore(found.metrics, left.counts, left.remarks)


def _entry(image: Annotated) -> AnnotatedImage:
    return AnnotatedImage(image.masks, image.classes, image.crowds)
