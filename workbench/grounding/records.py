"""Groundings as records: one JSON line a narrative (see docs of the stage ``ground``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.grounding.schema import GroundingAnswer

DECIMALS = 5


def find_spans(caption: str, nouns: Sequence[str]) -> list[tuple[int, int] | None]:
    """Return where each noun stands in a caption, each found after the one before it.

    A noun that is not found there, case aside, gets None and moves nothing.
    """
    spans: list[tuple[int, int] | None] = []
    lowered, at = caption.lower(), 0
    for noun in nouns:
        start = lowered.find(noun.lower(), at) if noun else -1
        if start < 0:
            spans.append(None)
            continue
        at = start + len(noun)
        spans.append((start, at))
    return spans


def grounding_record(
    answer: GroundingAnswer,
    entity_ids: Sequence[int],
    threshold: float,
    truth: Sequence[int | None] | None = None,
) -> dict[str, Any]:
    """Return an answer as a record without the picture's fields.

    Args:
        answer: Of a model.
        entity_ids: Id of each mask of the request.
        threshold: A noun means every entity of a higher probability, or the likeliest if none has.
        truth: Annotated phrase of each noun, or None; all None by default.
    """
    spans = find_spans(answer.caption, answer.nouns)
    phrases = []
    for at, noun in enumerate(answer.nouns):
        scores = [round(float(p), DECIMALS) for p in answer.probabilities[at]]
        meant = [e for e, score in zip(entity_ids, scores, strict=True) if score > threshold]
        likeliest = entity_ids[scores.index(max(scores))]
        span = spans[at]
        phrases.append(
            {
                "text": noun,
                "start": span[0] if span else None,
                "end": span[1] if span else None,
                "entity_ids": meant or [likeliest],
                "scores": scores,
                "gt_phrase": truth[at] if truth else None,
            }
        )
    return {
        "caption": answer.caption,
        "phrases": phrases,
        "entities": list(entity_ids),
        "generated_text": answer.answer,
    }
