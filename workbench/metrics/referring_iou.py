"""cIoU and gIoU of referring and reasoning segmentation (paper Tables IX and XIV).

Source: dvlab-research/LISA ``train_ds.py`` (``validate``) and ``utils/utils.py``; own code, since
no library has them and MMDetection's ``RefSegMetric`` knows no ignored pixels and gives 0 where
both masks are empty. Every expression counts once. Ignored pixels count nowhere. An expression
without a target has IoU 1 where the prediction is empty too, else 0, and its pixels enter the union
of cIoU. Ground truth is one binary mask: where parts of a region overlap the reference loses the
overlap, which is not reproduced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.metrics.rle import rle_problem

METRICS = ("cIoU", "gIoU")
# Both as in the reference; gIoU of a perfect prediction of n pixels is n / (n + 1e-5).
_SUM_EPSILON, _EACH_EPSILON = 1e-10, 1e-5

RLE = dict[str, Any]
Mask = RLE | NDArray[Any]


@dataclass(frozen=True)
class Expression:
    """An expression and the region it means.

    Attributes:
        key: Id, unique among the expressions: RefCOCO's sentence id, ReasonSeg's picture name.
        target: Compressed RLE, or (H, W) array that is not zero inside; may be empty.
        ignore: The same of pixels that do not count; None for none.
    """

    key: str
    target: Mask
    ignore: Mask | None = None


class ReferringIoU:
    """Adds up expressions."""

    def __init__(self) -> None:
        self.intersection = self.union = 0
        self.without_target = self.count = 0
        self._ious = 0.0

    def add(self, found: Mask | None, target: Mask, ignore: Mask | None = None) -> float:
        """Add an expression and return its IoU, with the reference's small denominator.

        Args:
            found: Predicted mask; None for an empty one.
            target: Annotated mask of the same size.
            ignore: Pixels that do not count.

        Raises:
            ValueError: Masks of different sizes.
        """
        aimed = _rle(target)
        masks = [aimed, aimed if found is None else _rle(found)]
        left = [] if ignore is None else [_rle(ignore)]
        for mask in masks + left:
            if list(mask["size"]) != list(aimed["size"]):
                raise ValueError(f"masks of sizes {list(mask['size'])} and {list(aimed['size'])}")
        target_area = _area([aimed], left)
        found_area = shared = 0
        if found is not None:
            found_area = _area(masks[1:], left)
            shared = _area([mask_utils.merge(masks, intersect=True)], left)
        union = target_area + found_area - shared
        iou = shared / (union + _EACH_EPSILON) if union else 1.0
        self.intersection, self.union = self.intersection + shared, self.union + union
        self.without_target += target_area == 0
        self.count += 1
        self._ious += iou
        return iou

    def metrics(self) -> dict[str, float]:
        """Return cIoU and gIoU as fractions, NaN without any expression."""
        if not self.count:
            return dict.fromkeys(METRICS, float("nan"))
        return {
            "cIoU": self.intersection / (self.union + _SUM_EPSILON),
            "gIoU": self._ious / self.count,
        }


@dataclass(frozen=True)
class ReferringScores:
    """Result of one evaluation.

    Attributes:
        metrics: Fractions in [0, 1] by the names in ``METRICS``; NaN where undefined.
        counts: ``num_expressions``, of which ``without_target`` and ``without_prediction`` (scored
            as an empty mask), and ``predictions_left_out`` of unknown expressions.
    """

    metrics: dict[str, float]
    counts: dict[str, int]

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said = []
        if self.counts["without_prediction"]:
            said.append(
                f"{self.counts['without_prediction']} of {self.counts['num_expressions']} "
                "expressions have no prediction and count as an empty mask."
            )
        if self.counts["predictions_left_out"]:
            count = self.counts["predictions_left_out"]
            said.append(f"{count} predictions of expressions that are not scored are left out.")
        if not self.counts["num_expressions"]:
            said.append("No expression: every metric is undefined.")
        return said


def score_expressions(
    expressions: Iterable[Expression],
    found: Mapping[str, Mask | None],
    where: str | Path = "predictions",
) -> ReferringScores:
    """Score the masks predicted for expressions.

    Args:
        expressions: All expressions that are scored, e.g. only ReasonSeg's first of each picture.
        found: Predicted masks by key; None for an empty one.
        where: File of the predictions, for errors.

    Raises:
        BadInput: A damaged mask or one of another size than its target's, or a key twice.
    """
    sums, keys, absent = ReferringIoU(), set(), 0
    for expression in expressions:
        if expression.key in keys:
            problem = f"expression {expression.key!r} a second time"
            raise BadInput("ground truth", "id", problem, "give each expression an id of its own")
        keys.add(expression.key)
        mask = found.get(expression.key)
        absent += expression.key not in found
        if isinstance(mask, Mapping):
            problem = rle_problem(mask, _size(expression.target))
            if problem:
                fix = "encode it at the image's size"
                raise BadInput(where, repr(expression.key), problem, fix)
        sums.add(mask, expression.target, expression.ignore)
    counts = {
        "num_expressions": sums.count,
        "without_target": sums.without_target,
        "without_prediction": absent,
        "predictions_left_out": len(found.keys() - keys),
    }
    return ReferringScores(sums.metrics(), counts)


def read_masks(path: Path) -> dict[str, RLE | None]:
    """Read predictions: a JSON object of compressed RLE (null for an empty mask) by expression id.

    Raises:
        MissingInput: No such file.
        BadInput: Not a JSON object.
    """
    content = _read(path, "give a JSON object of a mask for each expression id")
    if not isinstance(content, dict):
        raise BadInput(path, "top level", "not an object", "write {expression id: RLE or null}")
    return content


def read_expressions(path: Path) -> list[Expression]:
    """Read ground truth: a JSON list of ``{"id", "segmentation", "ignore"}`` under "expressions".

    ``segmentation`` and ``ignore``, which may be left out, are compressed RLE of one size.

    Raises:
        MissingInput: No such file.
        BadInput: Of another form, a damaged mask, or an id twice.
    """
    fix = "correct the annotation file"
    content = _read(path, "give a JSON file of expressions")
    listed = content.get("expressions") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise BadInput(path, "expressions", "not a list", fix)
    expressions = []
    for index, item in enumerate(listed):
        place = f"expressions[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("id"), int | str):
            raise BadInput(path, f"{place}.id", "missing, not a number or text", fix)
        size = _stated_size(item.get("segmentation"))
        for field in ("segmentation", "ignore"):
            mask = item.get(field)
            problem = None if field == "ignore" and mask is None else rle_problem(mask, size)
            if problem:
                raise BadInput(path, f"{place}.{field}", problem, fix)
        expressions.append(Expression(str(item["id"]), item["segmentation"], item.get("ignore")))
    return expressions


def _read(path: Path, fix: str) -> Any:
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", "write it again") from error


def _stated_size(mask: Any) -> tuple[int, int]:
    """Return the size that a mask states, or one that no mask has."""
    size = mask.get("size") if isinstance(mask, dict) else None
    sound = isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size)
    return (size[0], size[1]) if sound and isinstance(size, list) else (-1, -1)


def _size(mask: Mask) -> tuple[int, int]:
    height, width = mask["size"] if isinstance(mask, Mapping) else mask.shape
    return int(height), int(width)


def _rle(mask: Mask) -> RLE:
    if isinstance(mask, Mapping):
        return dict(mask)
    encoded: RLE = mask_utils.encode(np.asfortranarray(mask != 0, dtype=np.uint8))
    return encoded


def _area(masks: list[RLE], ignored: list[RLE]) -> int:
    """Return the pixels of one mask outside an ignored one."""
    area = int(mask_utils.area(masks[0]))
    if not ignored or not area:
        return area
    return area - int(mask_utils.area(mask_utils.merge([masks[0], ignored[0]], intersect=True)))
