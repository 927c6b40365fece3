"""A grammar of long captions over a scene: attributes, counts, relations, places and context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.datasets.worlds.fixed import draw
from workbench.datasets.worlds.grounding_scene import COLOURS, SHAPES, GroundingScene, Look

COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
MARGIN = 14  # pixels by which a place or a relation must be true
MOST_MENTIONS = 6


@dataclass(frozen=True)
class Segment:
    """A piece of a caption; a noun with entities is grounded.

    Attributes:
        text: Words of the piece.
        noun: Whether it is a noun phrase.
        entities: Numbers of the entities that it means, from 1.
    """

    text: str
    noun: bool = False
    entities: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Mention:
    """A noun phrase to be said: its words, what comes before and after, and what it means."""

    phrase: str
    article: str
    entities: tuple[int, ...]
    row: int
    column: int
    place: str = ""
    stuff: bool = False

    @property
    def plural(self) -> bool:
        return len(self.entities) > 1

    def segments(self, capital: bool = False) -> list[Segment]:
        article = self.article.capitalize() if capital else self.article
        phrase = self.phrase.capitalize() if capital and not article else self.phrase
        found = [Segment(article)] if article else []
        found.append(Segment(phrase, True, self.entities))
        return found + ([Segment(self.place)] if self.place else [])


OPENING = ("In this image there {be}", "This picture shows", "There {be}", "I can see")
OPENING_WIDE = (
    "One can also spot",
    "A closer look reveals",
    "Somewhere in between there {be}",
    "Let us not forget",
    "What stands out {be}",
)
JOINING = ("and", "as well as")
JOINING_WIDE = ("together with", "not far from", "accompanied by")
WIDE_ADJECTIVES = ("bright", "neat", "lonely", "tilted", "shiny", "simple", "pretty", "curious")
FILLERS: tuple[tuple[str, str, str], ...] = (
    ("The", "picture", "is taken outside"),
    ("The", "photo", "looks calm"),
    ("It is", "daylight", ""),
)
FILLERS_WIDE: tuple[tuple[str, str, str], ...] = (
    ("The", "composition", "seems to be random"),
    ("Overall the", "mood", "is quiet"),
    ("Hardly any", "shadow", "can be noticed"),
)


def caption_of(rng: np.random.Generator, found: GroundingScene, wide_percent: int) -> list[Segment]:
    """Write a caption about a scene.

    Args:
        rng: Stream of this caption.
        found: The scene.
        wide_percent: Chance of each sentence to be of the wide grammar.

    Returns:
        Segments whose texts, joined by single spaces (none before a full stop), are the caption.
    """
    mentions = _mentions(rng, found, wide_percent)
    sentences: list[list[Segment]] = []
    while mentions:
        wide = draw(rng, 1, 100) <= wide_percent
        first = mentions.pop(0)
        second = mentions.pop(0) if mentions and draw(rng, 0, 2) else None
        sentences.append(_sentence(rng, first, second, wide))
    if draw(rng, 0, 3) == 0:
        sentences.insert(draw(rng, 1, len(sentences)), _filler(rng, wide_percent))
    if draw(rng, 0, 2) == 0:
        sentences.append(_absence(rng, found))
    return [segment for sentence in sentences for segment in (*sentence, Segment("."))]


def _mentions(rng: np.random.Generator, found: GroundingScene, wide_percent: int) -> list[_Mention]:
    """Choose what is said about the entities, in random order; twins stay in their order."""
    groups: dict[Look, list[int]] = {}
    for number, look in enumerate(found.looks, start=1):
        groups.setdefault(replace(look, pattern=None), []).append(number)
    chosen: list[list[_Mention]] = []
    for look, numbers in groups.items():
        if look.colour is None:
            chosen.append([_stuff_mention(found, look, numbers[0])])
        elif len(numbers) == 1:
            chosen.append([_single(rng, found, numbers[0], wide_percent)])
        else:
            chosen.append(_several(rng, found, look, numbers, wide_percent))
    order = rng.permutation(len(chosen))
    said = [mention for at in order for mention in chosen[int(at)]]
    return said[:MOST_MENTIONS] if len(chosen[int(order[-1])]) < 2 else said


def _centre(found: GroundingScene, numbers: Sequence[int]) -> tuple[int, int]:
    rows, columns = np.nonzero(np.isin(found.scene.labels, numbers))
    return int(rows.sum()) // len(rows), int(columns.sum()) // len(columns)


def _stuff_mention(found: GroundingScene, look: Look, number: int) -> _Mention:
    return _Mention(look.name, "the", (number,), *_centre(found, [number]), stuff=True)


def _article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"


def _adjective(rng: np.random.Generator, wide_percent: int) -> str:
    """Return an adjective that only the language cares about, mostly none."""
    if draw(rng, 1, 100) <= wide_percent and draw(rng, 0, 1):
        return WIDE_ADJECTIVES[draw(rng, 0, len(WIDE_ADJECTIVES) - 1)] + " "
    return ""


def _single(
    rng: np.random.Generator, found: GroundingScene, number: int, wide_percent: int
) -> _Mention:
    """Describe an entity that is alone of its shape and colour."""
    look = found.looks[number - 1]
    same_shape = sum(other.name == look.name for other in found.looks)
    words = f"{look.colour} {look.name}"
    if same_shape == 1 and draw(rng, 0, 2) == 0:
        words = look.name
    if look.pattern != "plain" and draw(rng, 0, 1):
        words = f"{look.pattern} {words}"
    phrase = _adjective(rng, wide_percent) + words
    row, column = _centre(found, [number])
    place = _place(rng, row, column, found.scene.labels.shape[0])
    return _Mention(phrase, _article(phrase), (number,), row, column, place)


def _place(rng: np.random.Generator, row: int, column: int, side: int) -> str:
    """Return a true place in the picture, or nothing."""
    true = []
    if column < side * 36 // 100:
        true.append("on the left side")
    if column > side * 64 // 100:
        true.append("on the right side")
    if row < side * 36 // 100:
        true.append("in the upper part")
    if row > side * 64 // 100:
        true.append("in the lower part")
    if not true or draw(rng, 0, 1):
        return ""
    return true[draw(rng, 0, len(true) - 1)]


def _several(
    rng: np.random.Generator,
    found: GroundingScene,
    look: Look,
    numbers: list[int],
    wide_percent: int,
) -> list[_Mention]:
    """Describe entities of the same shape and colour: together, or two of them by context."""
    contrast = _contrast(found, numbers)
    if contrast and draw(rng, 0, 1):
        phrase = f"{look.colour} {look.name}"
        return [
            _Mention(phrase, "the", (number,), *_centre(found, [number]), place)
            for number, place in contrast
        ]
    count = COUNTS.get(len(numbers), "several")
    plural = f"{look.name}es" if look.name.endswith("s") else f"{look.name}s"
    phrase = f"{count} {_adjective(rng, wide_percent)}{look.colour} {plural}"
    return [_Mention(phrase, "", tuple(numbers), *_centre(found, numbers))]


def _contrast(found: GroundingScene, numbers: list[int]) -> list[tuple[int, str]]:
    """Return the two outermost entities of a group with the places that tell them apart."""
    centres = {number: _centre(found, [number]) for number in numbers}
    for axis, places in (
        (1, ("on the left", "on the right")),
        (0, ("at the top", "at the bottom")),
    ):
        ranked = sorted(numbers, key=lambda number: centres[number][axis])
        gaps = [
            centres[after][axis] - centres[before][axis]
            for before, after in zip(ranked, ranked[1:], strict=False)
        ]
        if gaps[0] >= MARGIN and gaps[-1] >= MARGIN:
            return [(ranked[0], places[0]), (ranked[-1], places[1])]
    return []


def _sentence(
    rng: np.random.Generator, first: _Mention, second: _Mention | None, wide: bool
) -> list[Segment]:
    if second and not wide and draw(rng, 0, 1):
        relation = _relation(first, second)
        if relation:
            verb = "are" if first.plural else "is"
            subject = first.segments(capital=True)
            return [*subject, Segment(f"{verb} {relation}"), *second.segments()]
    openings = OPENING_WIDE if wide else OPENING
    opening = openings[draw(rng, 0, len(openings) - 1)]
    said = [Segment(opening.format(be="are" if first.plural else "is")), *first.segments()]
    if second:
        joins = JOINING_WIDE if wide else JOINING
        said += [Segment(joins[draw(rng, 0, len(joins) - 1)]), *second.segments()]
    return said


def _relation(first: _Mention, second: _Mention) -> str:
    """Return how the first lies to the second by their centres, or nothing."""
    if first.stuff or second.stuff or first.place or second.place:
        return ""
    across, down = first.column - second.column, first.row - second.row
    if abs(across) >= max(abs(down), MARGIN):
        return "to the left of" if across < 0 else "to the right of"
    if abs(down) >= MARGIN:
        return "above" if down < 0 else "below"
    return "next to"


def _filler(rng: np.random.Generator, wide_percent: int) -> list[Segment]:
    """Return a sentence with a noun that is nowhere in the picture."""
    wide = draw(rng, 1, 100) <= wide_percent
    fillers = FILLERS_WIDE if wide else FILLERS
    before, noun, after = fillers[draw(rng, 0, len(fillers) - 1)]
    return [Segment(before), Segment(noun, True), *([Segment(after)] if after else [])]


def _absence(rng: np.random.Generator, found: GroundingScene) -> list[Segment]:
    """Return a sentence about what is not there, which is no noun to be grounded."""
    there = {(look.name, look.colour) for look in found.looks}
    absent = [(s, c) for s in SHAPES for c in COLOURS if (s, c) not in there]
    shape, colour = absent[draw(rng, 0, len(absent) - 1)]
    return [Segment(f"No {colour} {shape} is visible")]
