"""The visual domains of a world: photographs, cartoons, aerial pictures and game scenes.

A domain is data: its colours, its vocabularies and how a picture of it is finished.

Source: paper 3.1 (EntitySeg spans such domains).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.datasets.worlds.fixed import Ints, draw


@dataclass(frozen=True)
class Domain:
    """Look of one visual domain.

    Attributes:
        saturation, value: Closed ranges (0-255) of the colours of its entities.
        shapes: Chance of each compact shape, as integer weights.
        small_shapes: The same for small entities, whose outline must survive few pixels.
        thin_shapes: The same for thin entities.
        surfaces, grounds: Chance of each texture on entities and on stuff.
        layout: How stuff divides the picture, a key of ``layouts.LAYOUTS``.
        stuff: (name, RGB) of the stuff that occurs, in the order of the layout's regions.
        block: Side of the blocks that outlines snap to, in pixels.
        upright: Entities stand upright instead of turning freely.
        contrast: Largest distance of the two colours of a texture, 0-255.
    """

    name: str
    saturation: tuple[int, int]
    value: tuple[int, int]
    shapes: dict[str, int]
    small_shapes: dict[str, int]
    thin_shapes: dict[str, int]
    surfaces: dict[str, int]
    grounds: dict[str, int]
    layout: str
    stuff: tuple[tuple[str, tuple[int, int, int]], ...]
    block: int
    upright: bool
    contrast: int


_PLAIN = {"disc": 3, "square": 2, "diamond": 2, "triangle": 2, "bar": 2, "pill": 1}

PHOTO = Domain(
    name="photo",
    saturation=(40, 190),
    value=(40, 235),
    shapes={
        "disc": 3,
        "square": 3,
        "bar": 3,
        "pill": 3,
        "triangle": 2,
        "ring": 2,
        "frame": 1,
        "crescent": 1,
        "hexagon": 2,
        "pentagon": 1,
        "balloon": 2,
        "tree": 2,
        "car": 2,
        "fish": 1,
    },
    small_shapes=_PLAIN,
    thin_shapes={"pole": 4, "rod": 3, "wire": 4, "arc": 2, "fork": 2},
    surfaces={"cloudy": 4, "grainy": 4, "gradient": 4, "stripes": 2, "checks": 1, "planks": 1},
    grounds={"cloudy": 4, "grainy": 5, "gradient": 3, "planks": 1, "waves": 1},
    layout="horizon",
    stuff=(
        ("sky", (168, 190, 214)),
        ("hill", (104, 118, 88)),
        ("grass", (112, 136, 74)),
        ("ground", (146, 126, 100)),
        ("water", (92, 122, 142)),
        ("wall", (176, 164, 148)),
    ),
    block=1,
    upright=False,
    contrast=90,
)

CARTOON = Domain(
    name="cartoon",
    saturation=(110, 235),
    value=(150, 255),
    shapes={
        "disc": 2,
        "heart": 3,
        "star": 3,
        "crescent": 2,
        "balloon": 3,
        "house": 3,
        "tree": 3,
        "fish": 3,
        "car": 3,
        "boat": 3,
        "rocket": 2,
        "mushroom": 3,
        "arrow": 1,
        "bolt": 2,
    },
    small_shapes={"disc": 3, "heart": 2, "star": 2, "diamond": 2, "triangle": 2},
    thin_shapes={"wire": 4, "arc": 3, "zigzag": 3, "rod": 2, "fork": 1},
    surfaces={"flat": 8, "stripes": 3, "dots": 3, "checks": 1},
    grounds={"flat": 7, "stripes": 1, "dots": 2, "gradient": 2},
    layout="hills",
    stuff=(
        ("sky", (150, 214, 250)),
        ("hill", (140, 206, 130)),
        ("grass", (90, 180, 90)),
        ("sand", (246, 222, 150)),
        ("water", (90, 160, 230)),
        ("snow", (236, 240, 248)),
    ),
    block=1,
    upright=True,
    contrast=110,
)

AERIAL = Domain(
    name="aerial",
    saturation=(10, 120),
    value=(60, 235),
    shapes={"square": 4, "bar": 5, "frame": 2, "disc": 3, "cross": 2, "ring": 1, "hexagon": 1},
    small_shapes={"bar": 5, "square": 3, "disc": 3, "pill": 3},
    thin_shapes={"rod": 5, "wire": 3, "zigzag": 1, "fork": 2, "arc": 1},
    surfaces={"flat": 3, "stripes": 3, "planks": 3, "grainy": 3, "gradient": 2},
    grounds={"grainy": 5, "stripes": 4, "cloudy": 3, "waves": 2},
    layout="fields",
    stuff=(
        ("field", (132, 142, 78)),
        ("meadow", (92, 124, 72)),
        ("soil", (150, 120, 88)),
        ("forest", (56, 84, 52)),
        ("water", (64, 92, 112)),
        ("road", (122, 122, 124)),
    ),
    block=1,
    upright=False,
    contrast=70,
)

GAME = Domain(
    name="game",
    saturation=(140, 255),
    value=(90, 255),
    shapes={
        "square": 3,
        "frame": 2,
        "cross": 3,
        "diamond": 3,
        "heart": 2,
        "mushroom": 3,
        "star": 2,
        "house": 3,
        "arrow": 2,
        "spark": 2,
        "disc": 2,
        "rocket": 2,
        "bolt": 1,
    },
    small_shapes={"square": 3, "diamond": 2, "cross": 2, "disc": 2},
    thin_shapes={"pole": 4, "zigzag": 3, "rod": 2, "fork": 2},
    surfaces={"flat": 4, "checks": 4, "bricks": 3, "stripes": 2, "dots": 2},
    grounds={"flat": 2, "bricks": 4, "checks": 3, "planks": 2, "dots": 1},
    layout="tiles",
    stuff=(
        ("sky", (70, 90, 160)),
        ("wall", (130, 84, 70)),
        ("grass", (60, 140, 70)),
        ("lava", (190, 70, 30)),
        ("water", (40, 90, 190)),
        ("sand", (200, 170, 100)),
    ),
    block=4,
    upright=True,
    contrast=100,
)

DOMAINS: dict[str, Domain] = {d.name: d for d in (PHOTO, CARTOON, AERIAL, GAME)}


def hue_colour(hue: int, saturation: int, value: int) -> Ints:
    """Convert a hue of 0 to 1,535, saturation and value of 0 to 255 to (3,) RGB, all integer."""
    sector, rest = hue // 256, hue % 256
    low = value * (255 - saturation) // 255
    falling = value * (255 - saturation * rest // 255) // 255
    rising = value * (255 - saturation * (255 - rest) // 255) // 255
    triples = (
        (value, rising, low),
        (falling, value, low),
        (low, value, rising),
        (low, falling, value),
        (rising, low, value),
        (value, low, falling),
    )
    return np.array(triples[sector], dtype=np.int32)


def entity_colour(rng: np.random.Generator, domain: Domain) -> Ints:
    """Draw a colour from the range of a domain, (3,) RGB."""
    return hue_colour(draw(rng, 0, 1535), draw(rng, *domain.saturation), draw(rng, *domain.value))


def companion(rng: np.random.Generator, colour: Ints, reach: int) -> Ints:
    """Draw the second colour of a texture: each channel up to ``reach`` away, lighter or darker."""
    sign = 1 if int(colour.sum()) < 384 else -1
    shift = rng.integers(reach // 4, reach + 1, 3).astype(np.int32)
    return np.clip(colour + sign * shift, 0, 255)
