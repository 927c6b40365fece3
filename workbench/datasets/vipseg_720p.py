"""Reads the 720P copy of VIPSeg: COCO panoptic by video, as the data set's own scripts write it."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.json_files import read_json
from workbench.datasets.panoptic import segment_ids
from workbench.datasets.pictures import read_picture
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.rle import label_masks
from workbench.datasets.schema import RLE
from workbench.datasets.structure import (
    categories_of,
    category_faults,
    is_image_id,
    list_faults,
    number_fault,
    side_faults,
)
from workbench.datasets.video import Track, Video, VideoReader
from workbench.datasets.vipseg import GET, ONE_RELEASE, VOID, Labels
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file


class Vipseg720Reader(VideoReader):
    """Makes records of VIPSeg's 720P copy: COCO panoptic by video, ids shared by its frames."""

    needs = ("annotations", "images", "masks")
    folders = ("images", "masks")

    def __init__(self, files: SplitFiles) -> None:
        for fault in self.structure_faults(files):
            raise fault
        content = read_json(files.file(), GET)
        self.where = files.file()
        self._folder, self._masks = files.folder(), files.folder("masks")
        self._videos: list[dict[str, Any]] = content["videos"]
        self._of = {item["video_id"]: item for item in content["annotations"]}
        self.categories = categories_of(content["categories"])

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        try:
            content = read_json(files.file(), GET)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        yield from category_faults(content, files.file())
        yield from _panoptic_video_faults(content, files.file())

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        videos = read_json(files.file(), GET).get("videos")
        count = len(videos) if isinstance(videos, list) else 0
        return {"num_images": count, "num_entities": None, "sha256": sha256_file(files.file())}

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        name = f"panoptic_gt_VIPSeg_{split}.json"
        if not (root / name).is_file():
            raise MissingInput(root / name, GET)
        return {"annotations": name, "images": "images", "masks": "panomasksRGB"}

    def __len__(self) -> int:
        return len(self._videos)

    def units(self) -> dict[str, int]:
        frames = sum(len(video["images"]) for video in self._videos)
        return {"videos": len(self), "frames": frames, "categories": len(self.categories)}

    def __call__(self, index: int) -> Video:
        for fault in self._mask_faults(index):
            raise fault
        video = self._videos[index]
        count = len(video["images"])
        masks: dict[int, list[RLE | None]] = {}
        about: dict[int, dict[str, Any]] = {}
        for at in range(count):
            labels, segments = self._labels(index, at)
            ids = [segment["id"] for segment in segments]
            for segment, mask in zip(segments, label_masks(labels, ids), strict=True):
                about.setdefault(segment["id"], segment)
                masks.setdefault(segment["id"], [None] * count)[at] = mask
        tracks = [
            Track(number, item["category_id"], bool(item.get("iscrowd", 0)), tuple(masks[number]))
            for number, item in about.items()
        ]
        names = tuple(self._name(image, video) for image in video["images"])
        files = tuple(self._frame(index, at) for at in range(count))
        size = video["images"][0]
        return Video(video["video_id"], files, names, size["height"], size["width"], tuple(tracks))

    def faults(self, index: int) -> Iterator[Fault]:
        for at in range(len(self._videos[index]["images"])):
            try:
                self._frame(index, at)
            except (BadInput, MissingInput) as fault:
                yield fault
        yield from self._mask_faults(index)

    def _mask_faults(self, index: int) -> Iterator[Fault]:
        video = self._videos[index]
        first = (video["images"][0]["height"], video["images"][0]["width"])
        kinds: dict[int, int] = {}
        for at, image in enumerate(video["images"]):
            where = f"videos[{index}].images[{at}]"
            size = (image["height"], image["width"])
            if size != first:
                problem = f"{list(size)} (height, width) differs from the first frame's"
                yield BadInput(self.where, where, problem, "give frames of one size")
            try:
                labels, segments = self._labels(index, at)
            except (BadInput, MissingInput) as fault:
                yield fault
                continue
            if labels.shape != size:
                problem = f"{list(size)} (height, width) but the PNG is {list(labels.shape)}"
                yield BadInput(self.where, where, problem, ONE_RELEASE)
            listed = {segment["id"] for segment in segments}
            for number in sorted(listed ^ (set(np.unique(labels).tolist()) - {VOID})):
                which = "listed but not in" if number in listed else "not listed but in"
                problem = f"segment {number} is {which} the PNG"
                yield BadInput(self.where, where, problem, ONE_RELEASE)
            for segment in segments:
                if (
                    kinds.setdefault(segment["id"], segment["category_id"])
                    != segment["category_id"]
                ):
                    problem = f"segment {segment['id']} changes its category"
                    yield BadInput(self.where, where, problem, ONE_RELEASE)

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        for at, image in enumerate(self._videos[index]["images"]):
            size = (image["height"], image["width"])
            yield self._frame(index, at), size, f"videos[{index}].images[{at}]"

    def _frame(self, index: int, at: int) -> Path:
        video = self._videos[index]
        field = f"videos[{index}].images[{at}].file_name"
        return self._folder.find(self._name(video["images"][at], video), self.where, field)

    def _name(self, record: dict[str, Any], video: dict[str, Any]) -> str:
        """Return a name below the folder; files differ in whether the video's is part of it."""
        name = str(record["file_name"])
        return name if "/" in name else f"{video['video_id']}/{name}"

    def _labels(self, index: int, at: int) -> tuple[Labels, list[dict[str, Any]]]:
        video = self._videos[index]
        image_id = video["images"][at]["id"]
        annotation = self._of.get(video["video_id"], {"annotations": []})
        for item in annotation["annotations"]:
            if item["image_id"] == image_id:
                field = f"videos[{index}].images[{at}]: its annotation's file_name"
                path = self._masks.find(self._name(item, video), self.where, field)
                return segment_ids(read_picture(path)), item["segments_info"]
        field = f"videos[{index}].images[{at}]"
        raise BadInput(self.where, field, "has no annotation", ONE_RELEASE)


