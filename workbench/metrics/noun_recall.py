"""How well a caption's nouns are found: AR_text (paper Table XXI).

The paper does not define it; *assumed* is the definition below. Phrases are normalised, and the
generated ones are paired with those of the ground truth (the grounded noun phrases of a narrative)
one to one and in order, so that as many as possible are equal: a longest common subsequence.

* recall, AR_text: paired ground-truth phrases / all of them, pooled over the narratives;
* precision: paired phrases / generated phrases, since recall alone rewards saying too much;
* relaxed recall: pairs that share words count by ``|common| / |all|`` of their words, under the
  pairing that is best by that score, put through the curve of ``png_recall``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.metrics.png_recall import average_recall

ARTICLES = frozenset({"a", "an", "the"})

_APOSTROPHES = re.compile(r"['’`]")
_NO_LETTERS = re.compile(r"[\W_]+")

Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class NounScores:
    """Recall, precision and relaxed recall in [0, 1], NaN where nothing was to be found or said."""

    recall: float
    precision: float
    relaxed: float


def normalise(phrase: str) -> str:
    """Return a phrase in lower case, without punctuation, leading articles and extra spaces."""
    words = _NO_LETTERS.sub(" ", _APOSTROPHES.sub("", phrase.lower())).split()
    while words and words[0] in ARTICLES:
        words.pop(0)
    return " ".join(words)


def equal(left: str, right: str) -> float:
    """Return 1 for two equal normalised phrases, 0 otherwise; an empty one equals nothing."""
    return float(bool(left) and left == right)


def overlap(left: str, right: str) -> float:
    """Return the share of words that two normalised phrases have in common, in [0, 1]."""
    first, second = set(left.split()), set(right.split())
    return len(first & second) / len(first | second) if first and second else 0.0


def align(
    predicted: Sequence[str],
    truth: Sequence[str],
    similarity: Callable[[str, str], float] = equal,
) -> Pairs:
    """Pair phrases one to one, in order, so that the sum of their similarities is largest.

    Args:
        predicted: Generated phrases, as they are; they are normalised here.
        truth: Phrases of the ground truth.
        similarity: ``equal`` for the longest common subsequence, or ``overlap``. Phrases of
            similarity 0 are never paired.

    Returns:
        (position in ``predicted``, position in ``truth``), ascending in both. Of equally good
        pairings the one with the earliest pairs.
    """
    left, right = [normalise(text) for text in predicted], [normalise(text) for text in truth]
    score = [[similarity(one, other) for other in right] for one in left]
    # best[i][j] is the largest sum that left[i:] and right[j:] reach.
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], score[i][j] + best[i + 1][j + 1])
    return list(_walk(score, best))


def _walk(score: list[list[float]], best: list[list[float]]) -> Iterable[tuple[int, int]]:
    i = j = 0
    while i < len(best) - 1 and j < len(best[0]) - 1:
        if score[i][j] > 0 and best[i][j] == score[i][j] + best[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1


def noun_scores(narratives: Iterable[tuple[Sequence[str], Sequence[str]]]) -> NounScores:
    """Score the generated phrases of narratives, pooled.

    Args:
        narratives: For each, its generated phrases and those of the ground truth, in order.
    """
    paired, num_predicted = 0, 0
    overlaps: list[float] = []
    for predicted, truth in narratives:
        paired += len(align(predicted, truth))
        num_predicted += len(predicted)
        found = {
            j: overlap(normalise(predicted[i]), normalise(truth[j]))
            for i, j in align(predicted, truth, overlap)
        }
        overlaps += [found.get(j, 0.0) for j in range(len(truth))]
    return NounScores(
        recall=paired / len(overlaps) if overlaps else float("nan"),
        precision=paired / num_predicted if num_predicted else float("nan"),
        relaxed=average_recall(np.asarray(overlaps)),
    )
