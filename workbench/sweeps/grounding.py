"""Validation of a grounding model during training, whose config has none of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop

from workbench.datasets.narratives import NarrativeDataset, load_narratives
from workbench.grounding.given import decode_masks, in_batches
from workbench.grounding.schema import GroundingAnswer, GroundingModel, GroundingRequest
from workbench.metrics.grounding_recall import ChoiceRule, ground_truth_masks, score_groundings
from workbench.metrics.groundings import GENERATED, GroundedPhrase, GroundingRecord, Groundings
from workbench.metrics.noun_recall import align
from workbench.photos import read_photo

BATCH = 16


@LOOPS.register_module()
class GroundingLoop(BaseLoop):
    """Grounds captions of a split; the model finds the nouns, masks are the annotated ones.

    Args:
        runner: MMEngine's; its config names the data as ``data_manifest``.
        dataloader: Not used; MMEngine gives one to every loop.
        evaluator: Likewise.
        split: Of the data set.
        num_narratives: The first so many of the split are grounded.
        threshold: Probability above which a plural noun means an entity.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Any,
        evaluator: Any,
        split: str,
        num_narratives: int,
        threshold: float,
    ) -> None:
        self._runner = runner
        self.threshold = threshold
        manifest = Path(runner.cfg.data_manifest)
        self.dataset = first_narratives(load_narratives(manifest, split), num_narratives)
        self.dataloader = self.dataset  # of which MMEngine's logging asks the length

    def run(self) -> dict[str, float]:
        """Score the model and hand the metrics to the hooks, as MMEngine's own loop does."""
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        self.runner.model.eval()
        scores = grounding_scores(self.runner.bare_model, self.dataset, self.threshold)
        self.runner.call_hook("after_val_epoch", metrics=scores)
        self.runner.call_hook("after_val")
        return scores


def first_narratives(dataset: NarrativeDataset, count: int) -> NarrativeDataset:
    """Return a data set of the first ``count`` narratives."""
    kept = dataset.narratives[:count]
    positions = {each.image_id: dataset.picture_index(at) for at, each in enumerate(kept)}
    return NarrativeDataset(dataset.entities, kept, positions, dataset.file)


def grounding_scores(
    model: GroundingModel, dataset: NarrativeDataset, threshold: float
) -> dict[str, float]:
    """Return the metrics of `workbench.metrics.grounding_recall`; NaN where undefined."""
    records: dict[int, GroundingRecord] = {}
    asked = ((at, *pair) for at, pair in enumerate(dataset) if pair[1].masks)
    for batch in in_batches(asked, BATCH):
        requests = [
            GroundingRequest(read_photo(image.file), decode_masks(image.masks), narrative.caption)
            for _, narrative, image in batch
        ]
        for (at, narrative, image), answer in zip(
            batch, model.ground_photos(requests), strict=True
        ):
            wanted = [phrase.text for phrase in narrative.phrases]
            phrases = _phrases(answer, wanted)
            records[at] = GroundingRecord(f"narrative {at}", at, tuple(image.segment_ids), phrases)
    groundings = Groundings(dataset.file, GENERATED, records)
    scores = score_groundings(dataset, groundings, ground_truth_masks, ChoiceRule(threshold))
    return dict(scores.metrics)


def _phrases(answer: GroundingAnswer, wanted: list[str]) -> tuple[GroundedPhrase, ...]:
    """Return an answer's nouns, each paired with the annotated phrase that it is."""
    paired = dict(align(answer.nouns, wanted))
    return tuple(
        GroundedPhrase(noun, tuple(map(float, answer.probabilities[at])), paired.get(at))
        for at, noun in enumerate(answer.nouns)
    )
