"""Reads VIPSeg as released: lists of videos, frames and label maps.

Source of the format: VIPSeg-Dataset/VIPSeg-Dataset. In a released label map 0 is void, values up to
124 are a category's id plus one, larger ones a hundred times that plus the number of the instance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.pictures import read_labels, upright_size
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.rle import label_masks
from workbench.datasets.schema import RLE, Category
from workbench.datasets.structure import (
    categories_of,
    category_faults,
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
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", str(error) or "empty", GET) from error
    for fault in category_faults(content, path):
        raise fault
    return categories_of(content["categories"])
