"""Which numbers of a row's score files a column is made of.

A row has one score file, ``<row>.json``, or one a part (data set, split), ``<row>.<part>.json``. A
column's ``source`` is the metric of the only file, ``PART.METRIC``, or the mean of several:
``mean(lvis.recall50, ocid.recall50)``. A mean is taken seed by seed.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import BadInput

_NAME = r"[A-Za-z0-9_-]+"
_TERM = re.compile(rf"(?:(?P<part>{_NAME})\.)?(?P<metric>{_NAME})")
_MEAN = re.compile(r"mean\((?P<terms>[^()]*)\)")
NO_PART = ""

# Content of a row's score files by part, ``NO_PART`` for the only file of a row without parts.
PartScores = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Term:
    """One metric of one part; ``part`` is ``NO_PART`` for rows without parts."""

    part: str
    metric: str


def parse_source(text: str) -> tuple[Term, ...]:
    """Return the terms of a column's source, more than one for a mean.

    Raises:
        ValueError: Not a source.
    """
    mean = _MEAN.fullmatch(text.strip())
    terms = tuple(_term(term) for term in (mean["terms"].split(",") if mean else [text]))
    if mean and len(set(terms)) < max(len(terms), 2):
        raise ValueError(f"{text!r}: a mean is of several, each once")
    return terms


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r}: use METRIC, PART.METRIC or mean(PART.METRIC, ...)")
    return Term(match["part"] or NO_PART, match["metric"])


def by_row(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return score files, named ``row`` or ``row.part``, by row and part."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, score in scores.items():
        row, _, part = name.partition(".")
        found.setdefault(row, {})[part] = score
    return found


def parts_of(sources: Iterable[Sequence[Term]]) -> list[str]:
    """Return the parts that some columns need, in order."""
    return list(dict.fromkeys(term.part for terms in sources for term in terms))


def values_of(term: Term, scores: PartScores) -> list[float | None]:
    """Return the values of a term, one a seed in the order of its provenance.

    Raises:
        BadInput: Its score file has no such metric.
    """
    score = scores[term.part]
    if term.metric not in score["metrics"]:
        where = f"score of {score.get('row')}"
        raise BadInput(where, f"metrics.{term.metric}", "missing", "run the evaluate stage again")
    return list(score["metrics"][term.metric]["values"])


def measured(terms: Sequence[Term], scores: PartScores) -> Mapping[str, Any]:
    """Return mean, standard deviation and number of seeds of a column; empty if a part lacks.

    Raises:
        BadInput: A score file has no such metric, or the parts are of different seeds.
    """
    if any(term.part not in scores for term in terms):
        return {}
    if len(terms) == 1:
        values_of(terms[0], scores)
        return dict(scores[terms[0].part]["metrics"][terms[0].metric])
    _check_seeds(terms, scores)
    values = zip(*(values_of(term, scores) for term in terms), strict=True)
    complete = [[v for v in each if v is not None] for each in values]
    seeds = [statistics.fmean(each) for each in complete if len(each) == len(terms)]
    defined = bool(seeds) and len(seeds) == len(complete)
    return {
        "mean": statistics.fmean(seeds) if defined else None,
        "std": statistics.stdev(seeds) if defined and len(seeds) > 1 else None,
        "n": len(complete),
    }


def _check_seeds(terms: Sequence[Term], scores: PartScores) -> None:
    seeds = {
        term.part: [run.get("seed") for run in scores[term.part]["provenance"]] for term in terms
    }
    first, *others = seeds
    for part in others:
        if seeds[part] != seeds[first]:
            row = scores[part].get("row")
            problem = f"seeds {seeds[part]}, but {seeds[first]} of part {first}"
            raise BadInput(f"score of {row}", "provenance", problem, "evaluate both again")
