"""Reads YouTube-VIS files, which UVO's video sets follow: COCO with one mask a frame."""

from __future__ import annotations

import reprlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.datasets.json_files import read_json
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.rle import as_rle
from workbench.datasets.schema import RLE
from workbench.datasets.structure import (
    UNIQUE,
    categories_of,
    category_faults,
    list_faults,
    number_fault,
    side_faults,
)
from workbench.datasets.video import Track, Video, VideoReader
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file

GET = "get the data set's annotations"
STYLE = "use a file of YouTube-VIS style"


def video_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield the faults of the video records."""
    broken = list(list_faults(content, "videos", file))
    yield from broken
    if broken:
        return
    if not content["videos"]:
        yield BadInput(file, "videos", "empty", "use a file with at least one video")
    seen: dict[int, int] = {}
    for at, video in enumerate(content["videos"]):
        path = f"videos[{at}]"
        yield from _unique_id(video, seen, at, "videos", file)
        yield from side_faults(video, file, path)
        names = video.get("file_names")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            yield BadInput(file, f"{path}.file_names", reprlib.repr(names), "name the frames")
        elif video.get("length", len(names)) != len(names):
            problem = f"{reprlib.repr(video['length'])} but {len(names)} frames are named"
            yield BadInput(file, f"{path}.length", problem, STYLE)


def track_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield the faults of the annotations, their masks aside; only where the videos are sound."""
    broken = list(list_faults(content, "annotations", file))
    yield from broken
    if broken:
        return
    lengths = {video["id"]: len(video["file_names"]) for video in content["videos"]}
    seen: dict[int, int] = {}
    for at, item in enumerate(content["annotations"]):
        path = f"annotations[{at}]"
        yield from _unique_id(item, seen, at, "annotations", file)
        yield from number_fault(item, "category_id", file, path)
        owner = item.get("video_id")
        if not isinstance(owner, int) or owner not in lengths:
            problem = f"no video has id {reprlib.repr(owner)}"
            yield BadInput(file, f"{path}.video_id", problem, STYLE)
            continue
        masks = item.get("segmentations")
        if not isinstance(masks, list) or len(masks) != lengths[owner]:
            count = len(masks) if isinstance(masks, list) else reprlib.repr(masks)
            problem = f"{count} masks for {lengths[owner]} frames"
            yield BadInput(file, f"{path}.segmentations", problem, "give a mask or null a frame")


def _unique_id(
    record: dict[str, Any], seen: dict[int, int], at: int, key: str, file: Path
) -> Iterator[BadInput]:
    faults = list(number_fault(record, "id", file, f"{key}[{at}]"))
    yield from faults
    if faults:
        return
    first = seen.setdefault(record["id"], at)
    if first != at:
        problem = f"{record['id']} is also {key}[{first}]'s"
        yield BadInput(file, f"{key}[{at}].id", problem, UNIQUE)


