"""Records of large JSON files, image by image: no more than one image's are held parsed.

Files of predictions and annotations list their masks in any order. They are read once to learn
where each image's records are, and again where an image is wanted: three numbers are kept for
records of one image that follow each other.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, KeysView
from pathlib import Path
from typing import Any

from workbench.datasets.json_stream import Part, stream_records
from workbench.errors import BadInput

ImageId = int | str


class RecordsByImage:
    """The records of one list of a JSON file by their ``image_id``.

    Args:
        path: Existing file.
        field: Name of the list in the top-level object; None where the list is the top level.
        fix: What the user should do about a damaged file.
        seen: Called with the elements of all lists of the file as they are found.

    Raises:
        BadInput: Damaged JSON, no such list, or a record without an image id (number or text).
    """

    def __init__(
        self,
        path: Path,
        field: str | None,
        fix: str,
        seen: Callable[[Part], None] = lambda part: None,
    ) -> None:
        self._path, self._field = path, field
        self._places: dict[ImageId, array[int]] = defaultdict(lambda: array("q"))
        self._count = 0
        self._last: ImageId = 0
        there = False
        for part in stream_records(path, fix):
            if part.index is None:
                there = there or (part.key == field and isinstance(part.value, list))
                continue
            seen(part)
            if part.key != field:
                continue
            image_id = part.value.get("image_id") if isinstance(part.value, dict) else None
            if isinstance(image_id, bool) or not isinstance(image_id, int | str):
                raise BadInput(path, f"{self._name(part.index)}.image_id", "missing", fix)
            self._add(image_id, part.index, part)
        if not there:
            expected = "a list" if field is None else f"an object with the list {field}"
            raise BadInput(path, field or "top level", f"the file is not {expected}", fix)
        self._stream = path.open("rb")

    def __len__(self) -> int:
        return self._count

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()

    def image_ids(self) -> KeysView[ImageId]:
        """Return the images that have a record."""
        return self._places.keys()

    def of(self, image_id: ImageId) -> list[tuple[str, dict[str, Any]]]:
        """Return the records of an image in file order, each with its place for errors."""
        places = self._places.get(image_id, ())
        found: list[tuple[str, dict[str, Any]]] = []
        for at in range(0, len(places), 3):
            position, start, end = places[at : at + 3]
            self._stream.seek(start)
            records = json.loads(b"[" + self._stream.read(end - start) + b"]")
            found += ((self._name(position + more), one) for more, one in enumerate(records))
        return found

    def first(self, image_id: ImageId) -> str:
        """Return the place of an image's first record, for errors."""
        return self._name(self._places[image_id][0])

    def _add(self, image_id: ImageId, index: int, part: Part) -> None:
        """Lengthen the image's last stretch of records, or begin one."""
        if self._count and image_id == self._last:
            self._places[image_id][-1] = part.end
        else:
            self._places[image_id].extend((index, part.start, part.end))
        self._last, self._count = image_id, self._count + 1

    def _name(self, index: int) -> str:
        return f"{self._field or ''}[{index}]"
