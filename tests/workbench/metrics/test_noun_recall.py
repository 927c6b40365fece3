"""AR_text: what counts as equal, which phrases are paired, and the figures."""

import math

import pytest

from workbench.metrics.noun_recall import align, normalise, noun_scores, overlap

TRUTH = ["man", "red bus", "tree", "people"]
SAID = ["man", "bus", "tree", "tree"]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("The  Red bus.", "red bus"),
        ("an apple", "apple"),
        ("the a dog", "dog"),
        ("a", ""),
        ("T-shirt", "t shirt"),
        ("the man's hat", "mans hat"),
        ("“tree”", "tree"),
        ("another_tree", "another tree"),
        ("ÉTÉ", "été"),
        ("...", ""),
    ],
)
def test_normalise(phrase, expected):
    assert normalise(phrase) == expected


def test_worked_example():
    scores = noun_scores([(SAID, TRUTH)])
    assert scores.recall == 0.5
    assert scores.precision == 0.5
    assert scores.relaxed == pytest.approx(0.625)


def test_pairs():
    assert align(SAID, TRUTH) == [(0, 0), (2, 2)]
    assert align(SAID, TRUTH, overlap) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("said", "truth", "pairs"),
    [
        ([], ["a man"], []),
        (["man"], [], []),
        (["b", "x"], ["x", "b"], [(0, 1)]),  # order is kept: one of two, the earlier said
        (["x"], ["x", "x"], [(0, 0)]),  # once said, the first of two
        (["x", "x"], ["x"], [(0, 0)]),
        (["x", "x"], ["The x", "x"], [(0, 0), (1, 1)]),
        (["a"], ["the"], []),  # nothing is left of either
        (["x", "y", "z"], ["z", "x", "y"], [(0, 1), (1, 2)]),
    ],
)
def test_pairs_of_edge_cases(said, truth, pairs):
    assert align(said, truth) == pairs


def test_overlap_pairs_by_the_best_sum():
    said, truth = ["red square", "big blue square"], ["blue square", "big blue square"]
    assert align(said, truth, overlap) == [(0, 0), (1, 1)]
    assert align(["red bus", "bus"], ["bus"], overlap) == [(1, 0)]


def test_narratives_are_pooled():
    scores = noun_scores([(["a"] * 3 + ["x"], ["x"]), ([], ["y", "z", "v"])])
    assert scores.recall == 0.25
    assert scores.precision == 0.25


def test_nothing_to_find_or_said():
    scores = noun_scores([([], [])])
    assert math.isnan(scores.recall)
    assert math.isnan(scores.precision)
    assert math.isnan(scores.relaxed)
    said_nothing = noun_scores([([], ["x"])])
    assert said_nothing.recall == 0.0
    assert math.isnan(said_nothing.precision)
