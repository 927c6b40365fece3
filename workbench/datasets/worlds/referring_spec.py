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
# Fields of the scene that have no meaning here, and what they are then. In a video a thing that is
# hardly seen in one frame is seen in another.
UNUSED = {"wide_percent": 0, "crowd_percent": 0, "void_percent": 0}
UNUSED_IN_VIDEOS = {**UNUSED, "min_visible_area": 0, "min_visible_percent": 0}


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
    ranges = ("targets", "expressions")
    scene, found = _parsed(name, raw, where, ranges, UNUSED)
    return ReferringSpec(raw["format"], scene.splits, scene, *found)


def parse_video_spec(name: str, raw: dict[str, Any], where: str | Path) -> VideoSpec:
    """Check the mapping of a world of videos and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    scene, found = _parsed(name, raw, where, ("frames", "speed"), UNUSED_IN_VIDEOS)
    return VideoSpec(raw["format"], scene.splits, scene, *found)


def _parsed(
    name: str,
    raw: dict[str, Any],
    where: str | Path,
    ranges: tuple[str, ...],
    unused: dict[str, int],
) -> tuple[NarrativeSpec, list[Range]]:
    """Return the scene and further ranges of a mapping."""
    of_scene = [field.name for field in fields(NarrativeSpec) if field.name not in unused]
    known = [*of_scene, *ranges]
    for key in raw:
        if key not in known:
            fix = f"use one of: {', '.join(known)}"
            raise BadInput(where, f"{name}.{key}", "unknown field", fix)
    for key in known:
        if key not in raw:
            fix = "add it, see configs/mini/worlds.yaml"
            raise BadInput(where, f"{name}.{key}", "missing", fix)
    splits = {**EXPRESSION_SPLITS, **VIDEO_SPLITS}[raw["format"]]
    values = {key: field_value(where, f"{name}.{key}", key, raw[key], splits) for key in of_scene}
    found = [closed_range(where, f"{name}.{key}", raw[key]) for key in ranges]
    return NarrativeSpec(**{**values, **unused, "format": FORMAT}), found
