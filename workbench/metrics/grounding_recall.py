"""Scores of a groundings file: recall of masks and of nouns, and what chance reaches.

Which entities a phrase means is decided here, from its scores and from the number of segments that
the ground truth has, as in the reference protocol (``png_recall.choose_entities``). Scored are the
grounded phrases of the ground truth: a phrase is plural if it has several segments, and a thing if
its last segment is one. A phrase that nothing in the file is paired with has IoU 0; the paper does
not say how it counts those (*assumed*).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import BadInput
from workbench.metrics.groundings import TEACHER_FORCED, GroundedPhrase, Groundings
from workbench.metrics.noun_recall import noun_scores
from workbench.metrics.png_recall import (
    SPLITS,
    choose_entities,
    mask_iou,
    mask_ious,
    mean,
    recall_area,
    split_recalls,
    union,
)
from workbench.metrics.predictions import read_predictions
from workbench.shards import ALONE, Shard, in_turns

if TYPE_CHECKING:
    from workbench.datasets import EntityImage
    from workbench.datasets.narratives import NarrativeDataset, Phrase

METRICS = (
    *SPLITS,
    "AR_text",
    "AR_text_relaxed",
    "precision_text",
    "AR_random",
    "AR_Th_random",
)

# Gives the masks (RLE) of a picture's entities by id.
MasksOf = Callable[["EntityImage"], Mapping[int, Any]]


@dataclass(frozen=True)
class GroundingScores:
    """Result of one evaluation.

    Attributes:
        metrics: Fractions in [0, 1] by the names in ``METRICS``; NaN where undefined.
            ``AR_random`` and ``AR_Th_random`` are what one entity of the picture, drawn uniformly
            for each phrase, reaches on average.
        counts: ``num_narratives`` with a grounded phrase, ``num_phrases`` grounded and, of these,
            ``num_things``, ``num_plural`` and ``num_context``; ``phrases_without_prediction`` and
            ``narratives_without_prediction``, which count as missed.
        mode: Mode of the file.
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    mode: str | None

    def remarks(self) -> list[str]:
        """Say in sentences what makes the numbers differ from what a reader expects."""
        said = []
        missed, total = (
            self.counts[name] for name in ("narratives_without_prediction", "num_narratives")
        )
        if missed:
            said.append(f"{missed} of {total} narratives have no record; their phrases are missed.")
        if not self.counts["num_phrases"]:
            said.append("No grounded phrase: every metric is undefined.")
        if self.mode == TEACHER_FORCED:
            said.append("The phrases were given to the model: AR_text is undefined.")
        return said


@dataclass(frozen=True)
class ChoiceRule:
    """How scores become entities; see ``png_recall.choose_entities``."""

    threshold: float
    singular: str = "argmax"


def ground_truth_masks(image: EntityImage) -> dict[int, Any]:
    """Return a picture's annotated masks by segment id."""
    return dict(zip(image.segment_ids, image.masks, strict=True))


def predicted_masks(path: Path, dataset: NarrativeDataset) -> MasksOf:
    """Open an entities file of the segment stage; its masks are called 1, 2, ... in each picture.

    Raises:
        MissingInput, BadInput: See ``workbench.metrics.predictions.read_predictions``.
    """
    sizes = {image.image_id: (image.height, image.width) for image in dataset.entities}
    masks: dict[Any, dict[int, Any]] = {image_id: {} for image_id in sizes}
    for result in read_predictions(path, sizes).results:
        of_image = masks[result["image_id"]]
        of_image[len(of_image) + 1] = result["segmentation"]
    return lambda image: masks[image.image_id]


def score_groundings(
    dataset: NarrativeDataset,
    groundings: Groundings,
    masks_of: MasksOf,
    rule: ChoiceRule,
    shard: Shard = ALONE,
) -> GroundingScores:
    """Score a file's phrases against the narratives of a split.

    Args:
        dataset: The split.
        groundings: Made on it.
        masks_of: Masks that the file's entity ids name.
        rule: How entities are chosen.
        shard: Whose narratives' masks are compared here; every process returns the scores of all.

    Raises:
        BadInput: An entity of the file that has no mask, or a phrase of the data set that means a
            segment which its picture does not have.
    """
    texts: list[tuple[list[str], list[str]]] = []
    scored: list[int] = []
    num_missing = 0
    for index, narrative in enumerate(dataset.narratives):
        truth = [phrase.text for phrase in narrative.phrases if phrase.grounded]
        if not truth:
            continue
        record = groundings.records.get(index)
        num_missing += record is None
        texts.append(([phrase.text for phrase in record.phrases] if record else [], truth))
        scored.append(index)
    own = [
        _score_narrative(dataset, index, groundings, masks_of, rule) for index in shard.of(scored)
    ]
    rows = _Rows()
    for each in in_turns(shard.everyone(own)):
        rows.extend(each)
    metrics = rows.metrics() | _text_metrics(texts, groundings.mode)
    counts = {"num_narratives": len(texts), "narratives_without_prediction": num_missing}
    return GroundingScores(
        {name: metrics[name] for name in METRICS}, rows.counts() | counts, groundings.mode
    )