class YtvisReader(VideoReader):
    """Makes records of the videos of a YouTube-VIS file.

    A file without ``annotations`` is a split whose ground truth is not public: its videos have no
    tracks, and a note says so.
    """

    def __init__(self, files: SplitFiles) -> None:
        for fault in self.structure_faults(files):
            raise fault
        content = read_json(files.file(), GET)
        self.where, self._folder = files.file(), files.folder()
        self.annotated = content.get("annotations") is not None
        self._videos: list[dict[str, Any]] = content["videos"]
        self._annotations: list[dict[str, Any]] = content.get("annotations") or []
        self._tracks: dict[int, list[int]] = defaultdict(list)
        for at, item in enumerate(self._annotations):
            self._tracks[item["video_id"]].append(at)
        self.categories = categories_of(content["categories"])

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        try:
            content = read_json(files.file(), GET)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        broken = list(video_faults(content, files.file()))
        yield from broken
        yield from category_faults(content, files.file())
        if not broken and content.get("annotations") is not None:
            yield from track_faults(content, files.file())

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        content = read_json(files.file(), GET)
        videos, annotations = content.get("videos"), content.get("annotations")
        return {
            "num_images": len(videos) if isinstance(videos, list) else 0,
            "num_entities": len(annotations) if isinstance(annotations, list) else None,
            "sha256": sha256_file(files.file()),
        }

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        names = (
            f"annotations/youtube_vis_2019_{split}.json",
            f"{split}.json",
            f"annotations/instances_{split}_sub.json",
            f"annotations/{split}.json",
        )
        for name in names:
            if (root / name).is_file():
                return {"annotations": name, "images": f"{split}/JPEGImages"}
        raise MissingInput(root / names[0], f"nor is {names[1]}; get YouTube-VIS 2019")

    def __len__(self) -> int:
        return len(self._videos)

    def units(self) -> dict[str, int]:
        frames = sum(len(video["file_names"]) for video in self._videos)
        return {
            "videos": len(self),
            "frames": frames,
            "entities": len(self._annotations),
            "categories": len(self.categories),
        }

    def notes(self) -> Iterator[Fault]:
        if not self.annotated:
            fix = "hold out a part of train to score offline"
            yield BadInput(self.where, "annotations", "none, as of a split kept on a server", fix)

    def __call__(self, index: int) -> Video:
        video = self._videos[index]
        return Video(
            video_id=video["id"],
            files=tuple(self._frame(index, at) for at in range(len(video["file_names"]))),
            file_names=tuple(video["file_names"]),
            height=video["height"],
            width=video["width"],
            tracks=tuple(self._track(at, video) for at in self._tracks.get(video["id"], [])),
        )

    def faults(self, index: int) -> Iterator[Fault]:
        video = self._videos[index]
        for at in range(len(video["file_names"])):
            try:
                self._frame(index, at)
            except (BadInput, MissingInput) as fault:
                yield fault
        for number in self._tracks.get(video["id"], []):
            for at in range(len(video["file_names"])):
                try:
                    self._mask(number, at, video)
                except BadInput as fault:
                    yield fault

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        video = self._videos[index]
        for at in range(len(video["file_names"])):
            yield self._frame(index, at), (video["height"], video["width"]), f"videos[{index}]"

    def _frame(self, index: int, at: int) -> Path:
        name = self._videos[index]["file_names"][at]
        return self._folder.find(name, self.where, f"videos[{index}].file_names[{at}]")

    def _track(self, number: int, video: dict[str, Any]) -> Track:
        item = self._annotations[number]
        frames = range(len(video["file_names"]))
        return Track(
            track_id=item["id"],
            category_id=item["category_id"],
            iscrowd=bool(item.get("iscrowd", 0)),
            masks=tuple(self._mask(number, at, video) for at in frames),
        )

    def _mask(self, number: int, at: int, video: dict[str, Any]) -> RLE | None:
        mask = self._annotations[number]["segmentations"][at]
        if mask is None:
            return None
        size = (video["height"], video["width"])
        return as_rle(mask, size, self.where, f"annotations[{number}].segmentations[{at}]")


class UvoReader(YtvisReader):
    """Makes records of UVO's dense and sparse videos; its frame set is of COCO's form."""

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        part, _, kind = split.partition("_")
        names = {
            "dense": (f"VideoDenseSet/UVO_video_{part}_dense.json", "uvo_videos_dense_frames"),
            "sparse": (f"VideoSparseSet/UVO_sparse_{part}_video.json", "uvo_videos_sparse_frames"),
        }
        if part not in ("train", "val") or kind not in names:
            fix = "use train or val and _dense or _sparse"
            raise BadInput("prep", f"splits.{split}", "unknown split", fix)
        annotations, images = names[kind]
        if not (root / annotations).is_file():
            raise MissingInput(root / annotations, "get UVO")
        return {"annotations": annotations, "images": images}
