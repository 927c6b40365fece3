"""Videos of moving things that occlude each other, leave the picture and come into it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.fixed import COS, SIN, Ints, draw, image_generator
from workbench.datasets.worlds.grounding_scene import (
    Look,
    Thing,
    draw_stuff,
    draw_things,
    paint_stuff,
    surface,
    thing_mask,
)
from workbench.datasets.worlds.referring_spec import VideoSpec

SPINS = (-2, 2)  # 64ths of a turn a frame
SIXTEENTHS = 16


@dataclass(frozen=True)
class VideoScene:
    """The frames of a video and what is seen in them.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB.
        labels: (T, H, W) int32, ids 1 to len(looks); an id means one entity in all frames, and
            every pixel belongs to one.
        looks: Look of label k at index k - 1, stuff first; each is seen in some frame.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int32]
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class _Motion:
    """How a thing moves in a frame: (row, column) in 1/16 pixel, and 64ths of a turn."""

    down: int
    across: int
    spin: int

    def moved(self, thing: Thing, frame: int) -> Thing:
        return replace(
            thing,
            row=thing.row + self.down * frame // SIXTEENTHS,
            column=thing.column + self.across * frame // SIXTEENTHS,
            direction=thing.direction + self.spin * frame,
        )


def make_video_scene(spec: VideoSpec, split: int, index: int) -> VideoScene:
    """Make video ``index`` of a split; depends on the seed and these two numbers alone."""
    scene = spec.scene
    rng = image_generator(scene.seed, split, index)
    names, borders = draw_stuff(rng, scene)
    still, ground = paint_stuff(rng, scene, names, borders)
    things = draw_things(rng, scene)
    motions = [_motion(rng, spec) for _ in things]
    count = draw(rng, *spec.frames)
    frames, labels = [], []
    for frame in range(count):
        # Half-way through the video a thing is where the still scene has it.
        moved = [
            motion.moved(thing, frame - count // 2)
            for thing, motion in zip(things, motions, strict=True)
        ]
        image, seen = _painted(ground, still, len(names), moved)
        level = rng.integers(-scene.noise, scene.noise + 1, image.shape)
        frames.append(np.clip(image + level, 0, 255).astype(np.uint8))
        labels.append(seen)
    looks = [*(Look(name) for name in names), *(thing.look for thing in things)]
    return _numbered(np.stack(frames), np.stack(labels), looks)


def _motion(rng: np.random.Generator, spec: VideoSpec) -> _Motion:
    direction = draw(rng, 0, 63)
    speed = draw(rng, spec.speed[0] * SIXTEENTHS, spec.speed[1] * SIXTEENTHS)
    return _Motion(speed * SIN[direction] >> 10, speed * COS[direction] >> 10, draw(rng, *SPINS))


def _painted(
    ground: Ints, still: NDArray[np.int32], first: int, things: list[Thing]
) -> tuple[Ints, NDArray[np.int32]]:
    """Return the (H, W, 3) colours and (H, W) labels of a frame, later things on top."""
    image, labels = ground.copy(), still.copy()
    size = (labels.shape[0], labels.shape[1])
    for number, thing in enumerate(things, start=first + 1):
        mask = thing_mask(thing, size)
        labels[mask] = number
        image[mask] = surface(thing, size, (thing.row, thing.column))[mask]
    return image, labels


def _numbered(
    frames: NDArray[np.uint8], labels: NDArray[np.int32], looks: list[Look]
) -> VideoScene:
    """Leave out entities that no frame shows and number the others from 1."""
    seen = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(looks) + 1)).tolist()
    table = np.zeros(len(looks) + 1, np.int32)
    table[seen] = np.arange(1, len(seen) + 1)
    return VideoScene(frames, table[labels], tuple(looks[number - 1] for number in seen))
