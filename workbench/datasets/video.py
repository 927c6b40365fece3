"""Records of videos: frames, and what is seen in them from frame to frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from workbench.datasets.reader import Reader
from workbench.datasets.schema import RLE, Category


@dataclass(frozen=True)
class Track:
    """One entity of a video.

    Attributes:
        track_id: Id as in the file, or the value in VIPSeg's label maps; unique in the video.
        category_id: Category as in the file.
        iscrowd: Whether it is ignored in scoring.
        masks: One a frame, of size [height, width]; None where the entity is not seen.
    """

    track_id: int
    category_id: int
    iscrowd: bool
    masks: tuple[RLE | None, ...]


@dataclass(frozen=True)
class Video:
    """The frames of a video and its entities.

    Attributes:
        video_id: Id as in the file; VIPSeg's are the names of folders.
        files: Existing pictures on disk, in order.
        file_names: Their names below the folder of pictures.
        height, width: Size of every frame in pixels.
        tracks: Of panoptic data sets, things and stuff; pixels of no track are void.
    """

    video_id: int | str
    files: tuple[Path, ...]
    file_names: tuple[str, ...]
    height: int
    width: int
    tracks: tuple[Track, ...]


class VideoReader(Reader):
    """Reads a split of videos: calling it with an index gives the record.

    Attributes:
        annotated: Whether the split has ground truth at all.
    """

    annotated: bool = True

    @abstractmethod
    def __call__(self, index: int) -> Video:
        """Return the record of video ``index``.

        Raises:
            BadInput: A mask or a frame's name is unusable.
            MissingInput: A frame or its label map is not there.
        """


class VideoDataset(Sequence[Video]):
    """The videos of one split; masks are made and checked on access, video by video.

    Args:
        name: Name of the data set, from its manifest.
        split: Name of the split.
        keys: One key a video, passed to ``read``.
        read: Makes the record of a key.
        categories: Categories of the data set.
        annotated: Whether the split has ground truth at all; YouTube-VIS keeps that of "valid"
            and "test" on its server, and their videos then have no tracks.
    """

    def __init__(
        self,
        name: str,
        split: str,
        keys: Sequence[Any],
        read: Callable[[Any], Video],
        categories: tuple[Category, ...] = (),
        annotated: bool = True,
    ) -> None:
        self.name, self.split, self.categories = name, split, categories
        self.annotated = annotated
        self._keys, self._read = keys, read

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Video: ...

    @overload
    def __getitem__(self, index: slice) -> list[Video]: ...

    def __getitem__(self, index: int | slice) -> Video | list[Video]:
        if isinstance(index, slice):
            return [self._read(key) for key in self._keys[index]]
        return self._read(self._keys[index])

    def __iter__(self) -> Iterator[Video]:
        return (self._read(key) for key in self._keys)
