"""Records of referring expressions: texts that each mean one region of a picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from workbench.datasets.reader import Reader
from workbench.datasets.schema import RLE


@dataclass(frozen=True)
class ReferringImage:
    """A picture, a region of it, and the expressions that mean this region.

    Attributes:
        key: Unique within the split: RefCOCO's ref id, or ReasonSeg's name of the picture.
        image_id: Id of the picture; several records of RefCOCO may share one.
        file: Existing picture on disk.
        file_name: Name below the folder of pictures.
        height, width: Size in pixels.
        expressions: As people wrote them, at least one.
        expression_ids: One each, unique within the split: RefCOCO's sentence ids, or numbers from
            0 within the picture for ReasonSeg.
        num_scored: So many of the expressions, from the first, count in evaluation: RefCOCO's all,
            ReasonSeg's first.
        target: Run-length mask of the region, of size [height, width]; may be empty.
        ignore: Mask of the pixels that count neither way, or None for none; apart from ``target``.
        category_id: Category of the region as in the file; None where it has none.
        is_sentence: Whether the expressions are whole sentences instead of short phrases; None
            where the data set does not say.
    """

    key: str
    image_id: int | str
    file: Path
    file_name: str
    height: int
    width: int
    expressions: tuple[str, ...]
    expression_ids: tuple[int, ...]
    num_scored: int
    target: RLE
    ignore: RLE | None = None
    category_id: int | None = None
    is_sentence: bool | None = None


class ReferringReader(Reader):
    """Reads a split of referring expressions: calling it with an index gives the record."""

    @abstractmethod
    def __call__(self, index: int) -> ReferringImage:
        """Return record ``index``.

        Raises:
            BadInput: Its mask, its expressions or the picture's name is unusable.
            MissingInput: A file of it is not there.
        """


def prompt_of(expression: str) -> str:
    """Return an expression as models are asked it: stripped and in lower case.

    Source: LISA ``ValDataset``, which does so for RefCOCO's; whole sentences of ReasonSeg are
    asked as they are.
    """
    return expression.strip().lower()


class ReferringDataset(Sequence[ReferringImage]):
    """The records of one split; masks are made and checked on access.

    Args:
        name: Name of the data set, from its manifest.
        split: Name of the split.
        keys: One key a record, passed to ``read``.
        read: Makes the record of a key.
    """

    def __init__(
        self, name: str, split: str, keys: Sequence[Any], read: Callable[[Any], ReferringImage]
    ) -> None:
        self.name, self.split = name, split
        self._keys, self._read = keys, read

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> ReferringImage: ...

    @overload
    def __getitem__(self, index: slice) -> list[ReferringImage]: ...

    def __getitem__(self, index: int | slice) -> ReferringImage | list[ReferringImage]:
        if isinstance(index, slice):
            return [self._read(key) for key in self._keys[index]]
        return self._read(self._keys[index])

    def __iter__(self) -> Iterator[ReferringImage]:
        return (self._read(key) for key in self._keys)
