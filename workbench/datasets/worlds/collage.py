"""Pictures of objects on a textured ground, the common part of the single-purpose worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.domains import PHOTO, hue_colour
from workbench.datasets.worlds.finish import finish
from workbench.datasets.worlds.fixed import Ints, Mask, draw, grid
from workbench.datasets.worlds.scene import Entity, Scene
from workbench.datasets.worlds.shapes import Box, Pose, compact_mask
from workbench.datasets.worlds.textures import TEXTURES, blend

HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
GROUNDS = ("cloudy", "grainy", "gradient", "planks", "waves", "bricks", "checks")


@dataclass(frozen=True)
class Surface:
    """A texture between two colours.

    Attributes:
        first, second: (3,) RGB.
        texture: Key of ``textures.TEXTURES``.
    """

    first: Ints
    second: Ints
    texture: str

    @property
    def colours(self) -> Ints:
        """(257, 3) colours by texture weight."""
        return blend(self.first, self.second)


@dataclass(frozen=True)
class Layer:
    """An object before it is painted.

    Attributes:
        name: Its class; "" for what is painted but no entity.
        mask, box: (h, w) bool within (top, left, bottom, right).
        image: (h, w, 3) colours of the box.
    """

    name: str
    mask: Mask
    box: Box
    image: Ints


def named_colour(hue: int, saturation: int = 200, value: int = 220) -> Ints:
    """Return the (3,) RGB of a hue of ``HUES``."""
    return hue_colour(hue * 1536 // len(HUES), saturation, value)


def paler(colour: Ints, by: int) -> Ints:
    """Return a colour with all channels ``by`` higher, or lower where it is light."""
    return np.clip(colour + (by if int(colour.sum()) < 384 else -by), 0, 255)


def random_ground(rng: np.random.Generator, saturation: int = 90) -> Surface:
    """Draw a surface for the background."""
    first = hue_colour(draw(rng, 0, 1535), draw(rng, 20, saturation), draw(rng, 90, 210))
    texture = GROUNDS[draw(rng, 0, len(GROUNDS) - 1)]
    return Surface(first, paler(first, draw(rng, 24, 70)), texture)


def paint(rng: np.random.Generator, surface: Surface, size: tuple[int, int]) -> Ints:
    """Return (H, W, 3) colours of a surface."""
    return surface.colours[TEXTURES[surface.texture](rng, *grid(0, 0, *size))]


def compact_layer(
    rng: np.random.Generator, name: str, shape: str, pose: Pose, surface: Surface,
    size: tuple[int, int],
) -> Layer:  # fmt: skip
    """Return a compact object with its surface, lit from the upper left."""
    mask, box = compact_mask(shape, pose, size)
    height, width = mask.shape
    image = paint(rng, surface, (max(height, 1), max(width, 1)))
    down = np.arange(max(height, 1), dtype=np.int32)[:, None, None] * 48 // max(height, 1)
    return Layer(name, mask, box, image * (276 - down) >> 8)


def compose(
    rng: np.random.Generator, ground: Ints, layers: Sequence[Layer], domain: str, noise: int,
    least: int = 24,
) -> Scene:  # fmt: skip
    """Paint layers bottom to top; those with under ``least`` visible pixels are left out.

    Args:
        rng: Stream of this picture.
        ground: (H, W, 3) colours of the background, label 0.
        layers: Objects.
        domain: Row of the contact sheet.
        noise: Largest sensor noise in grey levels.
        least: In pixels; a fifth of the object's area counts too.
    """
    size = (ground.shape[0], ground.shape[1])
    kept = [layer for layer in layers if layer.mask.size and layer.mask.any()]
    painted = _labels(kept, size)
    seen = np.bincount(painted.ravel(), minlength=len(kept) + 1)[1:].tolist()
    kept = [
        layer
        for layer, visible in zip(kept, seen, strict=True)
        if visible >= max(least, int(layer.mask.sum()) // 5)
    ]
    image = ground.copy()
    for layer in kept:
        top, left, bottom, right = layer.box
        image[top:bottom, left:right][layer.mask] = layer.image[layer.mask]
    numbers = np.cumsum([bool(layer.name) for layer in kept]).tolist()
    table = [0] + [n if layer.name else 0 for n, layer in zip(numbers, kept, strict=True)]
    labels = np.array(table, dtype=np.int32)[_labels(kept, size)]
    entities = tuple(Entity(layer.name, "large") for layer in kept if layer.name)
    picture = finish(rng, PHOTO, image, labels, [entity.kind for entity in entities], noise)
    return Scene(picture, labels, entities, domain)


def _labels(layers: Sequence[Layer], size: tuple[int, int]) -> NDArray[np.int32]:
    labels = np.zeros(size, dtype=np.int32)
    for number, layer in enumerate(layers, start=1):
        top, left, bottom, right = layer.box
        labels[top:bottom, left:right][layer.mask] = number
    return labels


def random_pose(
    rng: np.random.Generator, extent: tuple[int, int], size: tuple[int, int], spread: int = 100
) -> Pose:
    """Draw a pose with the centre in the middle ``spread`` percent of the picture."""
    side = draw(rng, *extent)
    margins = [max(length * (100 - spread) // 200, side // 3) for length in size]
    row, column = (
        draw(rng, min(margin, length // 2), max(length - 1 - margin, length // 2))
        for margin, length in zip(margins, size, strict=True)
    )
    aspect = draw(rng, 75, 133)
    half = max(side // 2, 4)
    return Pose(row, column, max(half * aspect // 100, 4), half, draw(rng, 0, 63))
