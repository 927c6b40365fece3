"""What a world of referring expressions or of videos is made of, typed and checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workbench.datasets.worlds.narrative_spec import (
    FORMAT,
    NarrativeSpec,
    Range,
    closed_range,
    field_value,
)
from workbench.errors import BadInput

EXPRESSION_SPLITS = {
    "refcoco": ("train", "val", "testA", "testB"),
    "refcoco_plus": ("train", "val", "testA", "testB"),
    "refcocog": ("train", "val", "test"),
    "reasonseg": ("train", "val", "test"),
}
VIDEO_SPLITS = {
    "ytvis": ("train", "valid"),
    "uvo": ("train", "val"),
    "vipseg": ("train", "val", "test"),
}
SCENE_FIELDS = tuple(
    field.name
    for field in fields(NarrativeSpec)
    if field.name not in ("format", "splits", "wide_percent", "crowd_percent", "void_percent")
)


@dataclass(frozen=True)
class ReferringSpec:
    """Parameters of a world of referring expressions.

    Attributes:
        format: A key of ``EXPRESSION_SPLITS``.
        splits: Number of pictures by split.
        scene: What a picture consists of, as in the world with narratives.
        targets: Things of a picture that are referred to; for ReasonSeg always one.
        expressions: Expressions of a target; ReasonSeg has as many in train only.
    """

    format: str
    splits: dict[str, int]
    scene: NarrativeSpec
    targets: Range
    expressions: Range


@dataclass(frozen=True)
class VideoSpec:
    """Parameters of a world of videos.

    Attributes:
        format: A key of ``VIDEO_SPLITS``.
        splits: Number of videos by split.
        scene: What a frame consists of, as in the world with narratives.
        frames: Frames of a video.
        speed: Pixels by which a thing moves from frame to frame.
    """

    format: str
    splits: dict[str, int]
    scene: NarrativeSpec
    frames: Range
    speed: Range


def parse_referring_spec(name: str, raw: dict[str, Any], where: str | Path) -> ReferringSpec:
    """Check the mapping of a world of referring expressions and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    splits, scene, ranges = _parsed(name, raw, where, ("targets", "expressions"))
    return ReferringSpec(raw["format"], splits, scene, *ranges)


def parse_video_spec(name: str, raw: dict[str, Any], where: str | Path) -> VideoSpec:
    """Check the mapping of a world of videos and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    splits, scene, ranges = _parsed(name, raw, where, ("frames", "speed"))
    return VideoSpec(raw["format"], splits, scene, *ranges)


def _parsed(
    name: str, raw: dict[str, Any], where: str | Path, ranges: tuple[str, ...]
) -> tuple[dict[str, int], NarrativeSpec, list[Range]]:
    """Return splits, scene and further ranges of a mapping."""
    known = ("format", "splits", *SCENE_FIELDS, *ranges)
    for key in raw:
        if key not in known:
            fix = f"use one of: {', '.join(known)}"
            raise BadInput(where, f"{name}.{key}", "unknown field", fix)
    for key in known:
        if key not in raw:
            fix = "add it, see configs/mini/worlds.yaml"
            raise BadInput(where, f"{name}.{key}", "missing", fix)
    allowed = {**EXPRESSION_SPLITS, **VIDEO_SPLITS}[raw["format"]]
    splits = field_value(where, f"{name}.splits", "splits", raw["splits"], allowed)
    values = {key: field_value(where, f"{name}.{key}", key, raw[key]) for key in SCENE_FIELDS}
    scene = NarrativeSpec(format=FORMAT, splits=splits, wide_percent=0, **values)
    return splits, scene, [closed_range(where, f"{name}.{key}", raw[key]) for key in ranges]
