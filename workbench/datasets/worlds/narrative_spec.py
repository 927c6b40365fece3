"""What a world with narratives is made of: its entry in ``worlds.yaml``, typed and checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

FORMAT = "png"
SPLITS = ("train", "val", "captions")
Range = tuple[int, int]


@dataclass(frozen=True)
class NarrativeSpec:
    """Parameters of a world with narratives. Ranges are closed, lengths in pixels.

    Attributes:
        format: ``FORMAT``.
        seed: Start of all random streams of this world.
        splits: Number of pictures by split; ``captions`` holds pictures whose captions are not
            grounded.
        side: Height and width of the pictures.
        stuff: Stuff regions of a picture.
        things: Things of a picture, twins not counted.
        radius: Half the size of a thing.
        twins_percent: Chance that a thing has one or two twins of the same shape and colour that
            touch it without a visible border.
        pattern_percent: Chance of stripes or dots, whose edges are no borders.
        blend: Width of the soft border between two stuff regions.
        noise: Largest sensor noise in grey levels.
        min_visible_area: Things with fewer visible pixels are left out.
        min_visible_percent: The same for the visible part of their area.
        wide_percent: Chance that a sentence of the splits ``val`` and ``captions`` is of the wide
            grammar, which ``train`` has not.
        crowd_percent, void_percent: As of COCO worlds; none here.
    """

    format: str
    seed: int
    splits: dict[str, int]
    side: int
    stuff: Range
    things: Range
    radius: Range
    twins_percent: int
    pattern_percent: int
    blend: Range
    noise: int
    min_visible_area: int
    min_visible_percent: int
    wide_percent: int
    crowd_percent: int = 0
    void_percent: int = 0


RANGES = {"stuff", "things", "radius", "blend"}


def parse_narrative_spec(
    name: str, raw: dict[str, Any], where: str | Path = "worlds.yaml"
) -> NarrativeSpec:
    """Check a world's mapping and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    known = [field.name for field in fields(NarrativeSpec)]
    for key in raw:
        if key not in known:
            fix = f"use one of: {', '.join(known)}"
            raise BadInput(where, f"{name}.{key}", "unknown field", fix)
    values: dict[str, Any] = {}
    for key in known[:-2]:
        path = f"{name}.{key}"
        if key not in raw:
            raise BadInput(where, path, "missing", "add it, see configs/mini/worlds.yaml")
        values[key] = field_value(where, path, key, raw[key])
    return NarrativeSpec(**values)


def field_value(
    where: str | Path, path: str, key: str, value: Any, splits: tuple[str, ...] = SPLITS
) -> Any:
    """Return one typed field of a world of this family.

    Raises:
        BadInput: Of the wrong type or out of range.
    """
    if key == "format":
        return FORMAT
    if key == "splits":
        if not isinstance(value, dict) or not value or not set(value) <= set(splits):
            fix = f"map any of {', '.join(splits)} to whole numbers"
            raise BadInput(where, path, repr(value), fix)
        return {split: _whole(where, f"{path}.{split}", n) for split, n in value.items()}
    if key in RANGES:
        return closed_range(where, path, value)
    return _whole(where, path, value, most=100 if key.endswith("_percent") else None)


def closed_range(where: str | Path, path: str, value: Any) -> Range:
    """Return a closed range of positive whole numbers.

    Raises:
        BadInput: It is none.
    """
    if not isinstance(value, list) or len(value) != 2:
        raise BadInput(where, path, repr(value), "give two whole numbers, [low, high]")
    low, high = (_whole(where, path, item, 1) for item in value)
    if low > high:
        raise BadInput(where, path, repr(value), "give the lower number first")
    return low, high


def _whole(
    where: str | Path, path: str, value: Any, least: int = 0, most: int | None = None
) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(where, path, repr(value), f"use a whole number of at least {least}")
    if most is not None and value > most:
        raise BadInput(where, path, repr(value), f"use a whole number of at most {most}")
    return value
