"""Instructions and answers of GELLA's tasks (Table III), and the reading of answers.

The fixed strings are the paper's own. ``<IMAGE>`` stands for the visual tokens, ``<EXPRESSION>``
for the caption, ``<SEG>`` follows every noun.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

IMAGE, SEG = "<IMAGE>", "<SEG>"
TASKS = ("describe", "extract", "ground")

DESCRIBE = f"{IMAGE} Please help me describe the image."
EXTRACT = f"{IMAGE} Please help me extract each semantic noun of the sentence. The sentence is {{}}"

_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def dialogue(instruction: str) -> str:
    """Return what the language model continues: one turn of the user, the assistant's beginning."""
    return f"User: {instruction} Assistant:"


def describe_prompt() -> str:
    """Return the instruction to describe the image."""
    return dialogue(DESCRIBE)


def extract_prompt(caption: str) -> str:
    """Return the instruction to extract the nouns of a caption (also used for grounding)."""
    sentence = caption.strip()
    return dialogue(EXTRACT.format(sentence if sentence.endswith(".") else f"{sentence}."))


def nouns_answer(nouns: Sequence[str]) -> str:
    """Return the assistant's list of nouns, each followed by ``<SEG>``."""
    if not nouns:
        return "There are zero semantic nouns."
    items = [f"{noun} {SEG}" for noun in nouns]
    if len(items) == 1:
        return f"There is one semantic noun, including {items[0]}."
    count = in_words(len(items))
    listed = f"{', '.join(items[:-1])} and {items[-1]}"
    return f"There are {count} semantic nouns, including {listed}."


def read_answer(answer: str) -> list[str]:
    """Return the nouns of an answer, in order: the texts before each ``<SEG>``.

    Never fails: whatever stands before a ``<SEG>`` is a noun, also an empty string.
    """
    nouns = []
    for index, part in enumerate(answer.split(SEG)[:-1]):
        if index == 0:
            part = re.sub(r"^.*?\bincluding\b", "", part, flags=re.DOTALL)
        nouns.append(re.sub(r"^\s*(?:,|and\b)?\s*", "", part).strip())
    return nouns


def in_words(number: int) -> str:
    """Return a number from 0 to 99 in English words; above that in digits."""
    if number < len(_WORDS):
        return _WORDS[number]
    if number > 99:
        return str(number)
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f" {_WORDS[ones]}" if ones else "")
