"""What a reader of one on-disk form gives: records to use, faults to report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from workbench.datasets.images import ImageFolder
from workbench.datasets.schema import Category, EntityImage
from workbench.errors import BadInput, MissingInput

Fault = BadInput | MissingInput
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split, as its manifest's entry names them.

    Attributes:
        root: Folder that the entry's paths are relative to.
        entry: Values of the split in the manifest.
        where: The manifest, for errors.
        split: Name of the split.
    """

    root: Path
    entry: Entry
    where: Path
    split: str

    def file(self, key: str = "annotations") -> Path:
        """Return the path of a field of the entry; it need not exist.

        Raises:
            BadInput: The field is no text.
        """
        value = self.entry.get(key)
        if not isinstance(value, str):
            fix = "give a path relative to the data set's root"
            raise BadInput(self.where, f"splits.{self.split}.{key}", repr(value), fix)
        return self.root / value

    def folder(self, key: str = "images") -> ImageFolder:
        """Return the folder of a field of the entry.

        Raises:
            BadInput: The field is no text.
            MissingInput: No such folder.
        """
        path = self.file(key)
        if not path.is_dir():
            fix = f"a folder of split {self.split} of {self.where}; get the data set whole"
            raise MissingInput(path, fix)
        return ImageFolder(path)


class Reader(ABC):
    """Reads one split of one on-disk form; register it in ``formats.FORMATS``.

    A reader counts its items (pictures, of video forms the videos) from 0. It is opened only after
    ``structure_faults`` had none or, where nobody asked, raises the first of them.

    Args:
        files: The split.

    Raises:
        BadInput: Broken structure, duplicate ids, or an annotation without its picture.
        MissingInput: No such file or folder.
    """

    #: Fields of a split's entry that must be given, and those of them that name folders.
    needs: ClassVar[tuple[str, ...]] = ("annotations", "images")
    folders: ClassVar[tuple[str, ...]] = ("images",)
    #: Further fields that an entry may have.
    options: ClassVar[tuple[str, ...]] = ()
    categories: tuple[Category, ...] = ()
    #: File that annotations come from, for errors.
    where: Path

    @abstractmethod
    def __init__(self, files: SplitFiles) -> None: ...

    @classmethod
    @abstractmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        """Yield all faults that show without pictures and masks."""

    @classmethod
    @abstractmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        """Return ``num_images``, ``num_entities`` (None where only decoding tells) and ``sha256``.

        They go into the manifest and say whether the annotations are still the ones described.
        """

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        """Return the entry of a split where the real data set keeps it.

        Raises:
            BadInput: Unknown split.
            MissingInput: None of the usual files is there.
        """
        fix = "give annotations and images of each split"
        raise BadInput("prep", f"splits.{split}", "no usual place is known", fix)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def faults(self, index: int) -> Iterator[Fault]:
        """Yield all faults of item ``index``: its masks and the names of its pictures."""

    @abstractmethod
    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        """Yield file, (height, width) and JSON path of the pictures of item ``index``.

        Raises:
            BadInput, MissingInput: As ``faults`` reports.
        """

    def notes(self) -> Iterator[Fault]:
        """Yield what is allowed but should be known, once a split."""
        return iter(())

    def units(self) -> dict[str, int]:
        """Return how many there are of what the catalogue counts, e.g. {"images": 5000}."""
        return {"images": len(self)}


class EntityReader(Reader):
    """Reads a split of pictures with entities: calling it with an index gives the record."""

    @abstractmethod
    def image_ids(self) -> list[int | str]:
        """Return the ids of the images, in order."""

    @abstractmethod
    def __call__(self, index: int) -> EntityImage:
        """Return the record of image ``index``.

        Raises:
            BadInput: A mask of the image is unusable, or its name is.
            MissingInput: Its picture or its masks are not there.
        """

    @abstractmethod
    def picture(self, index: int) -> tuple[Path, tuple[int, int], str]:
        """Return the file, (height, width) and JSON path of image ``index``."""

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        yield self.picture(index)

    def units(self) -> dict[str, int]:
        return {"images": len(self), "categories": len(self.categories)}
