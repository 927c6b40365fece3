"""Expressions that each mean one thing of a scene, in the manner of the three RefCOCO sets.

RefCOCO: short, attributes and positions. RefCOCO+: short, no word of position. RefCOCOg: long
phrases with clauses. Words are those of the captions of the ``png`` world but for ``big``,
``small``, ``that is`` and ``which lies``.

A scene and a target give candidates; all of them mean the target and nothing else
(``referring_facts``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.referring_facts import (
    Fact,
    Seen,
    lying_on,
    means,
    of_kind,
    of_size,
    outermost,
    placed,
    related,
)

SIDES = ("left", "right", "top", "bottom")
OUTERMOST = {
    "left": ("{} on the left", "left {}"),
    "right": ("{} on the right", "right {}"),
    "top": ("{} at the top", "top {}"),
    "bottom": ("{} at the bottom", "bottom {}"),
}
PLACED = {
    "left": "on the left side",
    "right": "on the right side",
    "top": "in the upper part",
    "bottom": "in the lower part",
}
RELATED = {"left": "to the left of", "right": "to the right of", "top": "above", "bottom": "below"}


@dataclass(frozen=True)
class Candidate:
    """An expression and what kind it is of: "kind", "size", "place", "relation" or "ground"."""

    text: str
    sort: str


@dataclass(frozen=True)
class _Head:
    """Words for a thing and what they say."""

    words: str
    fact: Fact


def expressions(
    rng: np.random.Generator, style: str, target: Seen, things: list[Seen], side: int, count: int
) -> list[str]:
    """Write expressions for a target, of different sorts as far as there are some.

    Args:
        rng: Stream of this target.
        style: "refcoco", "refcoco_plus" or "refcocog".
        target: The thing meant.
        things: All things of the scene, the target among them.
        side: Height and width of the picture.
        count: So many, if as many can be found.

    Returns:
        Different texts; none where nothing tells the target apart.
    """
    others = [thing for thing in things if thing.number != target.number]
    make = {"refcoco": _positions, "refcoco_plus": _appearance, "refcocog": _long}[style]
    sorts: dict[str, list[str]] = {}
    for candidate in make(target, others, side):
        texts = sorts.setdefault(candidate.sort, [])
        if candidate.text not in texts:
            texts.append(candidate.text)
    found: list[str] = []
    while len(found) < count and sorts:
        for sort in [list(sorts)[int(at)] for at in rng.permutation(len(sorts))]:
            if len(found) < count:
                found.append(sorts[sort].pop(draw(rng, 0, len(sorts[sort]) - 1)))
        sorts = {sort: texts for sort, texts in sorts.items() if texts}
    return found


def heads(thing: Seen) -> list[_Head]:
    """Return the ways to name a thing, from shape alone to shape, colour and pattern."""
    look = thing.look
    found = [
        _Head(look.name, of_kind(look.name)),
        _Head(f"{look.colour} {look.name}", of_kind(look.name, look.colour)),
    ]
    if look.pattern != "plain":
        found += [
            _Head(f"{look.pattern} {look.name}", of_kind(look.name, None, look.pattern)),
            _Head(
                f"{look.pattern} {look.colour} {look.name}",
                of_kind(look.name, look.colour, look.pattern),
            ),
        ]
    return found


def _kin(head: _Head, target: Seen, others: list[Seen]) -> list[Seen]:
    """Return the target and what its name would fit as well."""
    return [target, *(other for other in others if head.fact.possible(other))]


def _named(target: Seen, others: list[Seen]) -> Iterator[Candidate]:
    """Yield names alone, and names with a size."""
    for head in heads(target):
        if means([head.fact], target, others):
            yield Candidate(head.words, "kind")
        kin = _kin(head, target, others)
        for word in ("big", "small"):
            if len(kin) > 1 and means([head.fact, of_size(word, kin)], target, others):
                yield Candidate(f"{word} {head.words}", "size")


def _grounded(target: Seen, others: list[Seen]) -> Iterator[Candidate]:
    for head in heads(target):
        for name in sorted(target.grounds):
            if means([head.fact, lying_on(name)], target, others):
                yield Candidate(f"{head.words} on the {name}", "ground")


def _anchors(target: Seen, others: list[Seen]) -> Iterator[tuple[Seen, str]]:
    """Yield other things with a name that means each alone."""
    for anchor in others:
        rest = [thing for thing in [target, *others] if thing.number != anchor.number]
        for head in heads(anchor):
            if means([head.fact], anchor, rest):
                yield anchor, head.words
                break


def _positions(target: Seen, others: list[Seen], side: int) -> Iterator[Candidate]:
    yield from _named(target, others)
    anchors = list(_anchors(target, others))
    for head in heads(target):
        kin = _kin(head, target, others)
        for where in SIDES:
            if len(kin) > 1 and means([head.fact, outermost(where, kin)], target, others):
                for form in OUTERMOST[where]:
                    yield Candidate(form.format(head.words), "place")
            if means([head.fact, placed(where, side)], target, others):
                yield Candidate(f"{head.words} {PLACED[where]}", "place")
            for anchor, words in anchors:
                if means([head.fact, related(where, anchor)], target, others):
                    text = f"{head.words} {RELATED[where]} the {words}"
                    yield Candidate(text, "relation")


def _appearance(target: Seen, others: list[Seen], side: int) -> Iterator[Candidate]:
    yield from _named(target, others)
    yield from _grounded(target, others)


def _long(target: Seen, others: list[Seen], side: int) -> Iterator[Candidate]:
    """Yield phrases of the fullest name and one or two clauses."""
    head = heads(target)[-1]
    article = "the" if _kin(head, target, others)[1:] else "an" if head.words[0] in "aeiou" else "a"
    anchors = list(_anchors(target, others))
    clauses = [
        *((f"that is {RELATED[where]} the {words}", related(where, anchor))
          for where in SIDES for anchor, words in anchors),
        *((f"which lies on the {name}", lying_on(name)) for name in sorted(target.grounds)),
        *((f"{PLACED[where]} of the picture", placed(where, side)) for where in SIDES),
    ]  # fmt: skip
    true = [(text, fact) for text, fact in clauses if fact.clear(target)]
    for at, (text, fact) in enumerate(true):
        if means([head.fact, fact], target, others):
            yield Candidate(f"{article} {head.words} {text}", "one clause")
        for again, more in true[at + 1 :]:
            if means([head.fact, fact, more], target, others):
                yield Candidate(f"{article} {head.words} {text} and {again}", "two clauses")