def _panoptic_video_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield the faults of videos, frames and segments that show without PNGs."""
    broken = [*list_faults(content, "videos", file), *list_faults(content, "annotations", file)]
    yield from broken
    if broken:
        return
    if not content["videos"]:
        yield BadInput(file, "videos", "empty", "use a file with at least one video")
    for key, inner in (("videos", "images"), ("annotations", "annotations")):
        seen: set[Any] = set()
        for at, item in enumerate(content[key]):
            path, number = f"{key}[{at}]", item.get("video_id")
            if not is_image_id(number) or number in seen:
                problem = f"{reprlib.repr(number)} is no id of its own"
                yield BadInput(file, f"{path}.video_id", problem, "give each video one id")
            else:
                seen.add(number)
            frames = item.get(inner)
            if not isinstance(frames, list) or not frames:
                problem = f"{reprlib.repr(frames)} is no list of frames"
                yield BadInput(file, f"{path}.{inner}", problem, ONE_RELEASE)
                continue
            for number, frame in enumerate(frames):
                yield from _frame_faults(frame, key, file, f"{path}.{inner}[{number}]")


def _frame_faults(frame: Any, key: str, file: Path, path: str) -> Iterator[BadInput]:
    if not isinstance(frame, dict) or not isinstance(frame.get("file_name"), str):
        yield BadInput(file, f"{path}.file_name", reprlib.repr(frame), "give the file's name")
        return
    name = "id" if key == "videos" else "image_id"
    if not is_image_id(frame.get(name)):
        found = reprlib.repr(frame.get(name))
        yield BadInput(file, f"{path}.{name}", found, "use a whole number or a text")
    if key == "videos":
        yield from side_faults(frame, file, path)
        return
    segments = frame.get("segments_info")
    if not isinstance(segments, list) or not all(isinstance(one, dict) for one in segments):
        problem = "missing or not a list of objects"
        yield BadInput(file, f"{path}.segments_info", problem, ONE_RELEASE)
        return
    for at, segment in enumerate(segments):
        where = f"{path}.segments_info[{at}]"
        yield from number_fault(segment, "id", file, where, least=1)
        yield from number_fault(segment, "category_id", file, where)
