"""Data sets without an annotation file: a label map or mask beside each picture."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.images import SUFFIXES, ImageFolder
from workbench.datasets.pictures import read_labels, upright_size
from workbench.datasets.reader import EntityReader, Fault, SplitFiles
from workbench.datasets.rle import label_masks
from workbench.datasets.schema import Category, EntityImage
from workbench.errors import BadInput, MissingInput

Labels = NDArray[np.int32]
OBJECT = Category(1, "object", True)


@dataclass(frozen=True)
class Pair:
    """A picture and its map by their names below their folders.

    Attributes:
        image_id: The picture's key.
        picture, labels: Names; the map of a picture need not exist, nor the picture of a map.
        category_id: What the picture shows, of sets with one object a picture.
        listed: The names come from a list file, so that archives may have unpacked otherwise.
    """

    image_id: str
    picture: str
    labels: str
    category_id: int = OBJECT.category_id
    listed: bool = False


class PairedReader(EntityReader):
    """Makes entity records from pictures with a map each; forms say how they pair and what counts.

    A record is as large as its picture; a map of another size is a fault.
    """

    needs: ClassVar[tuple[str, ...]] = ("images", "masks")
    folders: ClassVar[tuple[str, ...]] = ("images", "masks")

    def __init__(self, files: SplitFiles) -> None:
        self.where = files.file("images")
        self._folder, self._masks = files.folder("images"), files.folder("masks")
        for fault in self.structure_faults(files):
            raise fault
        self._pairs = self.pairs(files)
        self._empty: list[str] = []
        self.categories = self.categories_of(files)

    @classmethod
    @abstractmethod
    def pairs(cls, files: SplitFiles) -> list[Pair]:
        """Return the pairs of a split, in an order that only names decide.

        Raises:
            BadInput: A list of the split cannot be read.
            MissingInput: A list or folder is not there.
        """

    @abstractmethod
    def entities(self, labels: Labels, pair: Pair) -> tuple[Labels, list[int], list[int]]:
        """Return (H, W) labels, the ids in them that are entities, and their categories.

        Raises:
            BadInput: The map has values that the form does not allow.
        """

    @classmethod
    def categories_of(cls, files: SplitFiles) -> tuple[Category, ...]:
        """Return the categories of a split."""
        return (OBJECT,)

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        try:
            pairs = cls.pairs(files)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        if not pairs:
            yield BadInput(files.file("images"), "pictures", "none found", "get the data set whole")
        seen: dict[str, int] = {}
        for at, pair in enumerate(pairs):
            if pair.image_id in seen:
                field = f"picture {pair.image_id!r}"
                fix = "keep one of them"
                yield BadInput(
                    files.file("images"), field, f"also at place {seen[pair.image_id]}", fix
                )
            seen.setdefault(pair.image_id, at)

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        pairs = cls.pairs(files)
        digest = hashlib.sha256()
        for pair in pairs:
            digest.update(f"{pair.picture}\0{pair.labels}\0{pair.category_id}\n".encode())
        return {"num_images": len(pairs), "num_entities": None, "sha256": digest.hexdigest()}

    def __len__(self) -> int:
        return len(self._pairs)

    def image_ids(self) -> list[int | str]:
        return [pair.image_id for pair in self._pairs]

    def __call__(self, index: int) -> EntityImage:
        path, size, _ = self.picture(index)
        labels, ids, categories = self._entities(index, size)
        return EntityImage(
            image_id=self._pairs[index].image_id,
            file=path,
            file_name=self._pairs[index].picture,
            height=size[0],
            width=size[1],
            masks=tuple(label_masks(labels, ids)),
            iscrowd=(False,) * len(ids),
            category_ids=tuple(categories),
            segment_ids=tuple(ids),
        )

    def faults(self, index: int) -> Iterator[Fault]:
        pair = self._pairs[index]
        try:
            _, size, _ = self.picture(index)
        except (BadInput, MissingInput) as fault:
            yield fault
            yield from self._map_faults(pair)
            return
        try:
            ids = self._entities(index, size)[1]
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        if not ids:
            self._empty.append(pair.image_id)

    def _map_faults(self, pair: Pair) -> Iterator[Fault]:
        """Yield whether the map of a picture that is not there is itself damaged."""
        try:
            self._labels(pair)
        except (BadInput, MissingInput) as fault:
            yield fault

    def notes(self) -> Iterator[Fault]:
        if self._empty:
            field = f"{len(self._empty)} of {len(self)} pictures"
            problem = f"have no entity, the first is {self._empty[0]!r}"
            yield BadInput(self.where, field, problem, "they stay in and can only cost precision")

    def picture(self, index: int) -> tuple[Path, tuple[int, int], str]:
        pair = self._pairs[index]
        field = f"picture {pair.image_id!r}"
        find = self._folder.find if pair.listed else self._folder.exact
        path = find(pair.picture, self.where, field)
        return path, upright_size(path), field

    def _entities(self, index: int, size: tuple[int, int]) -> tuple[Labels, list[int], list[int]]:
        path, labels = self._labels(self._pairs[index])
        if labels.shape != size:
            found = f"{list(labels.shape)} differs from the picture's {list(size)}"
            raise BadInput(path, "size", found, "use the map of this picture")
        try:
            return self.entities(labels, self._pairs[index])
        except ValueError as error:
            raise BadInput(path, "values", str(error), "use the data set's own maps") from error

    def _labels(self, pair: Pair) -> tuple[Path, Labels]:
        find = self._masks.find if pair.listed else self._masks.exact
        path = find(pair.labels, self.where, f"map of {pair.image_id!r}")
        return path, read_labels(path)


def values_of(labels: Labels) -> list[int]:
    """Return the values that occur in an (H, W) map, ascending."""
    if labels.min() >= 0 and labels.max() < 1 << 16:
        return [int(value) for value in np.flatnonzero(np.bincount(labels.ravel()))]
    return [int(value) for value in np.unique(labels)]


def names_by_stem(folder: ImageFolder, suffixes: Collection[str] = SUFFIXES) -> dict[str, str]:
    """Return the picture files of a folder, inner ones too: path without suffix to path.

    Files that operating systems add (``._name``, ``__MACOSX``) are none of the data set's.
    """
    found = {}
    for path in sorted(folder.root.rglob("*")):
        inner = path.relative_to(folder.root)
        junk = path.name.startswith(".") or "__MACOSX" in inner.parts
        if path.suffix.lower() in suffixes and not junk:
            found[inner.with_suffix("").as_posix()] = inner.as_posix()
    return found


def pairs_by_stem(pictures: ImageFolder, maps: ImageFolder) -> list[Pair]:
    """Pair files of equal path but for the suffix; what lacks its other half is paired too.

    The missing half then shows as a fault of that picture instead of passing in silence.
    """
    of_picture, of_map = names_by_stem(pictures), names_by_stem(maps)
    return [
        Pair(stem, of_picture.get(stem, f"{stem}.jpg"), of_map.get(stem, f"{stem}.png"))
        for stem in sorted(of_picture.keys() | of_map.keys())
    ]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list file that are not blank.

    Raises:
        BadInput: Not UTF-8.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, "get the data set whole")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(path, "text", str(error), "the file is damaged; get it again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
