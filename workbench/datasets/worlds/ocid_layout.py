"""OCID's small world: objects piled up on a table or the floor, one more in each frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.worlds.collage import (
    HUES,
    Layer,
    Surface,
    compact_layer,
    compose,
    named_colour,
    paint,
    paler,
    random_ground,
    random_pose,
)
from workbench.datasets.worlds.contact_sheet import ContactSheet
from workbench.datasets.worlds.fixed import Ints, draw, image_generator
from workbench.datasets.worlds.png import write_gray_png, write_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec

Record = dict[str, Any]
FRAMES = 6
PLACES = (
    "ARID10/floor/left/box",
    "ARID20/table/bottom",
    "YCB10/table/top/mixed",
    "ARID10/table/right/curved",
    "YCB10/floor/bottom/cuboid",
)
# Household things are boxes, tins, bottles and fruit: shapes that hide each other.
SHAPES = ("square", "bar", "pill", "disc", "hexagon", "half-disc", "pentagon")
BACKGROUND, TABLE = 1, 2


def write_ocid(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write OCID's files; return the manifest's entry of its only split."""
    for index in range(spec.splits["test"]):
        sequence, frame = divmod(index, FRAMES)
        place = PLACES[sequence % len(PLACES)]
        scene = _frame(spec, place, sequence, frame)
        sheet.add(scene)
        folder = root / "OCID-dataset" / place / f"seq{sequence // len(PLACES) + 1:02d}"
        name = f"result_2018-08-{20 + sequence % 9:02d}-12-{frame:02d}-{index % 60:02d}.png"
        write_png(folder / "rgb" / name, scene.image)
        write_gray_png(folder / "label" / name, _ids(scene, place))
        depth = 900 - 40 * scene.labels + np.arange(spec.size[0], 0, -1)[:, None]
        write_gray_png(folder / "depth" / name, np.maximum(depth, 1).astype(np.uint16))
    return {"test": {"images": "OCID-dataset"}}


def _ids(scene: Scene, place: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the label PNG's ids: background 1, a table 2, then the objects."""
    first = TABLE if "table" in place else BACKGROUND
    named = [BACKGROUND]
    for entity in scene.entities:
        if entity.name == "table":
            named.append(TABLE)
        else:
            first += 1
            named.append(first)
    ids: np.ndarray[Any, np.dtype[np.uint8]] = np.array(named, np.uint8)[scene.labels]
    return ids


def _frame(spec: SetSpec, place: str, sequence: int, frame: int) -> Scene:
    """Show the first objects of a sequence; ground and objects are the same in all its frames."""
    rng = image_generator(spec.seed, 0, sequence)
    ground = paint(rng, random_ground(rng), spec.size)
    layers = [_table(rng, spec)] if "table" in place else []
    count = draw(rng, *spec.objects)
    objects = [_object(rng, spec) for _ in range(count)]
    shown = max(count * (frame + 1) // FRAMES, 1)
    camera = image_generator(spec.seed, 1, sequence * FRAMES + frame)
    domain = "table" if layers else "floor"
    return compose(camera, ground, layers + objects[:shown], domain, spec.noise)


def _table(rng: np.random.Generator, spec: SetSpec) -> Layer:
    top = spec.size[0] * draw(rng, 12, 25) // 100
    image = paint(rng, random_ground(rng, saturation=50), (spec.size[0] - top, spec.size[1]))
    mask = np.ones(image.shape[:2], dtype=bool)
    return Layer("table", mask, (top, 0, *spec.size), image)


def _object(rng: np.random.Generator, spec: SetSpec) -> Layer:
    """Draw an object close to the middle, where the others are."""
    hue, shape = draw(rng, 0, len(HUES) - 1), SHAPES[draw(rng, 0, len(SHAPES) - 1)]
    first: Ints = named_colour(hue, draw(rng, 30, 210), draw(rng, 80, 240))
    texture = ("flat", "gradient", "stripes", "checks", "grainy")[draw(rng, 0, 4)]
    surface = Surface(first, paler(first, draw(rng, 20, 120)), texture)
    pose = random_pose(rng, spec.extent, spec.size, spread=55)
    return compact_layer(rng, f"{HUES[hue]} {shape}", shape, pose, surface, spec.size)
