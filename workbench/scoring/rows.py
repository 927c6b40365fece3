"""Rows that are scored by one of the families of ``esg evaluate``, from a folder of predictions.

``artifacts/<scale>/<folder>/<key>/`` holds, for each seed, ``seed-<N>.json``, ``seed-<N>.jsonl`` or
the folder ``seed-<N>`` in the family's form (docs/predictions.md; panoptic images have the JSON and
the folder beside it), and a record as the segment stage writes one: ``runs``, one a seed, with
``seed`` and what is known of ``checkpoint_sha256``, ``data_sha256``, ``infer_time_ms``,
``peak_memory_gib`` and ``device``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import MissingInput
from workbench.params import PREDICTIONS
from workbench.scoring.files import FileMetric, SharedMetric
from workbench.scoring.kinds import KINDS, FileScore
from workbench.shards import ALONE, Shard

RECORD = "predictions.json"
_SUFFIXES = (".json", ".jsonl", "")


@dataclass(frozen=True)
class FilePredictions:
    """Predictions of any folder of ``artifacts/<scale>``, scored by a family; see ``kinds.Kind``.

    Attributes:
        family: Scores them.
        folder: Name of the folder that their keys are in.
    """

    family: FileMetric
    folder: str

    @property
    def stage(self) -> str | None:
        return PREDICTIONS.get(self.folder)

    @property
    def record(self) -> str:
        if self.folder in KINDS:
            return KINDS[self.folder].record
        return RECORD if self.stage is None else f"{self.stage}.json"

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.family.metrics

    @property
    def measured(self) -> tuple[str, ...]:
        return ()

    @property
    def in_ranks(self) -> bool:
        return isinstance(self.family, SharedMetric)

    def file(self, folder: Path, seed: int) -> Path:
        """Return a seed's file or, where there is none, its folder.

        Raises:
            MissingInput: Neither is there.
        """
        for suffix in _SUFFIXES:
            path = folder / f"seed-{seed}{suffix}"
            if path.exists():
                return path
        names = " or ".join(f"seed-{seed}{suffix}" for suffix in _SUFFIXES)
        raise MissingInput(folder / f"seed-{seed}", f"write {names}, see docs/predictions.md")

    def truth(self, manifest: Path, split: str, fix: str) -> tuple[Path, str]:
        """Return what the family reads annotations from."""
        if not manifest.is_file():
            raise MissingInput(manifest, fix)
        return manifest, split

    def sizes(self, truth: Any) -> dict[str, int]:
        """Return nothing: counts are in the provenance of each seed."""
        return {}

    def score(
        self, path: Path, truth: Any, about: Mapping[str, Any], shard: Shard = ALONE
    ) -> FileScore:
        """Score a seed; nothing of ``about`` matters."""
        if isinstance(self.family, SharedMetric):
            return self.family.score_in_ranks(path, truth[0], truth[1], shard)
        return self.family.score(path, *truth)

    def measurements(self, run: Mapping[str, Any]) -> dict[str, float]:
        """Return nothing: times and memory are read for every kind."""
        return {}
