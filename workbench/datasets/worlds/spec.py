"""What a world is made of: the typed and checked form of ``configs/<scale>/worlds.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from workbench.datasets.worlds.domains import DOMAINS
from workbench.errors import BadInput, MissingInput

FORMATS = ("entityseg", "coco", "entityseg_classes", "entityseg_annotators", "ade20k")
Range = tuple[int, int]


@dataclass(frozen=True)
class Counts:
    """How many entities of one kind a scene gets and how large they are (closed ranges, pixels).

    Attributes:
        count: Entities of this kind in a scene, before occluded ones are dropped.
        size: Full side of a compact entity, or length of a thin one.
        width: Width of a thin entity; unused for compact ones.
    """

    count: Range
    size: Range
    width: Range = (2, 4)


@dataclass(frozen=True)
class WorldSpec:
    """Parameters of one generated world.

    Attributes:
        format: On-disk layout, one of ``FORMATS``.
        seed: Start of all random streams of this world.
        splits: Number of images by split name.
        sizes: (height, width) of the images; each image draws one.
        lr: Short side and largest long side of the ``_lr`` copies; None for none.
        domains: Chance of each visual domain, as integer weights.
        stuff: Number of stuff regions of a scene.
        large, medium, small, thin: The kinds of entities, painted in about this order.
        min_visible_area: Entities with fewer visible pixels are left out of the scene.
        min_visible_percent: The same for the visible part of their area.
        contrast: Least sum of channel differences between an entity and what lies below it.
        noise: Largest sensor noise of photographs and aerial pictures, in grey levels.
        accent_percent: Chance that a compact entity carries an inner mark of another colour.
        shadow_percent: Chance that an entity of a photograph casts a shadow.
        crowd_percent: Chance that a COCO scene gets one crowd segment.
        void_percent: Chance that a COCO scene gets one unlabelled patch.
    """

    format: str
    seed: int
    splits: dict[str, int]
    sizes: tuple[Range, ...]
    lr: Range | None
    domains: dict[str, int]
    stuff: Range
    large: Counts
    medium: Counts
    small: Counts
    thin: Counts
    min_visible_area: int
    min_visible_percent: int
    contrast: int
    noise: int
    accent_percent: int
    shadow_percent: int
    crowd_percent: int = 0
    void_percent: int = 0


KINDS = ("large", "medium", "small", "thin")


def parse_spec(name: str, raw: dict[str, Any], where: str | Path = "worlds.yaml") -> WorldSpec:
    """Check a world's mapping and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    if not isinstance(raw, dict):
        raise BadInput(where, name, f"{raw!r} is not a mapping", "see configs/mini/worlds.yaml")
    known = {field.name for field in fields(WorldSpec)}
    for key in raw:
        if key not in known:
            fix = f"use one of: {', '.join(sorted(known))}"
            raise BadInput(where, f"{name}.{key}", "unknown field", fix)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        values[key] = _field(where, f"{name}.{key}", key, value)
    missing = sorted(known - set(values) - {"crowd_percent", "void_percent"})
    if missing:
        raise BadInput(
            where, f"{name}.{missing[0]}", "missing", "add it, see configs/mini/worlds.yaml"
        )
    return WorldSpec(**values)


def _field(where: str | Path, path: str, key: str, value: Any) -> Any:
    """Return one typed field of a world."""
    if key == "format":
        if value not in FORMATS:
            raise BadInput(where, path, repr(value), f"use one of: {', '.join(FORMATS)}")
        return value
    if key in KINDS:
        return _counts(where, path, value)
    if key == "sizes":
        if not isinstance(value, list) or not value:
            raise BadInput(where, path, repr(value), "give a list of [height, width]")
        return tuple(_pair(where, path, item, least=64, ordered=False) for item in value)
    if key == "lr":
        return None if value is None else _pair(where, path, value, least=16)
    if key == "stuff":
        return _pair(where, path, value, least=1)
    if key in ("splits", "domains"):
        return _mapping(where, path, key, value)
    most = 127 if key == "noise" else 100 if key.endswith("_percent") else None
    return _integer(where, path, value, most=most)


def _integer(
    where: str | Path, path: str, value: Any, least: int = 0, most: int | None = None
) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(where, path, repr(value), f"use a whole number of at least {least}")
    if most is not None and value > most:
        raise BadInput(where, path, repr(value), f"use a whole number of at most {most}")
    return value


def _pair(where: str | Path, path: str, value: Any, least: int = 0, ordered: bool = True) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise BadInput(where, path, repr(value), "give two whole numbers, [low, high]")
    low, high = (_integer(where, path, item, least) for item in value)
    if ordered and low > high:
        raise BadInput(where, path, repr(value), "give the lower number first")
    return low, high


def _counts(where: str | Path, path: str, value: Any) -> Counts:
    if not isinstance(value, dict) or not {"count", "size"} <= set(value) <= {
        "count",
        "size",
        "width",
    }:
        raise BadInput(where, path, repr(value), "give count, size and, for thin, width")
    count = _pair(where, f"{path}.count", value["count"])
    size = _pair(where, f"{path}.size", value["size"], least=4)
    width = _pair(where, f"{path}.width", value.get("width", [2, 4]), least=1)
    return Counts(count, size, width)


def _mapping(where: str | Path, path: str, key: str, value: Any) -> dict[str, int]:
    allowed = tuple(DOMAINS) if key == "domains" else ("train", "val")
    if not isinstance(value, dict) or not value or not set(value) <= set(allowed):
        raise BadInput(
            where, path, repr(value), f"map any of {', '.join(allowed)} to whole numbers"
        )
    found = {k: _integer(where, f"{path}.{k}", v) for k, v in value.items()}
    if key == "domains" and sum(found.values()) == 0:
        raise BadInput(where, path, repr(value), "give at least one domain a positive weight")
    return found


def load_specs(path: Path) -> dict[str, dict[str, Any]]:
    """Read a ``worlds.yaml``: world name to its raw mapping.

    Raises:
        MissingInput: No such file.
        BadInput: Not YAML or not a mapping.
    """
    if not path.is_file():
        raise MissingInput(path, "use a scale that has generated worlds: mini or smoke")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(path, "YAML", str(error).replace("\n", " "), "correct the syntax") from error
    if not isinstance(raw, dict) or not raw:
        raise BadInput(
            path, "top level", "not a mapping of worlds", "restore it from the repository"
        )
    return raw
