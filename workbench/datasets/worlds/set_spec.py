"""What the worlds of single-purpose data sets are made of: entries of ``worlds.yaml``, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

Range = tuple[int, int]

#: Splits that a world of each format may have.
SET_SPLITS: Mapping[str, tuple[str, ...]] = {
    "lvis": ("train", "val"),
    "ocid": ("test",),
    "camo_pp": ("test",),
    "fss1000": ("test", "all"),
    "dis5k": ("DIS-TR", "DIS-VD", "DIS-TE1", "DIS-TE2", "DIS-TE3", "DIS-TE4"),
    "sginw": ("train", "train_10shot", "valid"),
}


@dataclass(frozen=True)
class SetSpec:
    """Parameters of such a world. Ranges are closed, lengths in pixels.

    Attributes:
        format: A key of ``SET_SPLITS``.
        seed: Start of all random streams of this world.
        splits: Number of pictures by split; of FSS-1000 the classes, with ten pictures each, of
            SGinW the pictures of each of its sets.
        size: (height, width) of the pictures.
        objects: Objects of a picture before hidden ones are dropped; of DIS5K the strokes that its
            one object is made of.
        extent: Full side of an object.
        noise: Largest sensor noise in grey levels.
        shade: Of CAMO++ alone: by how many grey levels an object is lighter or darker than what is
            around it.
    """

    format: str
    seed: int
    splits: dict[str, int]
    size: Range
    objects: Range
    extent: Range
    noise: int
    shade: Range = (0, 0)


def parse_set_spec(name: str, raw: dict[str, Any], where: str | Path = "worlds.yaml") -> SetSpec:
    """Check a world's mapping and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    known = [field.name for field in fields(SetSpec)]
    if raw["format"] != "camo_pp":
        known.remove("shade")
    for key in raw:
        if key not in known:
            fix = f"use one of: {', '.join(known)}"
            raise BadInput(where, f"{name}.{key}", "unknown field", fix)
    for key in known:
        if key not in raw:
            raise BadInput(
                where, f"{name}.{key}", "missing", "add it, see configs/mini/worlds.yaml"
            )
    splits, path = raw["splits"], f"{name}.splits"
    allowed = SET_SPLITS[raw["format"]]
    if not isinstance(splits, dict) or not splits or not set(splits) <= set(allowed):
        fix = f"map any of {', '.join(allowed)} to whole numbers"
        raise BadInput(where, path, repr(splits), fix)
    return SetSpec(
        format=raw["format"],
        seed=_whole(where, f"{name}.seed", raw["seed"]),
        splits={split: _whole(where, f"{path}.{split}", n) for split, n in splits.items()},
        size=_pair(where, f"{name}.size", raw["size"], least=64, ordered=False),
        objects=_pair(where, f"{name}.objects", raw["objects"], least=1),
        extent=_pair(where, f"{name}.extent", raw["extent"], least=8),
        noise=_whole(where, f"{name}.noise", raw["noise"], least=1, most=127),
        shade=_pair(where, f"{name}.shade", raw.get("shade", [0, 0]), least=0),
    )


def _pair(where: str | Path, path: str, value: Any, least: int, ordered: bool = True) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise BadInput(where, path, repr(value), "give two whole numbers")
    low, high = (_whole(where, path, item, least) for item in value)
    if ordered and low > high:
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
