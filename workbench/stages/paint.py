"""Stage ``paint``: checkpoints of one training to maps of one split.

    python -m workbench.stages.paint mask2former-12ep

Reads ``paint.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/maps/KEY/`` whole: for each
checkpoint ``seed-<s>.json`` and PNGs in ``seed-<s>/`` (form panoptic), the PNGs alone (forms
semantic and grey) or ``seed-<s>.jsonl`` (form instances), as ``esg evaluate`` takes them
(``panoptic_quality``, ``mean_iou``, ``dichotomous``, ``instance_ap``); and ``paint.json`` with what
each took.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.painting.forms import FORMS
from workbench.painting.split import PaintJob
from workbench.params import instance, load_params, stage_of
from workbench.paths import Layout
from workbench.stages.cli import run_stage
from workbench.stages.segment import finished_checkpoints


def paint(key: str) -> Path:
    """Paint a split with the checkpoint of every seed and return the folder written.

    Raises:
        BadInput: Unknown key, or a checkpoint, data set or field that cannot be used.
        MissingInput: An earlier stage has not run.
        EsgError: A seed's process failed; it has said why.
    """
    params = load_params()
    item = instance(params, "paint", key)
    _check(key, item)
    layout, launch = Layout(params["scale"]), launch_of(params)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    trained = stage_of(params, item["checkpoint"])
    target, runs = layout.maps(key), []
    with atomic_folder(target) as aside:
        for seed, checkpoint in finished_checkpoints(layout, item["checkpoint"], trained):
            job = PaintJob(
                title=f"{key} seed {seed}",
                checkpoint=str(checkpoint),
                manifest=str(manifest),
                split=item["split"],
                form=item["form"],
                overrides=item.get("overrides") or {},
                field=f"paint.{key}.overrides",
                output=str(aside / f"seed-{seed}"),
            )
            runs.append({"seed": seed, **run_job("workbench.painting.split", job, launch)})
        about = {name: item[name] for name in ("dataset", "split", "form")}
        content = {"key": key, "scale": layout.scale, **about, "runs": runs}
        write_json(aside / "paint.json", content)
    return target


def _check(key: str, item: dict[str, Any]) -> None:
    """Refuse an instance with a field missing or of an unknown form."""
    for field in ("checkpoint", "dataset", "split", "form"):
        if field not in item:
            raise BadInput("params.yaml", f"paint.{key}.{field}", "missing", "add it")
    if item["form"] not in FORMS:
        fix = f"use one of: {', '.join(FORMS)}"
        raise BadInput("params.yaml", f"paint.{key}.form", repr(item["form"]), fix)


if __name__ == "__main__":
    sys.exit(run_stage(paint, sys.argv))
