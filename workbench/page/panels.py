"""Pictures of what models made: entities, colormaps, and a caption's nouns as masks."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets import load_entities
from workbench.datasets.narratives import load_narratives
from workbench.datasets.schema import RLE, EntityImage
from workbench.paths import Layout
from workbench.photos import read_photo
from workbench.segmentation.label_map import paint_label_map
from workbench.segmentation.overlay import draw_overlay, entity_colours

NUM_PICTURES = 3
SIDE = 220  # pixels, of the longer side
QUALITY = 72
# Entities that a model is less sure of are left out of a picture; they are not of its score.
MIN_SCORE = 0.5

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """An image in the page: its source as a data address, and what it shows."""

    source: str
    width: int
    height: int
    says: str


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows and named columns; ``captions`` stand above the rows, as HTML or empty.

    A caption is a list of words, each with the colour of the noun that it is of, or None.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Picture, ...], ...]
    captions: tuple[tuple[tuple[str, str | None], ...], ...] = ()


@dataclass(frozen=True)
class Made:
    """What a row of a table was scored from: its label, predictions, and `ground`'s masks."""

    label: str
    predictions: Path
    masks: Path | None = None


def entity_sheet(layout: Layout, dataset: str, split: str, made: Sequence[Made]) -> Sheet:
    """Draw photographs, annotated entities and those of several models.

    Raises:
        EsgError, OSError, ValueError, KeyError: Data or predictions cannot be used.
    """
    images = load_entities(layout.manifest(dataset), split)
    chosen = [images[at] for at in _spread(len(images))]
    wanted = [image.image_id for image in chosen]
    found = [_records(each.predictions, "image_id", wanted) for each in made]
    rows = []
    for image in chosen:
        photo, name = read_photo(image.file), image.file_name
        row = [_picture(photo, f"Photograph {name}")]
        row.append(_picture(_overlay(photo, image.masks), f"Annotated entities of {name}"))
        for each, records in zip(made, found, strict=True):
            masks = _confident(records.get(image.image_id))
            row.append(_picture(_overlay(photo, masks), f"{each.label}: entities of {name}"))
        rows.append(tuple(row))
    return Sheet(("photograph", "annotated", *(each.label for each in made)), tuple(rows))


def grounding_sheet(layout: Layout, dataset: str, split: str, made: Sequence[Made]) -> Sheet:
    """Draw photographs, entities, colormaps and the masks of a caption's nouns by several models.

    Raises:
        EsgError, OSError, ValueError, KeyError: Data or predictions cannot be used.
    """
    narratives = load_narratives(layout.manifest(dataset), split)
    grounded = _records(made[0].predictions, "narrative")
    chosen = [list(grounded)[at] for at in _spread(len(grounded))]
    found = [_records(each.predictions, "narrative", chosen) for each in made]
    given = [_records(each.masks, "image_id") if each.masks else {} for each in made]
    rows, said = [], []
    for number in chosen:
        narrative, image = narratives[number]
        photo, name = read_photo(image.file), image.file_name
        row = [_picture(photo, f"Photograph {name}")]
        row.append(_picture(_overlay(photo, image.masks), f"Annotated entities of {name}"))
        row.append(_picture(_colormap(image), f"Colormap of the annotated entities of {name}"))
        for each, records, masks in zip(made, found, given, strict=True):
            meant = _meant(records.get(number), _by_id(image, masks.get(image.image_id)))
            row.append(_picture(_overlay(_grey(photo), meant), f"{each.label}: nouns of {name}"))
        rows.append(tuple(row))
        said.append(_words(narrative.caption, found[0][number]))
    columns = ("photograph", "entities", "colormap", *(each.label for each in made))
    return Sheet(columns, tuple(rows), tuple(said))


def _spread(count: int) -> list[int]:
    """Return positions that are spread over ``count`` records."""
    number = min(NUM_PICTURES, count)
    return [at * count // number for at in range(number)]


def _records(
    path: Path, key: str, wanted: Collection[Any] | None = None
) -> dict[Any, dict[str, Any]]:
    """Return the records of a file of JSON lines by a key, all or those that are wanted."""
    with path.open(encoding="utf-8") as stream:
        records = (json.loads(line) for line in stream)
        return {r[key]: r for r in records if wanted is None or r[key] in wanted}


def _confident(record: Mapping[str, Any] | None) -> list[RLE]:
    entities = record["entities"] if record else []
    return [each["segmentation"] for each in entities if each["score"] >= MIN_SCORE]


def _by_id(image: EntityImage, record: Mapping[str, Any] | None) -> dict[int, RLE]:
    """Return masks by the ids that a grounding names: annotated ones, or numbered as given."""
    if record is None:
        return dict(zip(image.segment_ids, image.masks, strict=True))
    return {n: each["segmentation"] for n, each in enumerate(record["entities"], start=1)}


def _meant(record: Mapping[str, Any] | None, masks: Mapping[int, RLE]) -> list[RLE]:
    """Return a mask for each noun, of all entities that it means; none without a record."""
    from pycocotools import mask as coco_mask

    return [
        coco_mask.merge([_bytes(masks[number]) for number in phrase["entity_ids"]])
        for phrase in (record["phrases"] if record else ())
    ]


def _bytes(code: RLE) -> dict[str, Any]:
    counts = code["counts"]
    return {**code, "counts": counts.encode() if isinstance(counts, str) else counts}


def _overlay(photo: Pixels, masks: Sequence[RLE]) -> Pixels:
    height, width = photo.shape[:2]
    return draw_overlay(photo, paint_label_map(masks, (height, width)))


def _grey(photo: Pixels) -> Pixels:
    """Return a photograph without colours, so that those of masks can be told."""
    return np.repeat(photo.mean(-1, keepdims=True), 3, axis=-1).astype(np.uint8)


def _colormap(image: EntityImage) -> Pixels:
    """Return entities in one colour each, as a model sees them (its colours are drawn anew)."""
    labels = paint_label_map(image.masks, (image.height, image.width))
    return entity_colours(int(labels.max()))[labels]


def _words(caption: str, record: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    """Split a caption into nouns, each with its masks' colour, and what stands between them."""
    colours = entity_colours(len(record["phrases"]))[1:, ::-1]
    parts: list[tuple[str, str | None]] = []
    at = 0
    for start, end, colour in _spans(record, colours):
        if start >= at:
            parts += [(caption[at:start], None), (caption[start:end], colour)]
            at = end
    return (*parts, (caption[at:], None))


def _spans(record: Mapping[str, Any], colours: Pixels) -> Iterator[tuple[int, int, str]]:
    for phrase, (red, green, blue) in zip(record["phrases"], colours, strict=True):
        if phrase["start"] is not None:
            yield phrase["start"], phrase["end"], f"#{red:02x}{green:02x}{blue:02x}"


def _picture(pixels: Pixels, says: str) -> Picture:
    """Encode (H, W, 3) BGR pixels, reduced to ``SIDE``, as WebP."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{data}", *image.size, says)
