"""The kinds of predictions that a row of a table is scored from: entities and groundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import BadInput, MissingInput
from workbench.metrics import entity_ap, grounding_recall
from workbench.metrics.coco_truth import DatasetTruth, Truth
from workbench.metrics.groundings import entities_beside, read_groundings
from workbench.metrics.predictions import PredictionFile
from workbench.params import PREDICTIONS
from workbench.scoring.records import number
from workbench.shards import ALONE, Shard

# Parts of a grounding's time as Table XII adds them up, by the model's own clocks.
COMPONENTS = {
    "LLM_time_s": ("language",),
    "IME_time_s": ("image", "colormap"),
    "MMD_time_s": ("masks",),
    "ALL_time_s": ("language", "image", "colormap", "masks"),
}


@dataclass(frozen=True)
class FileScore:
    """Metric values of one predictions file (NaN where undefined), counts, sentences on both."""

    values: dict[str, float]
    counts: dict[str, int]
    remarks: list[str]


class Kind(Protocol):
    """How predictions of one kind are found and scored.

    Attributes:
        stage: That makes them; its map in ``params.yaml`` has their keys. None where no stage does.
        record: The file beside them, with what each run took.
        metrics: Names of the metrics.
        measured: Names of what the stage measured beside the metrics.
        in_ranks: Whether several processes can share the work of scoring.
    """

    @property
    def stage(self) -> str | None: ...
    @property
    def record(self) -> str: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...
    @property
    def measured(self) -> tuple[str, ...]: ...
    @property
    def in_ranks(self) -> bool: ...

    def file(self, folder: Path, seed: int) -> Path:
        """Return the predictions of one seed."""

    def truth(self, manifest: Path, split: str, fix: str) -> Any:
        """Return the annotations of a split."""

    def sizes(self, truth: Any) -> dict[str, int]:
        """Return how much there is to find."""

    def score(
        self, path: Path, truth: Any, about: Mapping[str, Any], shard: Shard = ALONE
    ) -> FileScore:
        """Score a file, ``about`` which its record says how it was made; alone or in ranks."""

    def measurements(self, run: Mapping[str, Any]) -> dict[str, float]:
        """Return the values of ``measured`` that a run recorded."""


class Entities:
    """Entities of the segment stage, or of any tool, against annotated masks."""

    stage, record = PREDICTIONS["entities"], "segment.json"
    metrics: tuple[str, ...] = entity_ap.METRICS
    measured: tuple[str, ...] = ()
    in_ranks = True

    def file(self, folder: Path, seed: int) -> Path:
        """Return a seed's file of one line an image."""
        return folder / f"seed-{seed}.jsonl"

    def truth(self, manifest: Path, split: str, fix: str) -> Truth:
        """Return a split, read picture by picture by its own adapter."""
        from workbench.datasets import load_entities

        if not manifest.is_file():
            raise MissingInput(manifest, fix)
        return DatasetTruth(load_entities(manifest, split))

    def sizes(self, truth: Any) -> dict[str, int]:
        """Return the numbers of images and of entities that are not crowds."""
        return {"num_images": len(truth), "num_entities": truth.num_entities}

    def score(
        self, path: Path, truth: Any, about: Mapping[str, Any], shard: Shard = ALONE
    ) -> FileScore:
        """Score entities; nothing of ``about`` matters to them."""
        scores = entity_ap.score_entity_file(truth, PredictionFile(path), shard)
        counts = {
            "num_images": scores.num_images,
            "num_entities": scores.num_entities,
            "num_predictions": scores.num_predictions,
            "images_without_prediction": scores.images_without_prediction,
            "entities_with_id_zero": scores.num_id_zero,
        }
        return FileScore(scores.metrics, counts, scores.remarks())

    def measurements(self, run: Mapping[str, Any]) -> dict[str, float]:
        """Return nothing: times and memory are read for every kind."""
        return {}


class Groundings:
    """Groundings of the ground stage, or of any tool, against annotated narratives."""

    stage, record = PREDICTIONS["groundings"], "groundings.json"
    metrics: tuple[str, ...] = grounding_recall.METRICS
    measured: tuple[str, ...] = ("reconstruction_miou", "reconstruction_ap", *COMPONENTS)
    in_ranks = True

    def file(self, folder: Path, seed: int) -> Path:
        """Return a seed's file of one line a narrative."""
        return folder / f"seed-{seed}.jsonl"

    def truth(self, manifest: Path, split: str, fix: str) -> Any:
        """Return the narratives of a split."""
        from workbench.datasets.narratives import load_narratives

        if not manifest.is_file():
            raise MissingInput(manifest, fix)
        return load_narratives(manifest, split)

    def sizes(self, truth: Any) -> dict[str, int]:
        """Return the number of narratives."""
        return {"num_narratives": len(truth.narratives)}

    def score(
        self, path: Path, truth: Any, about: Mapping[str, Any], shard: Shard = ALONE
    ) -> FileScore:
        """Score groundings.

        Args:
            path: The file; the masks that it names are beside it where they are not annotated.
            truth: Narratives of the split.
            about: ``threshold``, above which a plural phrase means an entity.
            shard: Of the processes that share the narratives.
        """
        entities = entities_beside(path)
        masks_of: grounding_recall.MasksOf = grounding_recall.ground_truth_masks
        if entities.is_file():
            masks_of = grounding_recall.predicted_masks(entities, truth)
        threshold = about.get("threshold")
        if not isinstance(threshold, int | float):
            raise BadInput(path, "threshold", repr(threshold), "run the ground stage again")
        rule = grounding_recall.ChoiceRule(threshold=float(threshold))
        groundings = read_groundings(path, truth.narratives)
        scores = grounding_recall.score_groundings(truth, groundings, masks_of, rule, shard)
        return FileScore(scores.metrics, scores.counts, scores.remarks())

    def measurements(self, run: Mapping[str, Any]) -> dict[str, float]:
        """Return quality of the rebuilt masks (fractions) and seconds by component, a narrative."""
        times = run.get("component_times_ms") or {}
        known = {
            name: number(None)
            if any(part not in times for part in parts)
            else sum(times[part] for part in parts) / 1000
            for name, parts in COMPONENTS.items()
        }
        names = ("reconstruction_miou", "reconstruction_ap")
        return {**{name: number(run.get(name)) for name in names}, **known}


# Keyed by the folder of artifacts/<scale>/ that holds them.
KINDS: dict[str, Kind] = {"entities": Entities(), "groundings": Groundings()}
