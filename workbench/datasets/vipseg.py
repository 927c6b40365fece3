"""Reads VIPSeg: label maps of whole videos as released, or its 720P copy in COCO panoptic form.

Source of the format: VIPSeg-Dataset/VIPSeg-Dataset. In a released label map 0 is void, values up to
124 are a category's id plus one, larger ones a hundred times that plus the number of the instance.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.json_files import read_json
from workbench.datasets.panoptic import segment_ids
from workbench.datasets.pictures import read_labels, read_picture, upright_size
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.rle import label_masks
from workbench.datasets.schema import RLE, Category
from workbench.datasets.structure import (
    categories_of,
    category_faults,
    is_image_id,
    list_faults,
    number_fault,
    side_faults,
)
from workbench.datasets.video import Track, Video, VideoReader
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file

VOID = 0
MOST_STUFF = 124
PER_CATEGORY = 100
# Value 200 is a known fault of the annotations (issue 1 of the project), to be read as void.
FAULTY = 200
CATEGORIES = "panoVIPSeg_categories.json"
GET = "get VIPSeg"
ONE_RELEASE = "use videos and masks of one release"

Labels = NDArray[np.int32]


def category_of(value: int) -> int:
    """Return the category id, from 0, of a value of a released label map."""
    return (value if value <= MOST_STUFF else value // PER_CATEGORY) - 1


class VipsegReader(VideoReader):
    """Makes records of released VIPSeg: a list of videos, and folders of frames and label maps.

    A stuff category is one track of a video, as is each instance of a thing.
    """

    needs = ("annotations", "images", "masks")
    folders = ("images", "masks")

    def __init__(self, files: SplitFiles) -> None:
        for fault in self.structure_faults(files):
            raise fault
        self.where = files.file()
        self._images, self._masks = files.file("images"), files.file("masks")
        self._names = video_names(files.file())
        self.categories = _released_categories(files)
        self._known = {category.category_id for category in self.categories}

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        for key in cls.folders:
            if not files.file(key).is_dir():
                yield MissingInput(files.file(key), f"folder of split {files.split}; {GET}")
        try:
            names = video_names(files.file())
        except (BadInput, MissingInput) as fault:
            yield fault
            names = []
        try:
            _released_categories(files)
        except (BadInput, MissingInput) as fault:
            yield fault
        for at, name in enumerate(names):
            if len(PurePosixPath(name).parts) != 1 or name in (".", "..") or "\\" in name:
                yield BadInput(files.file(), f"line {at + 1}", repr(name), "name a folder")

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        names = video_names(files.file())
        _released_categories(files)
        digest = hashlib.sha256(sha256_file(files.file()).encode())
        digest.update(sha256_file(_categories_file(files)).encode())
        return {"num_images": len(names), "num_entities": None, "sha256": digest.hexdigest()}

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        if not (root / f"{split}.txt").is_file():
            raise MissingInput(root / f"{split}.txt", GET)
        return {"annotations": f"{split}.txt", "images": "imgs", "masks": "panomasks"}

    def __len__(self) -> int:
        return len(self._names)

    def units(self) -> dict[str, int]:
        frames = sum(len(self._stems(at)) for at in range(len(self)))
        return {"videos": len(self), "frames": frames, "categories": len(self.categories)}

    def __call__(self, index: int) -> Video:
        for fault in self.faults(index):
            raise fault
        stems, size = self._stems(index), self._size(index)
        masks: dict[int, list[RLE | None]] = {}
        for at, stem in enumerate(stems):
            labels, values = self._labels(index, stem)
            for value, mask in zip(values, label_masks(labels, values), strict=True):
                masks.setdefault(value, [None] * len(stems))[at] = mask
        tracks = [
            Track(value, category_of(value), False, tuple(masks[value])) for value in sorted(masks)
        ]
        names = [f"{self._names[index]}/{stem}.jpg" for stem in stems]
        files = tuple(self._images / name for name in names)
        return Video(self._names[index], files, tuple(names), *size, tuple(tracks))

    def faults(self, index: int) -> Iterator[Fault]:
        stems = self._stems(index)
        if not stems:
            yield MissingInput(self._images / self._names[index], f"no frame is there; {GET}")
            return
        frames = [self._images / self._names[index] / f"{stem}.jpg" for stem in stems]
        missing = [frame for frame in frames if not frame.is_file()]
        yield from (MissingInput(frame, "its label map is there; " + GET) for frame in missing)
        if frames[0] in missing:
            return
        try:
            size = self._size(index)
        except BadInput as fault:
            yield fault
            return
        for stem in stems:
            yield from self._label_faults(index, stem, size)

    def _label_faults(self, index: int, stem: str, size: tuple[int, int]) -> Iterator[Fault]:
        path = self._label_file(index, stem)
        try:
            labels, values = self._labels(index, stem)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        if labels.shape != size:
            problem = f"{list(labels.shape)} (height, width) differs from the video's {list(size)}"
            yield BadInput(path, "size", problem, ONE_RELEASE)
        for value in values:
            if category_of(value) not in self._known:
                yield BadInput(path, "values", f"{value} is of no category", ONE_RELEASE)

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        stems = self._stems(index)
        size = self._size(index) if stems else (0, 0)
        for stem in stems:
            name = f"{self._names[index]}/{stem}.jpg"
            yield self._images / name, size, name

    def _stems(self, index: int) -> list[str]:
        """Return the frames of which a picture or a label map is there."""
        name = self._names[index]
        frames = {path.stem for path in (self._images / name).glob("*.jpg")}
        return sorted(frames | {path.stem for path in (self._masks / name).glob("*.png")})

    def _size(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the first frame."""
        stem = self._stems(index)[0]
        return upright_size(self._images / self._names[index] / f"{stem}.jpg")

    def _label_file(self, index: int, stem: str) -> Path:
        return self._masks / self._names[index] / f"{stem}.png"

    def _labels(self, index: int, stem: str) -> tuple[Labels, list[int]]:
        """Return the (H, W) label map of a frame and its values but void."""
        labels = read_labels(self._label_file(index, stem), coloured=False)
        labels[labels == FAULTY] = VOID
        return labels, [value for value in np.unique(labels).tolist() if value != VOID]


def video_names(path: Path) -> list[str]:
    """Read a list of videos, one a line.

    Raises:
        BadInput: Empty, not UTF-8, or with a name twice.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, GET)
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise BadInput(path, "text", str(error), GET) from error
    names = [name for name in names if name]
    twice = sorted({name for name in names if names.count(name) > 1}) if names else []
    if not names or twice:
        problem = f"{twice[0]!r} twice" if twice else "no name of a video"
        raise BadInput(path, "lines", problem, GET)
    return names


def _categories_file(files: SplitFiles) -> Path:
    return files.root / CATEGORIES


def _released_categories(files: SplitFiles) -> tuple[Category, ...]:
    """Read the list of categories, whose ids count from 0.

    Raises:
        BadInput: Not a JSON list of categories.
        MissingInput: No such file.
    """
    path = _categories_file(files)
    if not path.is_file():
        raise MissingInput(path, "get it from the VIPSeg-Dataset project")
    try:
        content = {"categories": json.loads(path.read_bytes())}
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(path, "JSON", str(error) or "empty", GET) from error
    for fault in category_faults(content, path):
        raise fault
    return categories_of(content["categories"])


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