def _text_metrics(texts: list[tuple[list[str], list[str]]], mode: str | None) -> dict[str, float]:
    names = ("AR_text", "precision_text", "AR_text_relaxed")
    if mode == TEACHER_FORCED:
        return dict.fromkeys(names, float("nan"))
    scores = noun_scores(texts)
    return dict(zip(names, (scores.recall, scores.precision, scores.relaxed), strict=True))


@dataclass
class _Rows:
    """Of each grounded phrase, in parallel: its area under the curve, that of chance, its tags."""

    areas: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    things: list[bool] = field(default_factory=list)
    plurals: list[bool] = field(default_factory=list)
    contexts: list[bool] = field(default_factory=list)
    num_unpaired: int = 0

    def extend(self, other: _Rows) -> None:
        self.areas += other.areas
        self.chances += other.chances
        self.things += other.things
        self.plurals += other.plurals
        self.contexts += other.contexts
        self.num_unpaired += other.num_unpaired

    def metrics(self) -> dict[str, float]:
        chances, things = np.asarray(self.chances), np.asarray(self.things, dtype=bool)
        return {
            **split_recalls(self.areas, self.things, self.plurals, self.contexts),
            "AR_random": mean(chances),
            "AR_Th_random": mean(chances[things]),
        }

    def counts(self) -> dict[str, int]:
        return {
            "num_phrases": len(self.areas),
            "num_things": sum(self.things),
            "num_plural": sum(self.plurals),
            "num_context": sum(self.contexts),
            "phrases_without_prediction": self.num_unpaired,
        }


def _score_narrative(
    dataset: NarrativeDataset,
    index: int,
    groundings: Groundings,
    masks_of: MasksOf,
    rule: ChoiceRule,
) -> _Rows:
    """Return the grounded phrases of one narrative."""
    from workbench.datasets.narratives import context_phrases

    rows = _Rows()
    narrative, image = dataset[index]
    isthing = {category.category_id: category.isthing for category in dataset.categories}
    thing_of = {
        segment: isthing[category]
        for segment, category in zip(image.segment_ids, image.category_ids, strict=True)
    }
    record = groundings.records.get(index)
    masks = list(_entity_masks(groundings, index, masks_of(image)).values())
    found = {phrase.gt_phrase: phrase for phrase in record.phrases} if record else {}
    for at, (phrase, context) in enumerate(
        zip(narrative.phrases, context_phrases(narrative), strict=True)
    ):
        if not phrase.grounded:
            continue
        truth = _truth_mask(phrase, image)
        plural = len(phrase.segment_ids) > 1
        rows.areas.append(_area(found.get(at), masks, truth, plural, rule))
        rows.chances.append(mean(recall_area(mask_ious(masks, truth) if masks else [0.0])))
        rows.things.append(thing_of[phrase.segment_ids[-1]])
        rows.plurals.append(plural)
        rows.contexts.append(context)
        rows.num_unpaired += at not in found
    return rows


def _area(
    phrase: GroundedPhrase | None, masks: list[Any], truth: Any, plural: bool, rule: ChoiceRule
) -> float:
    """Return what a phrase adds to the curve; IoU 0 where nothing was said or there is no mask."""
    scores = phrase.scores if phrase else ()
    chosen = choose_entities(scores, rule.threshold, plural, rule.singular)
    iou = mask_iou(union([masks[at] for at in chosen]), truth) if chosen else 0.0
    return float(recall_area(iou))


def _entity_masks(
    groundings: Groundings, index: int, known: Mapping[int, Any]
) -> Mapping[int, Any]:
    """Return the masks of a record's entities in their order; without a record, all of them."""
    record = groundings.records.get(index)
    if record is None:
        return known
    for at, number in enumerate(record.entities):
        if number not in known:
            where = f"{record.where}.entities[{at}]"
            fix = "score with the masks that were grounded"
            raise BadInput(groundings.path, where, f"{number} has no mask", fix)
    return {number: known[number] for number in record.entities}


def _truth_mask(phrase: Phrase, image: EntityImage) -> Any:
    annotated = ground_truth_masks(image)
    return union([annotated[number] for number in phrase.segment_ids])
