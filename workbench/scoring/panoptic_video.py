"""Scores panoptic videos in VIPSeg's layout (paper Table V)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from workbench.datasets.images import ImageFolder
from workbench.datasets.panoptic import segment_ids
from workbench.datasets.pictures import read_picture
from workbench.errors import BadInput, MissingInput
from workbench.metrics.video_panoptic import (
    METRICS,
    WINDOWS,
    Frame,
    Segment,
    VideoPanopticQuality,
    read_frame,
)
from workbench.scoring.files import SEE, Left, check_fields, locate, with_progress
from workbench.scoring.kinds import FileScore
from workbench.scoring.records import read_json

_TRUTH_MAPS = "panomasksRGB"
_PREDICTED_MAPS, _PREDICTED_JSON = "pan_pred", "pred.json"

Segments = list[dict[str, Any]]


@dataclass
class _Files:
    """One side: its JSON, the folder of its maps, segments by video and by frame."""

    path: Path
    maps: ImageFolder
    frames: dict[str, dict[str, Segments]]

    def map_of(self, video: str, frame: str) -> Path:
        return self.maps.exact(f"{video}/{frame}.png", self.path, f"{video}: {frame}")


class PanopticVideos:
    """A folder with ``pred.json`` and ``pan_pred/VIDEO/FRAME.png`` against VIPSeg's JSON.

    The annotated maps are in ``panomasksRGB`` beside the JSON, or in the ``masks`` of a manifest.
    """

    metrics: tuple[str, ...] = METRICS
    units: Mapping[str, str] = {}
    needs_predictions = True

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every annotated frame; one without a prediction is scored as all void."""
        assert predictions is not None
        where = locate(source, split)
        if where.annotations is None or where.annotations.suffix != ".json":
            problem = "no panoptic JSON, which the released form lacks and its 720P copy has"
            fix = "give panoptic_gt_VIPSeg_SPLIT.json, made by the data set's scripts"
            raise BadInput(source, "--dataset", problem, fix)
        maps = where.masks or where.annotations.parent / _TRUTH_MAPS
        if not maps.is_dir():
            raise MissingInput(maps, "put the maps of the data set there")
        truth, isthing = _read_truth(where.annotations, maps)
        found = _read_found(predictions, isthing)
        scorer = _Scorer(truth, found, VideoPanopticQuality(isthing))
        for video in with_progress(list(truth.frames), "videos"):
            try:
                scorer.quality.add(scorer.frames_of(video))
            except ValueError as error:
                fix = "get the annotations again"
                raise BadInput(truth.path, f"video {video}", str(error), fix) from error
        return FileScore(scorer.quality.metrics(), *scorer.left_out())


class _Scorer:
    """Reads the frames of both sides and counts those that are missing."""

    def __init__(self, truth: _Files, found: _Files, quality: VideoPanopticQuality) -> None:
        self._truth, self._found, self.quality = truth, found, quality
        self._num_frames = self._num_missing = 0

    def frames_of(self, video: str) -> Iterator[Frame]:
        predicted = self._found.frames.get(video, {})
        for name, segments in self._truth.frames[video].items():
            self._num_frames += 1
            path = self._truth.map_of(video, name)
            truth_map = segment_ids(read_picture(path))
            if name in predicted:
                found_path = self._found.map_of(video, name)
                found_map = segment_ids(read_picture(found_path))
            else:
                self._num_missing += 1
                found_path, found_map = path, np.zeros_like(truth_map)
            categories = {one["id"]: one["category_id"] for one in predicted.get(name, [])}
            try:
                yield read_frame(truth_map, _truth_segments(segments), found_map, categories)
            except ValueError as error:
                raise BadInput(found_path, "map", str(error), SEE) from error

    def left_out(self) -> tuple[dict[str, int], list[str]]:
        videos, frames = self._truth.frames, self._num_frames
        left = Left({"num_videos": len(videos), "num_frames": frames})
        left.count(
            "videos_without_prediction",
            len(videos.keys() - self._found.frames.keys()),
            f"{{}} of {len(videos)} videos have no prediction; their segments are missed.",
        )
        left.count(
            "frames_without_prediction",
            self._num_missing,
            f"{{}} of {frames} frames have no prediction; their segments are missed.",
        )
        strangers = sum(
            len(names.keys() - videos.get(video, {}).keys())
            for video, names in self._found.frames.items()
        )
        left.count("frames_not_annotated", strangers, "{} predicted frames are not annotated.")
        for k in WINDOWS:
            if not self.quality.num_windows[k]:
                left.remarks.append(f"No video has {k} frames: VPQ_{k} and VPQ are undefined.")
        return left.counts, left.remarks


