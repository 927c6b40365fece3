"""Files of labelled entities: COCO's panoptic form, or COCO results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from workbench.files import atomic_path, write_json
from workbench.grounding.given import decode_masks

if TYPE_CHECKING:
    from workbench.datasets.schema import Category

VOID = 0
Results = Iterable[dict[str, Any]]


def paint_segments(
    masks: NDArray[np.bool_], classes: Sequence[int | None], stuff: set[int]
) -> tuple[NDArray[np.int32], list[dict[str, int]]]:
    """Make a panoptic map of labelled entities.

    Args:
        masks: (N, H, W), best first: where they overlap the earlier one is on top.
        classes: Category of each; None for one that is dropped to void.
        stuff: Categories whose entities become one segment.

    Returns:
        (H, W) segment ids from 1, 0 for void, and ``{"id", "category_id"}`` of each segment that
        has a pixel.
    """
    labels = np.full(masks.shape[1:], VOID, np.int32)
    of_stuff: dict[int, int] = {}
    painted: dict[int, tuple[int, int]] = {}
    for at, category in enumerate(classes):
        if category is not None:
            number = of_stuff.setdefault(category, at + 1) if category in stuff else at + 1
            painted[at] = (number, category)
    for at in sorted(painted, reverse=True):
        labels[masks[at]] = painted[at][0]
    seen = set(np.unique(labels).tolist())
    listed = {number: category for number, category in painted.values() if number in seen}
    return labels, [{"id": number, "category_id": category} for number, category in listed.items()]


def _kept(record: dict[str, Any], threshold: float, counts: Counter[str]) -> list[dict[str, Any]]:
    """Return a picture's entities with the dropped ones' class None, and count them."""
    entities: list[dict[str, Any]] = record["entities"]
    kept = [e if e["score"] > threshold else {**e, "category_id": None} for e in entities]
    counts["entities"] += len(kept)
    counts["dropped"] += sum(entity["category_id"] is None for entity in kept)
    counts["without_entity"] += not kept
    return kept


def write_panoptic(
    results: Results, output: Path, categories: Iterable[Category], threshold: float
) -> tuple[Counter[str], dict[str, int]]:
    """Write PNGs and, last, the JSON; a picture without entities is all void."""
    stuff = {category.category_id for category in categories if not category.isthing}
    counts: Counter[str] = Counter()
    annotations, prompts = [], 0
    for place, record in enumerate(results):
        kept = _kept(record, threshold, counts)
        masks = np.zeros((0, *record["size"]), bool)
        if kept:
            masks = decode_masks([entity["segmentation"] for entity in kept])
        classes = [entity["category_id"] for entity in kept]
        labels, segments = paint_segments(masks, classes, stuff)
        name = f"{place:012d}.png"
        _write_png(output / name, labels)
        annotations.append(
            {"image_id": record["image_id"], "file_name": name, "segments_info": segments}
        )
        prompts = max(prompts, record["prompts"])
    write_json(output.with_suffix(".json"), {"annotations": annotations})
    return counts, {"": prompts}


def _write_png(path: Path, labels: NDArray[np.int32]) -> None:
    """Write segment ids as colours, R + 256 G + 65536 B."""
    from PIL import Image

    rgb = np.stack([labels & 255, labels >> 8 & 255, labels >> 16], axis=-1).astype(np.uint8)
    with atomic_path(path) as aside:
        Image.fromarray(rgb).save(aside, "PNG")


def write_instances(
    results: Results, output: Path, groups: list[str], threshold: float
) -> tuple[Counter[str], dict[str, int]]:
    """Write COCO results of every group, an image at a time."""
    counts: Counter[str] = Counter()
    prompts, lengths = dict.fromkeys(groups, 0), dict.fromkeys(groups, 0)
    with ExitStack() as stack:
        streams: dict[str, TextIO] = {}
        for name in groups:
            path = output / f"{name}.json" if name else output.with_suffix(".json")
            aside = stack.enter_context(atomic_path(path))
            streams[name] = stack.enter_context(aside.open("w", encoding="utf-8"))
            streams[name].write("[")
        for record in results:
            group = record["group"]
            prompts[group] = max(prompts[group], record["prompts"])
            for entity in _kept(record, threshold, counts):
                if entity["category_id"] is not None:
                    item = json.dumps({"image_id": record["image_id"], **entity})
                    streams[group].write(f"{',' if lengths[group] else ''}\n{item}")
                    lengths[group] += 1
        for stream in streams.values():
            stream.write("\n]\n")
            stream.flush()
    return counts, prompts
