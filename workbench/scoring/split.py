"""One seed's predictions of a split scored, in this process or by several that share the work."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.jobs import answer_job, run_job
from workbench.launching import Launch
from workbench.scoring.families import FILE_METRICS
from workbench.scoring.kinds import KINDS, FileScore, Kind
from workbench.scoring.records import number, or_none
from workbench.scoring.rows import FilePredictions
from workbench.shards import ALONE, Shard


@dataclass(frozen=True)
class ScoreJob:
    """What to score.

    Attributes:
        title: For messages, e.g. ``VI__cropformer seed 0``.
        folder: Name of the folder below ``artifacts/<scale>`` that the predictions are in.
        metric: Family of docs/predictions.md; None for the one of the folder's kind.
        path: The predictions of the seed.
        manifest: Of the data set.
        split: Of the data set.
        fix: What makes the manifest.
        about: What the record of the predictions says of all seeds.
    """

    title: str
    folder: str
    metric: str | None
    path: str
    manifest: str
    split: str
    fix: str
    about: Mapping[str, Any]


def kind_of(folder: str, metric: str | None) -> Kind:
    """Return how predictions of a folder are scored."""
    if metric in FILE_METRICS:
        return FilePredictions(FILE_METRICS[metric], folder)
    return KINDS[folder]


def score(job: ScoreJob, launch: Launch) -> tuple[FileScore, dict[str, int]]:
    """Score one seed and tell how much there is to find.

    Raises:
        BadInput, MissingInput: Files that cannot be used.
        EsgError: One of several processes failed; it has said why.
    """
    if launch.distributed and kind_of(job.folder, job.metric).in_ranks:
        made = run_job("workbench.scoring.split", job, launch)
    else:
        made = score_shard(job, ALONE)
    values = {name: number(value) for name, value in made["values"].items()}
    return FileScore(values, made["counts"], made["remarks"]), made["sizes"]


def score_shard(job: ScoreJob, shard: Shard) -> dict[str, Any]:
    """Return ``values`` (None where undefined), ``counts``, ``remarks`` and ``sizes`` of all.

    Args:
        job: What to score.
        shard: Whose items are scored here.
    """
    kind = kind_of(job.folder, job.metric)
    truth = kind.truth(Path(job.manifest), job.split, job.fix)
    scores = kind.score(Path(job.path), truth, job.about, shard)
    return {
        "values": {name: or_none(value) for name, value in scores.values.items()},
        "counts": scores.counts,
        "remarks": scores.remarks,
        "sizes": kind.sizes(truth),
    }


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], ScoreJob, lambda job, _: score_shard(job, Shard())))
