"""What is true of the things of a scene: the facts that expressions are made of.

Each fact comes in two strengths. It is *clear* where it holds by a margin, and *possible* where a
reader might still take it to hold. An expression means one thing if it is clear of this thing and
not possible of any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.grammar import MARGIN
from workbench.datasets.worlds.grounding_scene import GroundingScene, Look

SIZE_RATIO = 150  # percent by which areas must differ to be called big and small
SLACK = 3  # pixels by which a thing may miss a relation and still be taken to have it
CLEAR_PLACE, POSSIBLE_PLACE = 36, 52  # percent of the picture's side
RIM = 2  # pixels around a thing where it is looked what it lies on
CLEAR_GROUND, POSSIBLE_GROUND = 90, 10  # percent of the rim

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Seen:
    """A thing as it is seen.

    Attributes:
        number: Its label in the scene.
        look: Shape, colour and pattern.
        area: Visible pixels.
        row, column: Centre of the visible pixels.
        grounds: Percent of the rim around it that each kind of stuff has.
    """

    number: int
    look: Look
    area: int
    row: int
    column: int
    grounds: dict[str, int]


@dataclass(frozen=True)
class Fact:
    """Something said about a thing.

    Attributes:
        clear: Whether it holds without doubt.
        possible: Whether it might be taken to hold; true wherever ``clear`` is.
    """

    clear: Callable[[Seen], bool]
    possible: Callable[[Seen], bool]


def means(facts: list[Fact], target: Seen, others: list[Seen]) -> bool:
    """Tell whether facts hold of a thing and cannot be taken to hold of any other."""
    if not all(fact.clear(target) for fact in facts):
        return False
    return not any(all(fact.possible(other) for fact in facts) for other in others)


def seen_things(found: GroundingScene) -> list[Seen]:
    """Return the things of a scene, in painting order."""
    labels = found.scene.labels
    stuff = {n: look.name for n, look in enumerate(found.looks, start=1) if look.colour is None}
    things = []
    for number, look in enumerate(found.looks, start=1):
        if look.colour is None:
            continue
        rows, columns = np.nonzero(labels == number)
        centre = int(rows.sum()) // len(rows), int(columns.sum()) // len(columns)
        grounds = _grounds(labels, number, stuff)
        things.append(Seen(number, look, len(rows), *centre, grounds))
    return things


def _grounds(labels: Labels, number: int, stuff: dict[int, str]) -> dict[str, int]:
    """Return the percents of stuff around a thing, of the rim that is stuff at all."""
    near = np.pad(labels == number, RIM)
    grown = near.copy()
    for down in range(-RIM, RIM + 1):
        for across in range(-RIM, RIM + 1):
            grown |= np.roll(near, (down, across), (0, 1))
    grown = grown[RIM:-RIM, RIM:-RIM]
    counts = np.bincount(labels[grown], minlength=max(stuff, default=0) + 1)
    total = sum(int(counts[n]) for n in stuff)
    return {name: int(counts[n]) * 100 // total for n, name in stuff.items()} if total else {}


def of_kind(shape: str | None, colour: str | None = None, pattern: str | None = None) -> Fact:
    """Say shape, colour and pattern, as far as they are given."""

    def fits(thing: Seen) -> bool:
        look = thing.look
        return (
            shape in (None, look.name)
            and colour in (None, look.colour)
            and pattern in (None, look.pattern)
        )

    return Fact(fits, fits)


def of_size(word: str, kin: list[Seen]) -> Fact:
    """Say that a thing is the big or the small one of ``kin``."""
    areas = [thing.area for thing in kin]

    def clear(thing: Seen) -> bool:
        rest = [other.area for other in kin if other.number != thing.number]
        if word == "big":
            return all(thing.area * 100 >= area * SIZE_RATIO for area in rest)
        return all(area * 100 >= thing.area * SIZE_RATIO for area in rest)

    extreme = max(areas) if word == "big" else min(areas)
    return Fact(clear, lambda thing: thing.area == extreme)


def outermost(side: str, kin: list[Seen]) -> Fact:
    """Say that a thing lies farthest to a side of all of ``kin``."""

    def clear(thing: Seen) -> bool:
        rest = [_towards(side, other) for other in kin if other.number != thing.number]
        return all(_towards(side, thing) >= place + MARGIN for place in rest)

    best = max(_towards(side, thing) for thing in kin)
    return Fact(clear, lambda thing: _towards(side, thing) == best)


def placed(side: str, length: int) -> Fact:
    """Say that a thing lies in a side's part of a picture ``length`` pixels wide and high."""

    def within(percent: int) -> Callable[[Seen], bool]:
        def holds(thing: Seen) -> bool:
            place = thing.column if side in ("left", "right") else thing.row
            if side in ("right", "bottom"):
                place = length - place
            return place * 100 < length * percent

        return holds

    return Fact(within(CLEAR_PLACE), within(POSSIBLE_PLACE))


def related(side: str, anchor: Seen) -> Fact:
    """Say that a thing lies to a side of another."""

    def clear(thing: Seen) -> bool:
        ahead, aside = _offset(side, thing, anchor)
        return thing.number != anchor.number and ahead >= max(aside, MARGIN)

    def possible(thing: Seen) -> bool:
        return thing.number != anchor.number and _offset(side, thing, anchor)[0] > -SLACK

    return Fact(clear, possible)


def lying_on(name: str) -> Fact:
    """Say that a thing lies on a kind of stuff."""
    return Fact(
        lambda thing: thing.grounds.get(name, 0) >= CLEAR_GROUND,
        lambda thing: thing.grounds.get(name, 0) > POSSIBLE_GROUND,
    )


def _towards(side: str, thing: Seen) -> int:
    """Return how far a thing lies towards a side, from the middle of nowhere."""
    return {"left": -thing.column, "right": thing.column, "top": -thing.row, "bottom": thing.row}[
        side
    ]


def _offset(side: str, thing: Seen, anchor: Seen) -> tuple[int, int]:
    """Return how far a thing lies from another towards a side, and across, without sign."""
    across, down = thing.column - anchor.column, thing.row - anchor.row
    if side in ("left", "right"):
        return (across if side == "right" else -across), abs(down)
    return (down if side == "bottom" else -down), abs(across)
