"""Scenes whose partition is not to be seen in the picture: what grounding from masks is for.

Borders between stuff are soft, twins touch without an edge, and patterns have edges that are no
borders; position tells nothing about what an entity is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.fixed import (
    COS,
    SIN,
    Ints,
    Mask,
    along,
    draw,
    grid,
    image_generator,
    smooth_noise,
)
from workbench.datasets.worlds.narrative_spec import NarrativeSpec
from workbench.datasets.worlds.scene import Entity, Scene
from workbench.datasets.worlds.shapes import Pose, compact_mask

SHAPES = ("disc", "square", "triangle", "star", "cross", "ring")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (40, 160, 60),
    "blue": (50, 80, 224),
    "yellow": (232, 212, 50),
    "purple": (150, 60, 190),
    "orange": (240, 140, 40),
    "cyan": (90, 210, 222),
    "white": (242, 242, 242),
}
GROUNDS: dict[str, tuple[int, int, int]] = {
    "grass": (72, 122, 60),
    "sand": (192, 168, 118),
    "water": (40, 88, 132),
    "sky": (150, 172, 204),
    "wall": (134, 120, 112),
    "soil": (108, 78, 58),
    "road": (80, 80, 92),
    "snow": (206, 212, 222),
}
PATTERNS = ("plain", "striped", "dotted")
GAP = 22  # least width of a stuff region across its borders
ATTEMPTS = 20


@dataclass(frozen=True)
class Look:
    """How an entity looks: a thing's shape, colour and pattern, or the kind of stuff alone."""

    name: str
    colour: str | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class GroundingScene:
    """A scene and the looks of its entities, in the order of the scene's."""

    scene: Scene
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Thing:
    """A thing before it is painted: its look, centre and radius in pixels, direction out of 64."""

    look: Look
    row: int
    column: int
    radius: int
    direction: int


def make_grounding_scene(spec: NarrativeSpec, split: int, index: int) -> GroundingScene:
    """Make scene ``index`` of a split; depends on the seed and these two numbers alone."""
    rng = image_generator(spec.seed, split, index)
    size = (spec.side, spec.side)
    names, borders = draw_stuff(rng, spec)
    labels, image = paint_stuff(rng, spec, names, borders)
    things = draw_things(rng, spec)
    masks = [thing_mask(thing, size) for thing in things]
    keep = _visible(masks, spec)
    looks = [Look(name) for name in names]
    for thing, mask, kept in zip(things, masks, keep, strict=True):
        if kept:
            looks.append(thing.look)
            labels[mask] = len(looks)
            image[mask] = surface(thing, size)[mask]
    labels, looks = _renumbered(labels, looks)
    level = rng.integers(-spec.noise, spec.noise + 1, image.shape)
    picture = np.clip(image + level, 0, 255).astype(np.uint8)
    entities = tuple(
        Entity(look.name, "stuff" if look.colour is None else "large") for look in looks
    )
    return GroundingScene(Scene(picture, labels, entities, "grounding"), tuple(looks))


def draw_stuff(rng: np.random.Generator, spec: NarrativeSpec) -> tuple[list[str], list[int]]:
    """Draw kinds of stuff and the places of the borders between them, along one direction."""
    count = draw(rng, *spec.stuff)
    order = rng.permutation(len(GROUNDS))[:count]
    names = [list(GROUNDS)[int(at)] for at in order]
    reach = spec.side * 3 // 10
    for _ in range(ATTEMPTS):
        borders = sorted(draw(rng, -reach, reach) for _ in range(count - 1))
        if all(after - before >= GAP for before, after in zip(borders, borders[1:], strict=False)):
            return names, borders
    return names[: 1 + min(count - 1, 1)], borders[:1]


