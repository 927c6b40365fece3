"""Somebody else's annotation of a scene: other borders, cuts, merged entities and names.

Real annotators differ in these ways (paper Table II); how often and how far is *assumed*, for a
picture whose annotators mostly agree.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.fixed import Ints, draw, smooth_noise
from workbench.datasets.worlds.scene import Entity, Scene
from workbench.datasets.worlds.vocabulary import STUFF, THINGS

BORDER_PIXELS = 1
BORDER_CELL = 12
CUT_PERCENT = 25
MERGE_PERCENT = 25
RENAME_PERCENT = 5


def redrawn(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return a scene as another annotator outlines it; names stay, some entities get lost.

    Borders move by up to ``BORDER_PIXELS``; with the chances above a thing is cut in two, which
    adds an entity, or an entity is taken for a part of its neighbour.
    """
    labels, entities = _moved(scene.labels, rng), list(scene.entities)
    if draw(rng, 1, 100) <= CUT_PERCENT:
        things = [n for n, entity in enumerate(entities, start=1) if entity.kind == "large"]
        if things:
            cut = things[draw(rng, 0, len(things) - 1)]
            _cut(labels, cut, len(entities) + 1)
            entities.append(entities[cut - 1])
    if draw(rng, 1, 100) <= MERGE_PERCENT:
        _merge(labels, draw(rng, 1, len(scene.entities)))
    return replace(scene, labels=labels, entities=tuple(entities))


def renamed(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return a scene with ``RENAME_PERCENT`` of the entities called otherwise."""
    entities = tuple(_other(entity, rng) for entity in scene.entities)
    return replace(scene, entities=entities)


def _other(entity: Entity, rng: np.random.Generator) -> Entity:
    names = [name for name in (THINGS if entity.isthing else STUFF) if name != entity.name]
    wrong, which = draw(rng, 1, 100) <= RENAME_PERCENT, draw(rng, 0, len(names) - 1)
    return replace(entity, name=names[which]) if wrong else entity


def _moved(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Take each pixel's label from a place nearby, the same one for pixels close together."""
    height, width = labels.shape
    down, across = _shift(rng, height, width), _shift(rng, height, width)
    rows = np.clip(np.arange(height)[:, None] + down, 0, height - 1)
    columns = np.clip(np.arange(width)[None, :] + across, 0, width - 1)
    return labels[rows, columns]


def _shift(rng: np.random.Generator, height: int, width: int) -> Ints:
    steps = 2 * BORDER_PIXELS + 1
    return smooth_noise(rng, height, width, BORDER_CELL) * steps // 257 - BORDER_PIXELS


def _cut(labels: NDArray[np.int32], number: int, new: int) -> None:
    """Give the right half of an entity another number."""
    columns = np.nonzero(labels == number)[1]
    if len(columns):
        right = np.arange(labels.shape[1])[None, :] > int(np.sort(columns)[len(columns) // 2])
        labels[(labels == number) & right] = new


def _merge(labels: NDArray[np.int32], number: int) -> None:
    """Make an entity part of the one that it has most border with."""
    mask, beside = labels == number, np.zeros(labels.max() + 1, np.int64)
    for one, other in (
        (labels[:, 1:], mask[:, :-1]),
        (labels[:, :-1], mask[:, 1:]),
        (labels[1:], mask[:-1]),
        (labels[:-1], mask[1:]),
    ):
        beside += np.bincount(one[other], minlength=len(beside))
    beside[number] = 0
    if beside.any():
        labels[mask] = int(beside.argmax())
