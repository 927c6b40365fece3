"""Reading scored entity masks: our JSON lines, or a plain COCO results list of another tool."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.metrics.rle import rle_problem

ImageId = int | str
ImageSizes = dict[ImageId, tuple[int, int]]

_REWRITE = "write the file again with the segment stage or correct it"


@dataclass(frozen=True)
class Predictions:
    """Scored masks of a data set.

    Attributes:
        results: COCO results, one dict a mask with ``image_id``, ``segmentation`` (compressed RLE
            at the size of the annotated image) and ``score``, in file order.
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
    if not path.is_file():
        raise MissingInput(path, "run the segment stage, or give an entities or COCO results file")
    if path.suffix == ".jsonl":
        return _read_lines(path, image_sizes)
    return _read_results(path, image_sizes)


def _read_lines(path: Path, image_sizes: ImageSizes) -> Predictions:
    results: list[dict[str, Any]] = []
    seen: set[ImageId] = set()
    for number, record in _records(path):
        where = f"line {number}"
        image_id = _known_image(path, where, record, image_sizes)
        if image_id in seen:
            raise BadInput(path, f"{where}.image_id", f"image {image_id!r} a second time", _REWRITE)
        seen.add(image_id)
        entities = record.get("entities")
        if not isinstance(entities, list):
            raise BadInput(path, f"{where}.entities", "not a list", _REWRITE)
        named = ((f"{where}.entities[{i}]", entity) for i, entity in enumerate(entities))
        results += _checked(path, named, image_id, image_sizes[image_id])
    return Predictions(results, frozenset(seen))


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                problem = f"not JSON, perhaps cut off ({error.msg})"
                raise BadInput(path, f"line {number}", problem, _REWRITE) from error
            if not isinstance(record, dict):
                raise BadInput(path, f"line {number}", "not an object", _REWRITE)
            yield number, record


def _read_results(path: Path, image_sizes: ImageSizes) -> Predictions:
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", _REWRITE) from error
    if not isinstance(items, list):
        raise BadInput(path, "top level", "not a list of COCO results", "give a .jsonl or a list")
    results: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        where = f"[{index}]"
        image_id = _known_image(path, where, item, image_sizes)
        results += _checked(path, [(where, item)], image_id, image_sizes[image_id])
    return Predictions(results, frozenset(item["image_id"] for item in results))


def _known_image(path: Path, where: str, record: Any, image_sizes: ImageSizes) -> ImageId:
    if not isinstance(record, dict) or "image_id" not in record:
        raise BadInput(path, f"{where}.image_id", "missing", _REWRITE)
    image_id = record["image_id"]
    if not isinstance(image_id, int | str) or image_id not in image_sizes:
        fix = "predict on the split that is scored"
        raise BadInput(path, f"{where}.image_id", f"{image_id!r} is not in the annotations", fix)
    return image_id


def _checked(
    path: Path,
    entities: Iterable[tuple[str, Any]],
    image_id: ImageId,
    size: tuple[int, int],
) -> list[dict[str, Any]]:
    """Return COCO results of one image's entities, or raise on the first faulty one."""
    results = []
    for where, entity in entities:
        if not isinstance(entity, dict):
            raise BadInput(path, where, "not an object", _REWRITE)
        problem = rle_problem(entity.get("segmentation"), size)
        if problem:
            raise BadInput(path, f"{where}.segmentation", problem, "encode it at the image's size")
        score = entity.get("score")
        if (
            isinstance(score, bool)
            or not isinstance(score, int | float)
            or not math.isfinite(score)
        ):
            raise BadInput(path, f"{where}.score", f"{score!r}", "give a finite number")
        rle = entity["segmentation"]
        results.append({"image_id": image_id, "segmentation": rle, "score": float(score)})
    return results
