"""Panoptic quality of files in COCO's panoptic form: a JSON and a folder of PNGs of each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.datasets.images import ImageFolder
from workbench.datasets.panoptic import segment_ids
from workbench.datasets.pictures import read_picture
from workbench.errors import BadInput, MissingInput
from workbench.metrics.json_records import ImageId, Item, RecordsByImage
from workbench.metrics.panoptic_quality import Labels, PanopticQuality

_FIX = "write it in COCO's panoptic form"


@dataclass(frozen=True)
class PanopticScores:
    """Result of one evaluation.

    Attributes:
        metrics: Fractions in [0, 1] by ``panoptic_quality.METRICS``; NaN where undefined.
        counts: Those of ``PanopticQuality``, ``num_categories`` that occur, and
            ``predictions_left_out``: records of images that are not annotated.
    """

    metrics: dict[str, float]
    counts: dict[str, int]

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said = []
        if self.counts["predictions_left_out"]:
            count = self.counts["predictions_left_out"]
            said.append(f"{count} predictions of images that are not annotated are left out.")
        if self.counts["unlisted_truth_ids"]:
            count = self.counts["unlisted_truth_ids"]
            said.append(f"{count} ids of annotated PNGs are not in their JSON: no segments.")
        if not self.counts["num_categories"]:
            said.append("No segment on either side: every metric is undefined.")
        return said


class PanopticFile:
    """One side: a panoptic JSON, and its PNGs in the folder of the same name without suffix.

    Args:
        path: The JSON.
        masks: Folder of the PNGs; None for the one beside the JSON.

    Raises:
        MissingInput: No such file or folder.
        BadInput: Damaged JSON, two records of one image, categories without ids.
    """

    def __init__(self, path: Path, masks: Path | None = None) -> None:
        if not path.is_file():
            raise MissingInput(path, "give a COCO panoptic JSON")
        folder = masks or path.with_suffix("")
        if not folder.is_dir():
            raise MissingInput(folder, f"the PNGs of {path.name} belong into this folder")
        self.path, self._folder = path, ImageFolder(folder)
        self.isthing: dict[int, bool] = {}
        self._records = RecordsByImage(path, "annotations", _FIX, self._see)
        self._check_single()

    def __len__(self) -> int:
        return len(self._records)

    def image_ids(self) -> list[ImageId]:
        """Return the images that have a record, in file order."""
        return list(self._records.image_ids())

    def of(self, image_id: ImageId) -> tuple[Labels, list[Mapping[str, Any]], Path] | None:
        """Return an image's (H, W) ids, its segments and its PNG; None without a record.

        Raises:
            MissingInput: No PNG.
            BadInput: A damaged record or PNG.
        """
        found = self._records.of(image_id)
        if not found:
            return None
        place, record = found[0]
        for key, kind in (("file_name", str), ("segments_info", list)):
            if not isinstance(record.get(key), kind):
                raise BadInput(self.path, f"{place}.{key}", "missing", _FIX)
        png = self._folder.find(record["file_name"], self.path, f"{place}.file_name")
        return segment_ids(read_picture(png)), record["segments_info"], png

    def _see(self, item: Item) -> None:
        if item.field != "categories":
            return
        category = item.value if isinstance(item.value, dict) else {}
        number, isthing = category.get("id"), category.get("isthing")
        if type(number) is not int or isthing not in (0, 1) or number in self.isthing:
            place = f"categories[{item.position}]"
            problem = "id and isthing are missing, not numbers, or given twice"
            raise BadInput(self.path, place, problem, _FIX)
        self.isthing[number] = bool(isthing)

    def _check_single(self) -> None:
        for image_id in self._records.image_ids():
            places = self._records.of(image_id)
            if len(places) > 1:
                problem = f"image {image_id!r} a second time"
                raise BadInput(self.path, f"{places[1][0]}.image_id", problem, _FIX)


def score_panoptic_files(truth: PanopticFile, found: PanopticFile) -> PanopticScores:
    """Score panoptic predictions; one picture of each side is in memory at a time.

    Raises:
        MissingInput: A PNG is not there.
        BadInput: An annotated image without a prediction, or see ``PanopticQuality.add``.
    """
    if not truth.isthing:
        raise BadInput(truth.path, "categories", "missing", "give the annotations of the data set")
    quality = PanopticQuality(truth.isthing)
    for image_id in truth.image_ids():
        annotated, predicted = truth.of(image_id), found.of(image_id)
        if predicted is None:
            fix = "predict every annotated image; one without segments has an all-void PNG"
            raise BadInput(found.path, "annotations", f"no prediction for image {image_id!r}", fix)
        assert annotated is not None
        quality.add(*annotated[:2], *predicted[:2], predicted[2], annotated[2])
    left_out = len(found) - quality.counts["num_images"]
    counts = {"num_categories": quality.num_categories, "predictions_left_out": left_out}
    return PanopticScores(quality.metrics(), {**quality.counts, **counts})
