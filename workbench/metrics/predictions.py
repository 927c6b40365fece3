"""Reading scored masks: our JSON lines, or a plain COCO results list of another tool."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from workbench.errors import BadInput, MissingInput
from workbench.metrics.json_records import RecordsByImage
from workbench.metrics.rle import first_rle_problem

ImageId = int | str
ImageSizes = dict[ImageId, tuple[int, int]]

_REWRITE = "write the file again with the segment stage or correct it"


@dataclass(frozen=True)
class Predictions:
    """Scored masks of a data set.

    Attributes:
        results: COCO results, one dict a mask with ``image_id``, ``segmentation`` (compressed RLE
            at the size of the annotated image) and ``score``; image by image, each in file order.
        image_ids: Images that have a record, also those with no mask. For a plain COCO results
            list, which cannot say so, those with at least one mask.
    """

    results: list[dict[str, Any]]
    image_ids: frozenset[ImageId]


def read_predictions(path: Path, image_sizes: ImageSizes) -> Predictions:
    """Read an entities file (``.jsonl``, one record an image) or COCO results (``.json``, a list).

    Args:
        path: The file.
        image_sizes: (height, width) of each annotated image, by its id.

    Raises:
        MissingInput: No such file.
        BadInput: Truncated or malformed JSON, an unknown image, an image twice, an RLE of another
            size or damaged, a score that is not a finite number.
    """
    file = PredictionFile(path)
    results = [
        result for image_id, size in image_sizes.items() for result in file.of(image_id, size)
    ]
    file.finish(image_sizes)
    return Predictions(results, frozenset(file.image_ids()))


class PredictionFile:
    """Scored masks of a file, read image by image: no more than one image's is in memory.

    Args:
        path: Entities file (``.jsonl``, one record an image) or COCO results (``.json``, a list).
        categories: Ids that ``category_id`` may have; None where classes do not matter.

    Raises:
        MissingInput: No such file.
        BadInput: COCO results that are not a list of records with image ids.
    """

    def __init__(self, path: Path, categories: Collection[int] | None = None) -> None:
        if not path.is_file():
            fix = "run the segment stage, or give an entities or COCO results file"
            raise MissingInput(path, fix)
        self.path, self._categories = path, categories
        lines = path.suffix == ".jsonl"
        self._records = _Lines(path) if lines else RecordsByImage(path, None, _REWRITE)

    def of(self, image_id: ImageId, size: tuple[int, int]) -> list[dict[str, Any]]:
        """Return an image's results: ``segmentation``, ``score`` and, if asked, ``category_id``.

        Raises:
            BadInput: A damaged record, an RLE of another size than (height, width) or damaged, a
                score that is not a finite number, an unknown category.
        """
        named = self._records.of(image_id)
        return _checked(self.path, named, image_id, size, self._categories)

    def image_ids(self) -> Collection[ImageId]:
        """Return the images that have a record; reads the file to its end."""
        return self._records.image_ids()

    def finish(self, known: Collection[ImageId]) -> int:
        """Return how many images have a record, once all of ``known`` were asked for.

        Raises:
            BadInput: A record of another image.
        """
        present = self.image_ids()
        for image_id in present:
            if image_id not in known:
                place = f"{self._records.first(image_id)}.image_id"
                raise _unknown(self.path, place, image_id)
        return len(present)


class _Lines:
    """Records of an entities file by image; lines are read on until an image's is found.

    Where images are asked for in the order of the file, each line is parsed once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[ImageId, tuple[int, int]] = {}
        self._stream, self._ahead = path.open("rb"), path.open("rb")
        self._unread = _records(path, self._ahead)

    def __del__(self) -> None:
        self._stream.close()
        self._ahead.close()

    def image_ids(self) -> Collection[ImageId]:
        for number, start, record in self._unread:
            self._add(number, start, record)
        return self._places.keys()

    def of(self, image_id: ImageId) -> list[tuple[str, Any]]:
        if image_id in self._places:
            number, start = self._places[image_id]
            self._stream.seek(start)
            return _entities(self._path, number, json.loads(self._stream.readline()))
        for number, start, record in self._unread:
            if self._add(number, start, record) == image_id:
                return _entities(self._path, number, record)
        return []

    def first(self, image_id: ImageId) -> str:
        return f"line {self._places[image_id][0]}"

    def _add(self, number: int, start: int, record: dict[str, Any]) -> ImageId:
        image_id = record.get("image_id")
        where = f"line {number}.image_id"
        if isinstance(image_id, bool) or not isinstance(image_id, int | str):
            raise BadInput(self._path, where, f"{image_id!r} or missing", _REWRITE)
        if image_id in self._places:
            raise BadInput(self._path, where, f"image {image_id!r} a second time", _REWRITE)
        self._places[image_id] = (number, start)
        return image_id


def _records(path: Path, stream: BinaryIO) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield line number, place in bytes and content of the records of an entities file."""
    start = 0
    for number, line in enumerate(stream, start=1):
        place, start = start, start + len(line)
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = f"not JSON, perhaps cut off ({error})"
            raise BadInput(path, f"line {number}", problem, _REWRITE) from error
        if not isinstance(record, dict):
            raise BadInput(path, f"line {number}", "not an object", _REWRITE)
        yield number, place, record


def _entities(path: Path, number: int, record: dict[str, Any]) -> list[tuple[str, Any]]:
    entities = record.get("entities")
    if not isinstance(entities, list):
        raise BadInput(path, f"line {number}.entities", "not a list", _REWRITE)
    return [(f"line {number}.entities[{i}]", entity) for i, entity in enumerate(entities)]


def _unknown(path: Path, where: str, image_id: ImageId) -> BadInput:
    fix = "predict on the split that is scored"
    return BadInput(path, where, f"{image_id!r} is not in the annotations", fix)


def _checked(
    path: Path,
    entities: Sequence[tuple[str, Any]],
    image_id: ImageId,
    size: tuple[int, int],
    categories: Collection[int] | None = None,
) -> list[dict[str, Any]]:
    """Return COCO results of one image's entities, or raise on a faulty one."""
    for where, entity in entities:
        if not isinstance(entity, dict):
            raise BadInput(path, where, "not an object", _REWRITE)
    fault = first_rle_problem([entity.get("segmentation") for _, entity in entities], size)
    if fault:
        where = f"{entities[fault[0]][0]}.segmentation"
        raise BadInput(path, where, fault[1], "encode it at the image's size")
    return [_result(path, where, entity, image_id, categories) for where, entity in entities]


def is_finite_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value of a JSON file is a number that a float can hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def _result(
    path: Path,
    where: str,
    entity: dict[str, Any],
    image_id: ImageId,
    categories: Collection[int] | None,
) -> dict[str, Any]:
    score = entity.get("score")
    if not is_finite_number(score):
        raise BadInput(path, f"{where}.score", f"{score!r}", "give a finite number")
    rle = entity["segmentation"]
    result = {"image_id": image_id, "segmentation": rle, "score": float(score)}
    if categories is None:
        return result
    category = entity.get("category_id")
    if isinstance(category, bool) or not isinstance(category, int) or category not in categories:
        problem = f"{category!r} is not a category of the annotations"
        raise BadInput(path, f"{where}.category_id", problem, "use the ids of the annotations")
    return {**result, "category_id": category}
