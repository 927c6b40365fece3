"""What a COCO-style instance file holds and where in it each mask stands; masks stay on disk."""

from __future__ import annotations

import reprlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.json_stream import Part, read_part, stream_object
from workbench.datasets.structure import (
    UNIQUE,
    category_faults,
    image_faults,
    is_image_id,
    owner_fault,
    whole_number_fault,
)
from workbench.errors import BadInput

Record = dict[str, Any]
USE_COCO = "use a COCO-style annotation file"
_LISTS = ("images", "annotations", "categories")


class InstanceIndex:
    """An index of an instance file, made in one pass.

    Args:
        file: The file.
        fix: What to do if it is not there.
        named: Completes an image record, where a form has another field than ``file_name``.

    Attributes:
        images, categories: Records as in the file.
        ids, category_ids: Of each annotation, (A,) int64.
        iscrowd: (A,) bool.
        faults: All that is wrong with the structure; the rest may be used only if there is none.

    Raises:
        BadInput: Not JSON.
        MissingInput: No such file.
    """

    def __init__(
        self, file: Path, fix: str, named: Callable[[Any], Any] = lambda image: image
    ) -> None:
        self._file = file
        self.images: list[Any] = []
        self.categories: list[Any] = []
        self._found: set[str] = set()
        self._wrong: list[BadInput] = []
        self._seen: dict[int, int] = {}
        self._owners: list[Any] = []
        self._ids, self._kinds = array("q"), array("q")
        self._crowds, self._starts, self._ends = array("b"), array("q"), array("q")
        for part in stream_object(file, fix):
            self._take(part, named)
        self.ids = np.array(self._ids, dtype=np.int64)
        self.category_ids = np.array(self._kinds, dtype=np.int64)
        self.iscrowd: NDArray[np.bool_] = np.array(self._crowds, dtype=bool)
        self.faults: list[BadInput] = list(self._structure())
        self._group()

    def _take(self, part: Part, named: Callable[[Any], Any]) -> None:
        if part.key not in _LISTS:
            return
        if part.index is None:
            if part.value == [] and isinstance(part.value, list):
                self._found.add(part.key)
        elif part.key == "annotations":
            self._take_annotation(part)
        elif part.key == "images":
            self.images.append(named(part.value))
        else:
            self.categories.append(part.value)

    def _take_annotation(self, part: Part) -> None:
        item, path = part.value, f"annotations[{part.index}]"
        if not isinstance(item, dict):
            found = f"{reprlib.repr(item)} is not an object"
            self._wrong.append(BadInput(self._file, path, found, USE_COCO))
            item = {}
        number = self._number(item, "id", path)
        if number in self._seen:
            found = f"{number} is also annotations[{self._seen[number]}]'s"
            self._wrong.append(BadInput(self._file, f"{path}.id", found, UNIQUE))
        elif number >= 0:
            self._seen[number] = len(self._ids)
        self._ids.append(number)
        self._kinds.append(self._number(item, "category_id", path))
        self._crowds.append(bool(item.get("iscrowd", 0)))
        self._owners.append(item.get("image_id"))
        self._starts.append(part.start)
        self._ends.append(part.end)

    def _number(self, item: Record, key: str, path: str) -> int:
        """Return a whole number, or note a fault and return -1."""
        value = item.get(key)
        if type(value) is int and 0 <= value < 1 << 63:
            return value
        if item:
            self._wrong.extend(whole_number_fault(item, key, self._file, path))
        return -1

    def _structure(self) -> Iterator[BadInput]:
        """Yield the faults of images, then annotations, then categories."""
        lists = {"images": self.images, "categories": self.categories}
        content: Record = {key: lists[key] for key in lists if key in self._found}
        yield from image_faults(content, self._file)
        if "annotations" not in self._found:
            yield BadInput(self._file, "annotations", "missing or not a list", USE_COCO)
        yield from self._wrong
        known: dict[int | str, int] = {}
        for position, image in enumerate(self.images):
            if isinstance(image, dict) and is_image_id(image.get("id")):
                known.setdefault(image["id"], position)
        self._positions = np.full(len(self._ids), -1, np.int64)
        for at, owner in enumerate(self._owners):
            if is_image_id(owner) and owner in known:
                self._positions[at] = known[owner]
            else:
                yield from owner_fault({"image_id": owner}, set(), self._file, f"annotations[{at}]")
        yield from category_faults(content, self._file)

    def _group(self) -> None:
        """Sort the annotations by image, those of one image in the order of the file."""
        self._order = np.argsort(self._positions, kind="stable")
        edges = np.arange(len(self.images) + 1)
        self._first = np.searchsorted(self._positions[self._order], edges)
        del self._seen, self._owners, self._positions, self._kinds, self._crowds

    def of_image(self, index: int) -> NDArray[np.int64]:
        """Return the numbers of the annotations of image ``index``, in the order of the file."""
        found: NDArray[np.int64] = self._order[self._first[index] : self._first[index + 1]]
        return found

    def read(self, numbers: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[int, Record]]:
        """Yield numbers and records of annotations, read from the file again.

        Raises:
            BadInput: The file has changed.
        """
        with self._file.open("rb") as stream:
            for at in map(int, numbers):
                field = f"annotations[{at}]"
                yield at, read_part(stream, self._starts[at], self._ends[at], self._file, field)
