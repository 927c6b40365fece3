"""Scores of videos (paper Table V): tubes of YTVIS2019 and UVO, panoptic videos of VIPSeg."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.metrics import tube_ap
from workbench.metrics.predictions import is_finite_number
from workbench.metrics.rle import rle_problem
from workbench.metrics.tube_ap import Tube
from workbench.scoring.files import SEE, Left, check_fields, locate
from workbench.scoring.kinds import FileScore
from workbench.scoring.records import read_json


@dataclass(frozen=True)
class Video:
    """A video's position in the data set, its (height, width) in pixels and number of frames."""

    position: int
    size: tuple[int, int]
    length: int


@dataclass(frozen=True)
class Videos:
    """A YTVIS annotation file: videos by id, category ids, annotated tubes."""

    by_id: dict[int | str, Video]
    categories: frozenset[int]
    tubes: list[Tube]


class Tubes:
    """YTVIS results against a YTVIS annotation file.

    Args:
        class_agnostic: Whether all categories count as one; the numbers are then named as those
            of entities are (``APe``).
    """

    needs_predictions = True
    units: Mapping[str, str] = {}

    def __init__(self, class_agnostic: bool) -> None:
        self._agnostic = class_agnostic
        self.metrics = tuple(self._name(name) for name in tube_ap.METRICS)

    def _name(self, metric: str) -> str:
        return "APe" if self._agnostic and metric == "AP" else metric

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score the results file ``predictions``."""
        assert predictions is not None
        path = locate(source, split).annotations
        if path is None:
            raise BadInput(source, "--dataset", "no annotation file", "give the YTVIS JSON")
        videos = read_videos(path, self._agnostic)
        found = read_tubes(predictions, videos, self._agnostic)
        total = len(videos.by_id)
        scores = tube_ap.tube_ap(videos.tubes, found, total, self._agnostic)
        to_find = [tube for tube in videos.tubes if not tube.crowd]
        left = Left({"num_videos": total, "num_tubes": len(to_find)})
        left.counts["num_predictions"] = len(found)
        missing = total - len({tube.video for tube in found})
        left.count(
            "videos_without_prediction",
            missing,
            f"{{}} of {total} videos have no predicted tube; theirs count as missed.",
        )
        zeros = sum(tube.number == 0 for tube in to_find)
        left.count("tubes_with_id_zero", zeros, "{} tube has annotation id 0 and is never found.")
        left.count("crowds_ignored", len(videos.tubes) - len(to_find), "{} crowds are ignored.")
        if not to_find:
            left.remarks.append("No annotated tube: every metric is undefined.")
        elif not found:
            left.remarks.append("No prediction at all: undefined as for images, not 0.")
        named = {self._name(name): value for name, value in scores.items()}
        return FileScore(named, left.counts, left.remarks)


def read_videos(path: Path, class_agnostic: bool) -> Videos:
    """Read a YTVIS annotation file.

    Args:
        path: The file.
        class_agnostic: Whether categories need not be listed.

    Raises:
        MissingInput: No such file.
        BadInput: Damaged, without annotations, or an annotation that does not fit its video.
    """
    content = read_json(path, "give the YTVIS annotation file")
    for key in ("videos", "annotations") + ("categories",) * (not class_agnostic):
        if not isinstance(content.get(key), list):
            fix = "give a split whose annotations are public" if key == "annotations" else SEE
            raise BadInput(path, key, "missing or not a list", fix)
    categories = [] if class_agnostic else content["categories"]
    for at, category in enumerate(categories):
        check_fields(category, int, ("id",), path, f"categories[{at}]")
    known = Videos(_videos(content["videos"], path), frozenset(c["id"] for c in categories), [])
    seen: set[int] = set()
    for at, item in enumerate(content["annotations"]):
        where = f"annotations[{at}]"
        check_fields(item, int, ("id",), path, where)
        if abs(item["id"]) >= 1 << 63 or item["id"] in seen:
            raise BadInput(
                path, f"{where}.id", f"{item['id']} too large or a second time", "give unique ids"
            )
        seen.add(item["id"])
        about = {"number": item["id"], "crowd": bool(item.get("iscrowd", 0))}
        known.tubes.append(_tube(item, known, path, where, not class_agnostic, **about))
    return known


def _videos(records: list[Any], path: Path) -> dict[int | str, Video]:
    by_id: dict[int | str, Video] = {}
    for at, video in enumerate(records):
        where = f"videos[{at}]"
        check_fields(video, int, ("height", "width"), path, where)
        names = video.get("file_names")
        length = video.get("length", len(names) if isinstance(names, list) else None)
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise BadInput(path, f"{where}.length", f"{length!r}", "give its number of frames")
        number = video.get("id")
        if not isinstance(number, int | str) or number in by_id:
            raise BadInput(path, f"{where}.id", f"{number!r}", "give each video an id of its own")
        by_id[number] = Video(at, (video["height"], video["width"]), length)
    return by_id


def read_tubes(path: Path, videos: Videos, class_agnostic: bool) -> list[Tube]:
    """Read YTVIS results: a list of ``video_id``, ``category_id``, ``score``, ``segmentations``.

    Args:
        path: The file.
        videos: Annotations of the split.
        class_agnostic: Whether ``category_id`` may be missing and unknown.

    Raises:
        MissingInput: No such file.
        BadInput: Not a list, or a result that does not fit its video.
    """
    if not path.is_file():
        raise MissingInput(path, "give YTVIS results (a JSON list)")
    try:
        items = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", "write it again") from error
    if not isinstance(items, list):
        raise BadInput(path, "top level", "not a list of YTVIS results", SEE)
    found = []
    for at, item in enumerate(items):
        check_fields(item, (int, float), ("score",), path, f"[{at}]")
        if not is_finite_number(item["score"]):
            found_score = reprlib.repr(item["score"])
            raise BadInput(path, f"[{at}].score", found_score, "give a finite number")
        score = float(item["score"])
        found.append(_tube(item, videos, path, f"[{at}]", not class_agnostic, score=score))
    return found


def _tube(
    item: dict[str, Any], videos: Videos, path: Path, where: str, classed: bool, **more: Any
) -> Tube:
    """Make a tube of an annotation or a result, or raise on its first fault."""
    number = item.get("video_id")
    if not isinstance(number, int | str) or number not in videos.by_id:
        raise BadInput(path, f"{where}.video_id", f"{number!r}", "use an id of the annotations")
    video = videos.by_id[number]
    category = item.get("category_id") if classed else 1
    if not isinstance(category, int) or (classed and category not in videos.categories):
        fix = "use a category of the annotations"
        raise BadInput(path, f"{where}.category_id", f"{category!r}", fix)
    masks = item.get("segmentations")
    if not isinstance(masks, list) or len(masks) != video.length:
        fix = f"give {video.length} masks, null where it is not seen"
        raise BadInput(path, f"{where}.segmentations", "not one entry a frame", fix)
    frames = tuple(
        _mask(mask, video.size, path, f"{where}.segmentations[{frame}]")
        for frame, mask in enumerate(masks)
    )
    return Tube(video.position, category, frames, **more)


def _mask(mask: Any, size: tuple[int, int], path: Path, field: str) -> Mapping[str, Any] | None:
    """Return a frame's mask as compressed RLE, or None for a frame without one."""
    from workbench.datasets.rle import as_rle

    if mask is None:
        return None
    if isinstance(mask, dict) and isinstance(mask.get("counts"), str):
        problem = rle_problem(mask, size)
        if problem:
            raise BadInput(path, field, problem, "encode it at the video's size")
        return mask
    return as_rle(mask, size, path, field)
