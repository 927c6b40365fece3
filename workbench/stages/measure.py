"""Measure one row of a table that needs no model: a data set itself, or two annotations of it.

    python -m workbench.stages.measure I__coco

Reads ``measure.KEY`` of ``params.yaml`` and the data set's manifest at the scale named there;
writes ``artifacts/<scale>/scores/<table>/<row>.json`` with the values of one family of metrics, in
the family's own units.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, write_json
from workbench.params import instance, load_params
from workbench.paths import Layout, project_root
from workbench.scoring.families import FILE_METRICS, check_needed
from workbench.scoring.files import locate
from workbench.scoring.records import summary
from workbench.stages.cli import run_stage
from workbench.tracking.git import git_state

DEVICE = "cpu"


def measure(key: str) -> Path:
    """Measure one row and return the file it is in.

    Raises:
        BadInput: Unknown key, metric or split, or faulty annotations.
        MissingInput: The data set has not been made ready.
    """
    params = load_params()
    item = instance(params, "measure", key)
    for field in ("table", "row", "metric", "dataset", "split"):
        if not isinstance(item.get(field), str):
            raise BadInput("params.yaml", f"measure.{key}.{field}", "missing", "name it")
    layout, metric = Layout(params["scale"]), item["metric"]
    if metric not in FILE_METRICS:
        fix = f"use one of {', '.join(FILE_METRICS)}"
        raise BadInput("params.yaml", f"measure.{key}.metric", repr(metric), fix)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    content = {
        "table": item["table"],
        "row": item["row"],
        "scale": layout.scale,
        **_measured(manifest, item),
        "score": None,
    }
    target = layout.score(item["table"], item["row"])
    write_json(target, content)
    return target


def _measured(manifest: Path, item: dict[str, Any]) -> dict[str, Any]:
    """Return metrics, provenance and remarks of a row."""
    metric, split, against = item["metric"], item["split"], item.get("against")
    described, source = None, manifest
    if against is not None:
        described, source = _annotations(manifest, split), _annotations(manifest, against)
    check_needed(described, metric)
    scores = FILE_METRICS[metric].score(described, source, split)
    git = git_state(project_root())
    run = {
        "seed": None,
        "git_commit": git.commit,
        "git_dirty": git.dirty,
        "data_sha256": sha256_file(manifest),
        "device": DEVICE,
        **scores.counts,
    }
    return {
        "metrics": {name: summary([value]) for name, value in scores.values.items()},
        "provenance": [run],
        "remarks": scores.remarks,
    }


def _annotations(manifest: Path, split: str) -> Path:
    """Return the annotation file of a split."""
    path = locate(manifest, split).annotations
    if path is None:
        fix = "name a split with an annotation file"
        raise BadInput(manifest, f"splits.{split}.annotations", "missing", fix)
    return path


if __name__ == "__main__":
    sys.exit(run_stage(measure, sys.argv))
