"""Training curves as files that ``dvc plots`` shows, beside the other reports of a scale.

They come from the store of runs when the report is made, not from the trainings: one more output
of these would make all of them stale.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from workbench.files import write_text
from workbench.params import TRAININGS
from workbench.paths import Layout
from workbench.tracking.history import Curve, curves

LOSS, SCORE = "loss", "score"
LOGGED_LOSS = "train/loss"
MAX_POINTS = 100


def write_curves(root: Path, layout: Layout, params: Mapping[str, Any]) -> None:
    """Write loss and validation score over iterations, a file each for every seed of a training.

    A curve of a run that the store does not know stays as it is. Files of trainings that are no
    longer in ``params.yaml`` are removed.

    Args:
        root: The project.
        layout: Of the scale; the files are ``<layout.curves(LOSS)>/<training>.seed-<s>.csv``.
        params: Content of ``params.yaml``.
    """
    for kind in (LOSS, SCORE):
        folder = root / layout.curves(kind)
        folder.mkdir(parents=True, exist_ok=True)
        keys = {key for stage in TRAININGS for key in params.get(stage) or {}}
        for path in folder.glob("*.csv"):
            if path.name.partition(".")[0] not in keys:
                path.unlink()
    runs = list(_runs(root, layout, params))
    losses = curves(root, [run["run_id"] for _, run in runs], LOGGED_LOSS)
    for name, run in runs:
        run_id, metric = run["run_id"], next(iter(run.get("val") or ()), None)
        scores = curves(root, [run_id], f"val/{metric}") if metric else {}
        _write(root / layout.curves(LOSS) / name, LOSS, losses.get(run_id))
        _write(root / layout.curves(SCORE) / name, SCORE, scores.get(run_id), metric)


def _runs(
    root: Path, layout: Layout, params: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield file name and record of every finished run whose training is in ``params.yaml``."""
    for key in (key for stage in TRAININGS for key in params.get(stage) or {}):
        trained = layout.checkpoints(key) / "train.json"
        pretrained = layout.pretrained(key) / "pretrain.json"
        for path in (root / trained, root / pretrained):
            for run in _recorded(path):
                yield f"{key}.seed-{run['seed']}.csv", run


def _recorded(path: Path) -> list[dict[str, Any]]:
    """Return the runs of a stage's record; none if it cannot be read, which that stage will say."""
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return [run for run in runs if {"seed", "run_id"} <= run.keys()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _write(path: Path, column: str, curve: Curve | None, metric: str | None = None) -> None:
    """Write a curve; ``metric`` names what a score is of."""
    if not curve:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["iteration", column, *(["metric"] if metric else [])])
    for step, value in thinned(curve):
        writer.writerow([step, f"{value:.6g}", *([metric] if metric else [])])
    write_text(path, text.getvalue())


def thinned(curve: Curve, most: int = MAX_POINTS) -> Curve:
    """Return at most ``most`` points: means of neighbours, at the last one's iteration."""
    size = -(-len(curve) // most)
    groups = [curve[start : start + size] for start in range(0, len(curve), size)]
    return [(group[-1][0], fmean(value for _, value in group)) for group in groups]
