"""FSS-1000's small world: classes of ten pictures, one object a picture, among unnamed others."""

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
from workbench.datasets.worlds.encode import write_jpeg
from workbench.datasets.worlds.fixed import draw, image_generator
from workbench.datasets.worlds.png import write_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec
from workbench.datasets.worlds.shapes import SHAPES
from workbench.files import write_text

Record = dict[str, Any]
PICTURES = 10
TEXTURES = ("flat", "stripes", "dots", "checks", "gradient")
LIST = "fss_test_set.txt"


def write_fewshot(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write FSS-1000's folders and test list; return the manifest's entries.

    The last classes are the test split, so that it is a part of all.
    """
    count = max(spec.splits.values())
    entries: dict[str, Record] = {}
    names = [_look(at)[0] for at in range(count)]
    for at, name in enumerate(names):
        for index in range(PICTURES):
            scene = _scene(image_generator(spec.seed, at, index), spec, at)
            if index < 2:
                sheet.add(scene)
            stem = root / "fewshot_data" / name / str(index + 1)
            write_jpeg(stem.with_suffix(".jpg"), scene.image)
            mask = ((scene.labels > 0) * 255).astype(np.uint8)
            write_png(stem.with_suffix(".png"), np.repeat(mask[..., None], 3, axis=-1))
    if "test" in spec.splits:
        write_text(root / LIST, "".join(f"{name}\n" for name in names[-spec.splits["test"] :]))
        entries["test"] = {"annotations": LIST, "images": "fewshot_data"}
    if "all" in spec.splits:
        entries["all"] = {"annotations": None, "images": "fewshot_data"}
    return entries


def _look(at: int) -> tuple[str, str, int, str]:
    """Return name, shape, hue and texture of a class; no two of the first thousand are alike."""
    shapes = sorted(SHAPES)
    shape = shapes[at % len(shapes)]
    hue = (at // len(shapes) + 3 * at) % len(HUES)
    texture = TEXTURES[at // len(shapes) // len(HUES) % len(TEXTURES)]
    texture = TEXTURES[(TEXTURES.index(texture) + at) % len(TEXTURES)]
    return f"{texture}_{HUES[hue]}_{shape}".replace("-", "_"), shape, hue, texture


def _scene(rng: np.random.Generator, spec: SetSpec, at: int) -> Scene:
    name, shape, hue, texture = _look(at)
    layers = [_other(rng, spec) for _ in range(draw(rng, *spec.objects))]
    first = named_colour(hue, draw(rng, 150, 220), draw(rng, 150, 235))
    surface = Surface(first, paler(first, draw(rng, 70, 110)), texture)
    pose = random_pose(rng, spec.extent, spec.size, spread=40)
    layers.append(compact_layer(rng, name, shape, pose, surface, spec.size))
    return compose(rng, paint(rng, random_ground(rng), spec.size), layers, "fewshot", spec.noise)


def _other(rng: np.random.Generator, spec: SetSpec) -> Layer:
    """Draw a smaller object that no mask marks."""
    shapes = sorted(SHAPES)
    shape, hue = shapes[draw(rng, 0, len(shapes) - 1)], draw(rng, 0, len(HUES) - 1)
    first = named_colour(hue, draw(rng, 60, 140), draw(rng, 90, 200))
    surface = Surface(first, paler(first, 30), "grainy")
    small = (spec.extent[0] // 3, spec.extent[1] // 3)
    return compact_layer(rng, "", shape, random_pose(rng, small, spec.size), surface, spec.size)