def _truth_segments(segments: Segments) -> dict[int, Segment]:
    """Return the segments by id; those listed twice add their areas, as in the reference."""
    found: dict[int, Segment] = {}
    for one in segments:
        before = found.get(one["id"])
        area = one["area"] + (before.area if before else 0)
        found[one["id"]] = (
            Segment(before.category, before.crowd, area)
            if before
            else Segment(one["category_id"], bool(one.get("iscrowd", 0)), area)
        )
    return found


def _read_truth(path: Path, maps: Path) -> tuple[_Files, dict[int, bool]]:
    """Return the annotated frames, and whether each category is a thing."""
    content = read_json(path, "give panoptic_gt_VIPSeg_SPLIT.json")
    categories = content.get("categories")
    if not isinstance(categories, list):
        raise BadInput(path, "categories", "missing or not a list", SEE)
    for at, category in enumerate(categories):
        check_fields(category, int, ("id", "isthing"), path, f"categories[{at}]")
    isthing = {one["id"]: bool(one["isthing"]) for one in categories}
    frames = _frames(content, path, isthing, ("id", "category_id", "area"))
    for at, video in enumerate(_objects(content, "videos", path, "")):
        check_fields(video, str, ("video_id",), path, f"videos[{at}]")
        listed = _objects(video, "images", path, f"videos[{at}].")
        annotated = frames.get(video["video_id"], {})
        if len(listed) != len(annotated):
            problem = f"{len(listed)} listed, {len(annotated)} annotated"
            raise BadInput(path, f"videos[{at}].images", problem, "get the file again")
    return _Files(path, ImageFolder(maps), frames), isthing


def _read_found(folder: Path, isthing: Mapping[int, bool]) -> _Files:
    path = folder / _PREDICTED_JSON
    content = read_json(path, f"give a folder with {_PREDICTED_JSON} and {_PREDICTED_MAPS}/")
    frames = _frames(content, path, isthing, ("id", "category_id"))
    return _Files(path, ImageFolder(folder / _PREDICTED_MAPS), frames)


def _frames(
    content: dict[str, Any], path: Path, isthing: Mapping[int, bool], fields: tuple[str, ...]
) -> dict[str, dict[str, Segments]]:
    """Return the checked segments of each frame, by video and by the stem of its file name."""
    frames: dict[str, dict[str, Segments]] = {}
    for at, video in enumerate(_objects(content, "annotations", path, "")):
        where = f"annotations[{at}]"
        check_fields(video, str, ("video_id",), path, where)
        if video["video_id"] in frames:
            problem = f"{video['video_id']!r} a second time"
            raise BadInput(path, f"{where}.video_id", problem, "give one entry a video")
        of_video = frames.setdefault(video["video_id"], {})
        for number, frame in enumerate(_objects(video, "annotations", path, f"{where}.")):
            part = f"{where}.annotations[{number}]"
            check_fields(frame, str, ("file_name",), path, part)
            name = PurePosixPath(frame["file_name"]).stem
            if name in of_video:
                raise BadInput(path, f"{part}.file_name", f"{name} a second time", SEE)
            of_video[name] = _objects(frame, "segments_info", path, f"{part}.")
            for index, segment in enumerate(of_video[name]):
                _check_segment(segment, path, f"{part}.segments_info[{index}]", isthing, fields)
    return frames


def _check_segment(
    segment: Any, path: Path, where: str, isthing: Mapping[int, bool], fields: tuple[str, ...]
) -> None:
    check_fields(segment, int, fields, path, where)
    if not 0 < segment["id"] < 1 << 24:
        raise BadInput(path, f"{where}.id", f"{segment['id']}", "use ids from 1 to 16,777,215")
    if segment["category_id"] not in isthing:
        problem, fix = f"{segment['category_id']}", "use a category of the annotations"
        raise BadInput(path, f"{where}.category_id", problem, fix)


def _objects(content: Any, key: str, path: Path, where: str) -> list[Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, list):
        raise BadInput(path, f"{where}{key}", "missing or not a list", SEE)
    return value
