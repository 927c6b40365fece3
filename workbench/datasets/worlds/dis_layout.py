"""DIS5K's small world: one object of thin parts and holes, at high resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.worlds.collage import (
    HUES,
    Layer,
    Surface,
    compose,
    named_colour,
    paint,
    random_ground,
)
from workbench.datasets.worlds.contact_sheet import ContactSheet
from workbench.datasets.worlds.curves import thin_mask
from workbench.datasets.worlds.encode import write_jpeg
from workbench.datasets.worlds.fixed import Ints, Mask, draw, image_generator
from workbench.datasets.worlds.png import write_gray_png
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.set_spec import SetSpec
from workbench.datasets.worlds.strokes import STROKES, Stroke

Record = dict[str, Any]
# (number, name of the group and of the class), as the parts of DIS5K's file names.
KINDS = {
    "wheel": ("18", "Non-motor Vehicle", "2", "BicycleWheel"),
    "fence": ("2", "Architecture", "8", "Fence"),
    "tree": ("16", "Nature", "3", "Tree"),
    "ladder": ("20", "Tool", "5", "Ladder"),
    "web": ("11", "Furniture", "19", "Hammock"),
}
CONTRAST = 210  # sum of channel differences to the ground
# How much finer than usual a split is, percent: DIS-TE1 to DIS-TE4 are ordered by complexity.
FINER = {"DIS-TE1": 70, "DIS-TE2": 100, "DIS-TE3": 140, "DIS-TE4": 200}


def write_dis(root: Path, spec: SetSpec, sheet: ContactSheet) -> dict[str, Record]:
    """Write DIS5K's folders of pictures and masks; return the manifest's entries."""
    entries = {}
    for number, (split, count) in enumerate(spec.splits.items()):
        for index in range(count):
            kind = list(KINDS)[index % len(KINDS)]
            rng = image_generator(spec.seed, number, index)
            scene = _scene(rng, spec, split, kind)
            sheet.add(scene)
            stem = f"{'#'.join(KINDS[kind])}#{2_292_738_107 + 101 * index + number}_s_o"
            write_jpeg(root / split / "im" / f"{stem}.jpg", scene.image)
            mask = ((scene.labels > 0) * 255).astype(np.uint8)
            write_gray_png(root / split / "gt" / f"{stem}.png", mask)
        entries[split] = {"annotations": None, "images": f"{split}/im", "masks": f"{split}/gt"}
    return entries


def _scene(rng: np.random.Generator, spec: SetSpec, split: str, kind: str) -> Scene:
    fine = FINER.get(split, 100)
    count = max(draw(rng, *spec.objects) * fine // 100, 3)
    extent = draw(rng, *spec.extent)
    strokes = STROKES[kind](rng, spec.size, extent, count)
    width = max(extent * draw(rng, 8, 16) // (10 * max(fine, 60)), 2)
    mask = _drawn(strokes, spec.size, width)
    surface = random_ground(rng)
    colour = np.zeros((*spec.size, 3), np.int32) + _standing_out(rng, surface)
    layer = Layer(kind, mask, (0, 0, *spec.size), colour)
    return compose(rng, paint(rng, surface, spec.size), [layer], split, spec.noise)


def _standing_out(rng: np.random.Generator, ground: Surface) -> Ints:
    """Draw the colour of an object that is hard for its parts, not for its contrast."""
    best, furthest = ground.first, -1
    for _ in range(12):
        hue = draw(rng, 0, len(HUES) - 1)
        colour = named_colour(hue, draw(rng, 20, 160), draw(rng, 20, 250))
        distance = min(int(abs(colour - side).sum()) for side in (ground.first, ground.second))
        if distance > furthest:
            best, furthest = colour, distance
        if distance >= CONTRAST:
            break
    return best


def _drawn(strokes: list[Stroke], size: tuple[int, int], width: int) -> Mask:
    mask = np.zeros(size, dtype=bool)
    for points, weight in strokes:
        part, (top, left, bottom, right) = thin_mask(points, max(width * weight // 4, 2), size, 1)
        if part.size:
            mask[top:bottom, left:right] |= part
    return mask
