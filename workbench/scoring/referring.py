"""Scores masks predicted for referring expressions (paper Tables IX and XIV)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.datasets.load import load_referring
from workbench.datasets.referring import ReferringImage
from workbench.errors import BadInput, MissingInput
from workbench.metrics.referring_iou import METRICS, RLE, ReferringIoU
from workbench.metrics.rle import rle_problem
from workbench.scoring.drawn import score_drawn
from workbench.scoring.files import Left, locate
from workbench.scoring.kinds import FileScore

_FIX = "correct the annotation file"


@dataclass(frozen=True)
class Expression:
    """An expression and the region it means.

    Attributes:
        key: Id, unique among the expressions: RefCOCO's sentence id, ReasonSeg's picture name.
        size: (height, width) in pixels of its picture.
        target: Sound compressed RLE of that size; may be empty.
        ignore: The same of pixels that do not count; None for none.
    """

    key: str
    size: tuple[int, int]
    target: RLE
    ignore: RLE | None = None


class Referring:
    """A JSON object of compressed RLE (null for an empty mask) by expression id.

    The data set is a manifest of RefCOCO's or ReasonSeg's form, or a JSON with ``expressions``, a
    list of ``{"id", "segmentation", "ignore"}``: masks are compressed RLE, ``ignore`` may be left
    out. Without predictions, of a manifest of RefCOCO's form, an entity drawn at random is scored.
    """

    metrics: tuple[str, ...] = METRICS
    units: Mapping[str, str] = {}
    needs_predictions = False

    def score(self, predictions: Path | None, source: Path, split: str) -> FileScore:
        """Score every expression; one without a mask is scored as if nothing was found."""
        where = locate(source, split)
        if predictions is None:
            if not where.is_manifest:
                raise BadInput(
                    "PREDICTIONS", "referring_iou", "not given", "name the file to score"
                )
            return score_drawn(source, split)
        if where.is_manifest:
            expressions = scored_expressions(load_referring(source, split))
        elif where.annotations:
            expressions = read_expressions(where.annotations)
        else:
            raise BadInput(source, "--dataset", "a folder", "give a manifest or a JSON")
        return score_expressions(expressions, read_masks(predictions), predictions)


def score_expressions(
    expressions: Iterable[Expression], found: Mapping[str, RLE | None], where: str | Path
) -> FileScore:
    """Score the masks predicted for expressions.

    Args:
        expressions: All that are scored, each once: of ReasonSeg only the first of a picture.
        found: Predicted masks by key; None for an empty one.
        where: File of the predictions, for errors.

    Raises:
        BadInput: A mask that is damaged or of another size than its picture.
    """
    sums, keys = ReferringIoU(), set()
    for expression in expressions:
        keys.add(expression.key)
        mask = found.get(expression.key)
        problem = None if mask is None else rle_problem(mask, expression.size)
        if problem:
            fix = "encode it at the image's size"
            raise BadInput(where, repr(expression.key), problem, fix)
        sums.add(mask, expression.target, expression.ignore)
    left = Left({"num_expressions": sums.count, "without_target": sums.without_target})
    left.count(
        "without_prediction",
        len(keys - found.keys()),
        f"{{}} of {len(keys)} expressions have no prediction and count as an empty mask.",
    )
    left.count(
        "predictions_left_out",
        len(found.keys() - keys),
        "{} predictions are of expressions that are not scored: left out.",
    )
    if not sums.count:
        left.remarks.append("No expression: every metric is undefined.")
    return FileScore(sums.metrics(), left.counts, left.remarks)


def scored_expressions(dataset: Iterable[ReferringImage]) -> Iterator[Expression]:
    """Yield the expressions of a data set that count: RefCOCO's all, ReasonSeg's first.

    Their keys are the sentences' ids; ReasonSeg, which counts sentences picture by picture, has its
    pictures' names.
    """
    for image in dataset:
        numbered = image.is_sentence is None
        for number in image.expression_ids[: image.num_scored]:
            key = str(number) if numbered else image.key
            size = (image.height, image.width)
            yield Expression(key, size, image.target, image.ignore)


def read_masks(path: Path) -> dict[str, RLE | None]:
    """Read predictions; masks are not checked, since their pictures' sizes are not known here.

    Raises:
        MissingInput: No such file.
        BadInput: Not a JSON object, or an expression twice.
    """
    content = _read(path, "give a JSON object of a mask for each expression id")
    if not isinstance(content, dict):
        raise BadInput(path, "top level", "not an object", "write {expression id: RLE or null}")
    return content


def read_expressions(path: Path) -> Iterator[Expression]:
    """Read ground truth, expression by expression.

    Raises:
        MissingInput: No such file.
        BadInput: Of another form, a damaged mask, or an id twice.
    """
    content = _read(path, "give a JSON file of expressions")
    listed = content.get("expressions") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise BadInput(path, "expressions", "not a list", _FIX)
    seen: set[str] = set()
    for index, item in enumerate(listed):
        yield _expression(item, path, f"expressions[{index}]", seen)


def _expression(item: Any, path: Path, place: str, seen: set[str]) -> Expression:
    number = item.get("id") if isinstance(item, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | str) or str(number) in seen:
        problem = f"{number!r} is missing, not a number or text, or a second time"
        raise BadInput(path, f"{place}.id", problem, _FIX)
    seen.add(str(number))
    target, ignore = item.get("segmentation"), item.get("ignore")
    size = _stated_size(target)
    for field, mask in (("segmentation", target), ("ignore", ignore)):
        fault = None if field == "ignore" and mask is None else rle_problem(mask, size)
        if fault:
            raise BadInput(path, f"{place}.{field}", fault, _FIX)
    return Expression(str(number), size, target, ignore)


def _stated_size(mask: Any) -> tuple[int, int]:
    """Return the size that a mask states, or one that no mask has."""
    size = mask.get("size") if isinstance(mask, dict) else None
    if isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size):
        return size[0], size[1]
    return -1, -1


def _read(path: Path, fix: str) -> Any:
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", "write it again") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, or refuse one that is given twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} a second time")
    return content
