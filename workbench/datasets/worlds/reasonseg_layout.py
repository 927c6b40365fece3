"""Writes scenes with queries as LISA lays out ReasonSeg: a JSON of polygons beside each picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.reasonseg import IGNORE, TARGET, draw_regions
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.expression_sheet import ExpressionSheet
from workbench.datasets.worlds.fixed import Mask, draw
from workbench.datasets.worlds.grounding_scene import GroundingScene, make_grounding_scene
from workbench.datasets.worlds.reasoning_grammar import ask, choose, queries
from workbench.datasets.worlds.referring_facts import seen_things
from workbench.datasets.worlds.referring_spec import EXPRESSION_SPLITS, ReferringSpec

QUERY_STREAM = 13
MOST_TRIES = 40
STUFF_PERCENT, SENTENCE_PERCENT, FLAG_PERCENT = 30, 60, 15
# Every so many files are in cp1252, as some of the real ones are.
CP1252_EVERY = 4
FOLDER = "ReasonSeg"

Record = dict[str, Any]


def write_reasonseg(root: Path, spec: ReferringSpec) -> dict[str, Record]:
    """Write pictures and queries; return the manifest's entries of the splits."""
    sheet = ExpressionSheet()
    explained: list[Record] = []
    for number, split in enumerate(EXPRESSION_SPLITS[spec.format]):
        made = index = 0
        count = spec.splits.get(split, 0)
        while made < count and index < count * MOST_TRIES:
            found = make_grounding_scene(spec.scene, number, index)
            rng = np.random.Generator(
                np.random.PCG64([spec.scene.seed, number, index, QUERY_STREAM])
            )
            record = _record(rng, found, spec, split, sheet)
            if record is not None:
                name, answer = f"{split}_{made:05d}", record.pop("answer")
                _write(root / FOLDER / split, name, found, record, made)
                if split == "train":
                    query = {"image": f"{name}.jpg", "query": record["text"][0]}
                    explained.append({**query, "outputs": answer})
                made += 1
            index += 1
    write_compact_json(root / FOLDER / "explanatory/train.json", explained)
    sheet.write(root / "contact_sheet.png")
    return {
        split: {"annotations": None, "images": f"{FOLDER}/{split}", "masks": None}
        for split in spec.splits
    }


def _record(
    rng: np.random.Generator,
    found: GroundingScene,
    spec: ReferringSpec,
    split: str,
    sheet: ExpressionSheet,
) -> Record | None:
    """Return the JSON of a scene, or None where nothing can be asked or drawn exactly."""
    labels = found.scene.labels
    stuff = {n: look.name for n, look in enumerate(found.looks, start=1) if look.colour is None}
    options = queries(seen_things(found), stuff)
    if not options:
        return None
    query = choose(rng, options, STUFF_PERCENT, len(stuff))
    as_sentence = draw(rng, 1, 100) <= SENTENCE_PERCENT
    texts = ask(rng, query, draw(rng, *spec.expressions) if split == "train" else 1, as_sentence)
    target = labels == query.entity
    shapes = region_polygons(target)
    regions = draw_regions(shapes, (labels.shape[0], labels.shape[1]))
    if not np.array_equal(regions == TARGET, target):
        return None
    if draw(rng, 1, 100) <= FLAG_PERCENT:
        corners = [[2.0, 2.0], [40.0, 2.0], [40.0, 40.0]]
        shapes.insert(0, _shape("flag", corners))
    sheet.add(found.scene.image, target, texts, regions == IGNORE)
    look = found.looks[query.entity - 1]
    answer = f"The {look.colour} {look.name}." if look.colour else f"The {look.name}."
    return {"text": texts, "is_sentence": as_sentence, "shapes": shapes, "answer": answer}


def region_polygons(target: Mask) -> list[Record]:
    """Return polygons whose drawing gives a region, with its holes as regions to ignore.

    ReasonSeg's polygons cannot have holes: what lies inside a target is marked as ignored, and
    parts of the target inside that are drawn again, being smaller.
    """
    shapes = []
    for part in _parts(target):
        outline = _outline(part)
        shapes.append(_shape("target", outline))
        whole = draw_regions(shapes[-1:], (target.shape[0], target.shape[1])) == TARGET
        shapes += [_shape("ignore", _outline(hole)) for hole in _parts(whole & ~part)]
    return shapes


def _parts(mask: Mask) -> list[Mask]:
    """Return the connected parts of a mask."""
    import cv2

    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return [numbers == number for number in range(1, count)]


def _outline(part: Mask) -> list[list[float]]:
    """Return the [x, y] of the outer border pixels, with fractions that drawing cuts off."""
    import cv2

    found, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = found[0][:, 0].tolist()
    return [[x + at % 4 / 4, y + at % 3 / 4] for at, (x, y) in enumerate(corners)]


def _shape(label: str, points: list[list[float]]) -> Record:
    return {
        "label": label,
        "labels": [label],
        "shape_type": "polygon",
        "points": points,
        "group_id": None,
        "flags": {},
    }


def _write(folder: Path, name: str, found: GroundingScene, record: Record, index: int) -> None:
    """Write a picture and its JSON, which is in cp1252 for some."""
    write_jpeg(folder / f"{name}.jpg", found.scene.image)
    content = {
        **record,
        "shapes": [{**shape, "image_name": f"{name}.jpg"} for shape in record["shapes"]],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    code = "cp1252" if index % CP1252_EVERY == 0 else "utf-8"
    (folder / f"{name}.json").write_bytes(text.encode(code))
