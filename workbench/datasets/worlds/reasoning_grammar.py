"""Queries that mean an entity of a scene by its use or its relations, never by its name.

In the manner of ReasonSeg: whole sentences or short phrases, about things and about stuff.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.referring_facts import (
    Fact,
    Seen,
    means,
    of_kind,
    outermost,
    related,
)
from workbench.datasets.worlds.referring_grammar import RELATED, SIDES

# What things could do, to the shapes that could.
USES: dict[str, tuple[str, ...]] = {
    "pass for a full moon": ("disc",),
    "serve as a plate to eat from": ("disc",),
    "be worn on a finger": ("ring",),
    "have a rope pulled through it": ("ring",),
    "serve as a tile for a floor": ("square",),
    "pass for a slice of toast": ("square",),
    "warn drivers of a danger": ("triangle",),
    "serve as the sail of a boat": ("triangle",),
    "go on top of a festive tree": ("star",),
    "be pinned on the chest of a sheriff": ("star",),
    "mark the spot on a treasure map": ("cross",),
    "show where first aid is kept": ("cross",),
    "roll down a hill": ("disc", "ring"),
}
# Who could do what in a place, and the kind of stuff where it could be done.
PLACES: tuple[tuple[str, str, str], ...] = (
    ("cows", "graze", "grass"),
    ("football", "be played", "grass"),
    ("a child", "build a castle at the beach", "sand"),
    ("a camel", "rest", "sand"),
    ("a fish", "live", "water"),
    ("a boat", "sail", "water"),
    ("an aeroplane", "fly", "sky"),
    ("clouds", "pass", "sky"),
    ("a painting", "be hung", "wall"),
    ("paper with a pattern", "be glued on", "wall"),
    ("potatoes", "be planted", "soil"),
    ("a worm", "dig", "soil"),
    ("cars", "drive", "road"),
    ("traffic lights", "stand", "road"),
    ("a sledge", "be pulled", "snow"),
    ("skis", "be of use", "snow"),
)
THING_SENTENCES = (
    "Which object in this picture could {use}?",
    "Somebody is looking for an object that could {use}; what’s the one to take here?",
    "If one of these objects had to {use}, which would it be?",
)
THING_PHRASES = ("the object that could {use}", "something that could {use}")
RELATION_SENTENCES = (
    "Which object in this picture lies {relation}?",
    "What’s the object that one finds {relation}?",
)
RELATION_PHRASES = ("the object {relation}", "what lies {relation}")
PLACE_SENTENCES = (
    "Where in this picture could {who} {do}?",
    "In which region of the picture could {who} {do}, if it’s chosen well?",
)
PLACE_PHRASES = ("the region where {who} could {do}", "where {who} could {do}")
OUTERMOST = {
    "left": "farthest to the left",
    "right": "farthest to the right",
    "top": "highest up",
    "bottom": "lowest down",
}


@dataclass(frozen=True)
class Query:
    """What is asked, as forms of sentences and of phrases, and which entity is meant.

    Attributes:
        entity: Its number in the scene.
        sentences: Whole sentences, one meaning.
        phrases: Short phrases of the same meaning.
    """

    entity: int
    sentences: tuple[str, ...]
    phrases: tuple[str, ...]


def queries(things: list[Seen], stuff: dict[int, str]) -> list[Query]:
    """Return all queries about a scene that mean exactly one entity.

    Args:
        things: Things of the scene.
        stuff: Kinds of stuff by number of the entity; each kind occurs once.
    """
    found = [
        Query(
            number,
            _formed(PLACE_SENTENCES, who=who, do=do),
            _formed(PLACE_PHRASES, who=who, do=do),
        )
        for number, name in stuff.items()
        for who, do, where in PLACES
        if where == name
    ]
    for target in things:
        others = [thing for thing in things if thing.number != target.number]
        found += _by_use(target, others)
        found += _by_relation(target, others)
    return found


def ask(rng: np.random.Generator, query: Query, count: int, as_sentence: bool) -> list[str]:
    """Return up to ``count`` rephrasings of a query, in random order."""
    forms = query.sentences if as_sentence else query.phrases
    return [forms[int(at)] for at in rng.permutation(len(forms))[:count]]


def choose(rng: np.random.Generator, found: list[Query], stuff_percent: int, things: int) -> Query:
    """Draw a query: about stuff with a chance of ``stuff_percent``, where there is a choice.

    Args:
        rng: Stream of the picture.
        found: Queries about it.
        stuff_percent: Chance of a query about stuff.
        things: Entities above this number are things.
    """
    about_stuff = draw(rng, 1, 100) <= stuff_percent
    wanted = [query for query in found if (query.entity <= things) == about_stuff]
    # Entities, not queries, are drawn: some have many.
    numbers = sorted({query.entity for query in wanted or found})
    number = numbers[draw(rng, 0, len(numbers) - 1)]
    choice = [query for query in found if query.entity == number]
    return choice[draw(rng, 0, len(choice) - 1)]


def _formed(forms: tuple[str, ...], **words: str) -> tuple[str, ...]:
    return tuple(form.format(**words) for form in forms)


def _of_use(use: str) -> Fact:
    """Say that a thing could be used so."""

    def could(thing: Seen) -> bool:
        return thing.look.name in USES[use]

    return Fact(could, could)


def _by_use(target: Seen, others: list[Seen]) -> Iterator[Query]:
    """Yield queries by use alone or, of several that could, by where it lies."""
    for use, shapes in USES.items():
        if target.look.name not in shapes:
            continue
        fact = _of_use(use)
        kin = [target, *(other for other in others if fact.possible(other))]
        if len(kin) == 1:
            sentences = _formed(THING_SENTENCES, use=use)
            yield Query(target.number, sentences, _formed(THING_PHRASES, use=use))
            continue
        for side, words in OUTERMOST.items():
            if means([fact, outermost(side, kin)], target, others):
                yield Query(
                    target.number,
                    (
                        f"Several objects here could {use}; which of them lies {words}?",
                        f"Of all objects that could {use}, what’s the one {words}?",
                    ),
                    (f"of the objects that could {use}, the one {words}",),
                )


def _by_relation(target: Seen, others: list[Seen]) -> Iterator[Query]:
    """Yield queries by how the target lies to a thing of another shape, which may be named."""
    for anchor in others:
        if anchor.look.name == target.look.name:
            continue
        rest = [target, *(other for other in others if other.number != anchor.number)]
        name = of_kind(anchor.look.name, anchor.look.colour)
        if not means([name], anchor, rest):
            continue
        words = f"{anchor.look.colour} {anchor.look.name}"
        for side in SIDES:
            if means([related(side, anchor)], target, others):
                relation = f"{RELATED[side]} the {words}"
                yield Query(
                    target.number,
                    _formed(RELATION_SENTENCES, relation=relation),
                    _formed(RELATION_PHRASES, relation=relation),
                )
