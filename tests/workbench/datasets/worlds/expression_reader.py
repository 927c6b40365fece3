"""Reads expressions by their plain words and looks in the written pictures for what they mean.

Nothing of the generator's grammar or facts is used: shapes come from the written categories,
colours and patterns from the pixels, places from the written masks. Words are read loosely ("to
the left of" holds from the first pixel on, "on the left" is whatever lies farthest), so that an
expression that fits a second thing in any reading is found out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from workbench.datasets.worlds.fixed import along
from workbench.datasets.worlds.grounding_scene import COLOURS, GROUNDS, SHAPES

SIDES = {"left": (1, -1), "right": (1, 1), "top": (0, -1), "bottom": (0, 1)}
PLACES = {
    "on the left side": "left", "on the right side": "right",
    "in the upper part": "top", "in the lower part": "bottom",
}  # fmt: skip
FARTHEST = {
    "on the left": "left", "on the right": "right", "at the top": "top", "at the bottom": "bottom",
}  # fmt: skip
RELATIONS = {
    "to the left of": "left", "to the right of": "right", "above": "top", "below": "bottom",
}  # fmt: skip


@dataclass
class Found:
    """A thing as a written mask and the pixels below it show it."""

    shape: str
    colour: str
    pattern: str
    area: int
    centre: tuple[float, float]
    ground: dict[str, float]


def look(image: np.ndarray, masks: list[np.ndarray], shapes: list[str]) -> list[Found]:
    everything = np.logical_or.reduce(masks)
    return [
        _found(image, mask, shape, everything) for mask, shape in zip(masks, shapes, strict=True)
    ]


def _found(image: np.ndarray, mask: np.ndarray, shape: str, everything: np.ndarray) -> Found:
    pixels = image[mask].astype(float)
    names, table = list(COLOURS), np.array(list(COLOURS.values()), float)
    distance = np.stack(
        [np.abs(pixels[:, None] - table * shade).sum(-1) for shade in (1, 140 / 256)]
    )
    votes = np.bincount(distance.min(0).argmin(1), minlength=len(names))
    best = int(votes.argmax())
    rows, columns = np.nonzero(mask)
    near = np.zeros_like(mask)
    for down in range(-2, 3):
        for across in range(-2, 3):
            moved = np.roll(mask, (down, across), (0, 1))
            near |= moved
    rim = image[near & ~everything].astype(float)
    tones = np.array(list(GROUNDS.values()), float)
    kinds = np.abs(rim[:, None] - tones).sum(-1).argmin(1)
    shares = np.bincount(kinds, minlength=len(tones)) / max(len(kinds), 1)
    return Found(
        shape,
        names[best],
        _pattern(distance[1, :, best] < distance[0, :, best], rows, columns),
        int(mask.sum()),
        (float(rows.mean()), float(columns.mean())),
        dict(zip(GROUNDS, shares.tolist(), strict=True)),
    )


def _pattern(dark: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> str:
    """Return which pattern the dark pixels of a thing follow."""
    if dark.mean() < 0.12:
        return "plain"
    dots = (rows % 8 - 4) ** 2 + (columns % 8 - 4) ** 2 <= 6
    stripes = along(rows, columns, 7) % 8 < 4
    return "dotted" if (dots == dark).mean() > (stripes == dark).mean() else "striped"


def meant(text: str, things: list[Found], side: int) -> list[int]:
    """Return the things that an expression may mean."""
    text = re.sub(r"^(a|an|the) ", "", text.removesuffix(" of the picture"))
    shape = next(re.finditer(rf"\b({'|'.join(SHAPES)})\b", text))
    head, tail = text[: shape.end()].split(), text[shape.end() :].strip()
    farthest = head.pop(0) if head[0] in SIDES else None
    size = head.pop(0) if head[0] in ("big", "small") else None
    kin = [at for at, thing in enumerate(things) if _fits(head, thing)]
    for clause in re.split(r" and (?=that is|which lies|on the|in the)", tail) if tail else []:
        clause = clause.removesuffix(" of the picture")
        if clause in FARTHEST:
            farthest = FARTHEST[clause]
        else:
            kin = [at for at in kin if _holds(clause, at, things, side)]
    if farthest:
        axis, sign = SIDES[farthest]
        best = max(sign * things[at].centre[axis] for at in kin)
        kin = [at for at in kin if sign * things[at].centre[axis] > best - 4]
    if size:
        areas = [things[at].area for at in kin]
        limit = max(areas) / 1.2 if size == "big" else min(areas) * 1.2
        kin = [at for at in kin if (things[at].area >= limit) == (size == "big")]
    return kin


def _fits(words: list[str], thing: Found) -> bool:
    for word in words:
        if word in SHAPES and word != thing.shape or word in COLOURS and word != thing.colour:
            return False
        if word in ("striped", "dotted") and word != thing.pattern:
            return False
        assert word in SHAPES or word in COLOURS or word in ("striped", "dotted"), word
    return True


def _holds(clause: str, at: int, things: list[Found], side: int) -> bool:
    clause = clause.removeprefix("that is ").removeprefix("which lies ")
    thing = things[at]
    if clause in PLACES:
        axis, sign = SIDES[PLACES[clause]]
        return sign * (thing.centre[axis] - side / 2) > 0
    match = re.fullmatch(rf"({'|'.join(RELATIONS)}) the (.+)", clause)
    if match:
        (anchor,) = [n for n, other in enumerate(things) if _fits(match[2].split(), other)]
        axis, sign = SIDES[RELATIONS[match[1]]]
        return at != anchor and sign * (thing.centre[axis] - things[anchor].centre[axis]) > 0
    match = re.fullmatch(r"on the (\w+)", clause)
    assert match and match[1] in GROUNDS, clause
    return thing.ground[match[1]] > 0.3