def paint_stuff(
    rng: np.random.Generator, spec: NarrativeSpec, names: list[str], borders: list[int]
) -> tuple[NDArray[np.int32], Ints]:
    """Return (H, W) labels from 1 and the (H, W, 3) colours, blended across the borders."""
    half = spec.side // 2
    rows, columns = grid(-half, -half, spec.side, spec.side)
    across = along(rows, columns, draw(rng, 0, 63))
    labels = np.ones((spec.side, spec.side), np.int32)
    image = np.zeros((spec.side, spec.side, 3), np.int32) + np.array(GROUNDS[names[0]], np.int32)
    for number, (name, border) in enumerate(zip(names[1:], borders, strict=True), start=2):
        width = draw(rng, *spec.blend)
        weight = np.clip((across - border) * 256 // width + 128, 0, 256)[..., None]
        image = image + ((np.array(GROUNDS[name], np.int32) - image) * weight >> 8)
        labels[across > border] = number
    grain = smooth_noise(rng, spec.side, spec.side, 6) - 128
    return labels, image + (grain * 24 >> 8)[..., None]


def draw_things(rng: np.random.Generator, spec: NarrativeSpec) -> list[Thing]:
    """Draw things and their twins, in painting order."""
    things: list[Thing] = []
    for _ in range(draw(rng, *spec.things)):
        pattern = "plain"
        if draw(rng, 1, 100) <= spec.pattern_percent:
            pattern = PATTERNS[draw(rng, 1, 2)]
        look = Look(SHAPES[draw(rng, 0, 5)], list(COLOURS)[draw(rng, 0, 7)], pattern)
        radius = draw(rng, *spec.radius)
        place = draw(rng, radius, spec.side - radius), draw(rng, radius, spec.side - radius)
        things.append(Thing(look, *place, radius, draw(rng, 0, 63)))
        if draw(rng, 1, 100) <= spec.twins_percent:
            things += _twins(rng, spec, things[-1])
    return things


def _twins(rng: np.random.Generator, spec: NarrativeSpec, thing: Thing) -> list[Thing]:
    """Draw one or two twins that touch a thing; those that would leave the picture are not."""
    found = []
    for _ in range(draw(rng, 1, 2)):
        direction, distance = draw(rng, 0, 63), thing.radius * draw(rng, 140, 165) // 100
        row = thing.row + (SIN[direction] * distance >> 10)
        column = thing.column + (COS[direction] * distance >> 10)
        inside = range(thing.radius * 2 // 3, spec.side - thing.radius * 2 // 3)
        if row in inside and column in inside:
            radius = thing.radius * draw(rng, 85, 110) // 100
            found.append(Thing(thing.look, row, column, radius, draw(rng, 0, 63)))
    return found


def thing_mask(thing: Thing, size: tuple[int, int]) -> Mask:
    """Return the (H, W) mask of all of a thing that lies in the picture."""
    pose = Pose(thing.row, thing.column, thing.radius, thing.radius, thing.direction)
    part, (top, left, bottom, right) = compact_mask(thing.look.name, pose, size)
    mask = np.zeros(size, dtype=bool)
    mask[top:bottom, left:right] = part
    return mask


def _visible(masks: list[Mask], spec: NarrativeSpec) -> list[bool]:
    """Tell which things are seen well enough; leaving one out only uncovers others."""
    keep = []
    for at, mask in enumerate(masks):
        above = np.zeros(mask.shape, dtype=bool)
        for other in masks[at + 1 :]:
            above |= other
        seen, whole = int((mask & ~above).sum()), int(mask.sum())
        enough = seen * 100 >= whole * spec.min_visible_percent
        keep.append(seen >= spec.min_visible_area and enough)
    return keep


def surface(thing: Thing, size: tuple[int, int], origin: tuple[int, int] = (0, 0)) -> Ints:
    """Return (H, W, 3) colours of a thing's surface; twins of a plain look are one flat colour.

    The pattern starts at ``origin`` (row, column).
    """
    colour = np.array(COLOURS[thing.look.colour or "white"], np.int32)
    canvas = np.zeros((*size, 3), np.int32) + colour
    rows, columns = grid(-origin[0], -origin[1], *size)
    if thing.look.pattern == "striped":
        marked = along(rows, columns, 7) % 8 < 4
    elif thing.look.pattern == "dotted":
        down, across = rows % 8 - 4, columns % 8 - 4
        marked = down * down + across * across <= 6
    else:
        return canvas
    canvas[marked] = colour * 140 >> 8
    return canvas


def _renumbered(
    labels: NDArray[np.int32], looks: list[Look]
) -> tuple[NDArray[np.int32], list[Look]]:
    """Leave out entities that have no pixel and number the others from 1."""
    seen = [number for number in range(1, len(looks) + 1) if (labels == number).any()]
    table = np.zeros(len(looks) + 1, np.int32)
    table[seen] = np.arange(1, len(seen) + 1)
    return table[labels], [looks[number - 1] for number in seen]
