"""Scores files in COCO's panoptic form: a JSON and a folder of PNGs of each side.

Decoding PNGs is most of the time: it is done in threads, a few pictures ahead.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.datasets.images import ImageFolder
from workbench.datasets.json_stream import Part
from workbench.datasets.panoptic import map_name
from workbench.datasets.pictures import read_picture
from workbench.errors import BadInput, MissingInput
from workbench.metrics.json_records import ImageId, RecordsByImage
from workbench.metrics.panoptic_quality import METRICS, CategoryQuality, Labels, PanopticQuality
from workbench.scoring.files import Left, locate, with_progress
from workbench.scoring.kinds import FileScore
from workbench.shards import ALONE, Shard

# EntitySeg's files may name the kind of a category as its entity files do.
_KINDS = {"thing": 1, "stuff": 0}
_FIX = "write it in COCO's panoptic form"
_THREADS = 2
_AHEAD = 3  # pictures of which both PNGs are in memory
_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_PILLOW = Lock()  # reading with it changes settings of the process
_PNG_START, _RGB8 = b"\x89PNG\r\n\x1a\n", (8, 2)  # bits and colour type, in bytes 24 and 25

Segments = list[Mapping[str, Any]]
Side = tuple[Labels, Segments, Path]


class PanopticImages:
    """A COCO panoptic JSON with its folder of PNGs against another, or against a manifest's.

    The PNGs are in the folder of the JSON's name without suffix, as panopticapi has them.
    """

    metrics: tuple[str, ...] = METRICS
    units: Mapping[str, str] = {}
    needs_predictions = False

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every annotated image, see ``score_in_ranks``."""
        return self.score_in_ranks(predictions, source, split, ALONE)

    def score_in_ranks(
        self, predictions: Path | None, source: Path, split: str, shard: Shard
    ) -> FileScore:
        """Score every annotated image; each must be predicted, be it as all void.

        Without predictions it scores the annotated segments with classes drawn at random.
        """
        where = locate(source, split)
        if where.annotations is None:
            raise BadInput(source, "--dataset", "no annotation file", "give a COCO panoptic JSON")
        truth = PanopticFile(where.annotations, where.masks)
        if predictions is None:
            return score_drawn_classes(truth)
        return score_panoptic_files(truth, PanopticFile(predictions), shard)


def score_drawn_classes(truth: PanopticFile) -> FileScore:
    """Score annotated segments whose classes are drawn at random, each that occurs as likely.

    PQ and RQ are those of the expected numbers of right, wrong and missed segments; crowds are
    left out. The floor of Table XIII for exact masks.
    """
    segments: Counter[int] = Counter()
    for image_id in truth.image_ids():
        found = truth.of(image_id)
        assert found is not None
        segments.update(one["category_id"] for one in found[0] if not one.get("iscrowd", 0))
    quality, total, classes = PanopticQuality(truth.isthing), segments.total(), len(segments)
    for category, number in segments.items():
        right = number / classes
        quality.categories[category] = CategoryQuality(
            [right], right, (total - number) / classes, number - right
        )
    remark = f"Not of a model: annotated masks, each of one of {classes} classes drawn at random."
    counts = {"num_images": len(truth), "num_segments": total, "num_categories": classes}
    return FileScore(quality.metrics(), counts, [remark] if classes else [])


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

    def __len__(self) -> int:
        return len(self._records)

    def image_ids(self) -> list[ImageId]:
        """Return the images that have a record, in file order."""
        return list(self._records.image_ids())

    def of(self, image_id: ImageId) -> tuple[Segments, Path] | None:
        """Return an image's segments and PNG; None without a record.

        Raises:
            MissingInput: No PNG.
            BadInput: A damaged record.
        """
        found = self._records.of(image_id)
        if not found:
            return None
        if len(found) > 1:
            problem = f"image {image_id!r} a second time"
            raise BadInput(self.path, f"{found[1][0]}.image_id", problem, _FIX)
        place, record = found[0]
        for key, kind in (("file_name", str), ("segments_info", list)):
            if not isinstance(record.get(key), kind):
                raise BadInput(self.path, f"{place}.{key}", "missing", _FIX)
        name = map_name(record["file_name"])
        return record["segments_info"], self._folder.find(name, self.path, f"{place}.file_name")

    def _see(self, part: Part) -> None:
        if part.key != "categories":
            return
        category = part.value if isinstance(part.value, dict) else {}
        number, kind = category.get("id"), _KINDS.get(str(category.get("type")))
        isthing = category.get("isthing", kind)
        if type(number) is not int or isthing not in (0, 1) or number in self.isthing:
            place = f"categories[{part.index}]"
            problem = "id and isthing are missing, not numbers, or given twice"
            raise BadInput(self.path, place, problem, _FIX)
        self.isthing[number] = bool(isthing)


def score_panoptic_files(
    truth: PanopticFile, found: PanopticFile, shard: Shard = ALONE
) -> FileScore:
    """Score panoptic predictions; a few pictures are in memory at a time.

    Args:
        truth: Annotated pictures.
        found: Made on them.
        shard: Whose pictures are compared here; every process returns the scores of all.

    Raises:
        MissingInput: A PNG is not there.
        BadInput: An annotated image without a prediction, or see ``PanopticQuality.add``.
    """
    if not truth.isthing:
        raise BadInput(truth.path, "categories", "missing", "give the annotations of the data set")
    own, quality = PanopticQuality(truth.isthing), PanopticQuality(truth.isthing)
    for annotated, predicted in _read_ahead(truth, found, shard):
        own.add(*annotated[:2], *predicted[:2], predicted[2], annotated[2])
    for part in shard.everyone(own):
        quality.join(part)
    counts = quality.counts
    left = Left({**counts, "num_categories": quality.num_categories})
    left.count(
        "predictions_left_out",
        len(found) - counts["num_images"],
        "{} predictions of images that are not annotated are left out.",
    )
    left.count(
        "unlisted_truth_ids",
        counts["unlisted_truth_ids"],
        "{} ids of annotated PNGs are not in their JSON: neither void nor segments.",
    )
    if not quality.num_categories:
        left.remarks.append("No segment on either side: every metric is undefined.")
    return FileScore(quality.metrics(), left.counts, left.remarks)


def _read_ahead(
    truth: PanopticFile, found: PanopticFile, shard: Shard
) -> Iterator[tuple[Side, Side]]:
    """Yield colours, segments and PNG of both sides of every annotated picture of a shard."""
    waiting: deque[tuple[Future[Side], Future[Side]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for image_id in with_progress(list(shard.of(truth.image_ids())), "images"):
            annotated, predicted = truth.of(image_id), found.of(image_id)
            if predicted is None:
                problem = f"no prediction for image {image_id!r}"
                fix = "predict every annotated image; one without segments has an all-void PNG"
                raise BadInput(found.path, "annotations", problem, fix)
            assert annotated is not None
            waiting.append((pool.submit(_side, *annotated), pool.submit(_side, *predicted)))
            if len(waiting) == _AHEAD:
                yield _both(waiting.popleft())
        yield from map(_both, waiting)


def _side(segments: Segments, png: Path) -> Side:
    return read_colours(png), segments, png


def _both(sides: tuple[Future[Side], Future[Side]]) -> tuple[Side, Side]:
    return sides[0].result(), sides[1].result()


def read_colours(path: Path) -> NDArray[np.uint8]:
    """Decode a picture as `read_picture` does; COCO's PNGs, of 8-bit RGB, faster, by OpenCV.

    Raises:
        BadInput: Not a picture, or truncated.
        MissingInput: No such file.
    """
    data = path.read_bytes() if path.is_file() else b""
    if data[:8] == _PNG_START and tuple(data[24:26]) == _RGB8:
        colours = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
        if colours is not None:
            return colours
    with _PILLOW:
        return read_picture(path)
