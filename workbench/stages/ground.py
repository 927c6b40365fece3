"""Stage ``ground``: checkpoints of one training to groundings of one split.

    python -m workbench.stages.ground gella-7b

Reads ``ground.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/groundings/KEY/`` whole: a file
``seed-<s>.jsonl`` for each checkpoint, the masks that it names where they are not the annotated
ones, and ``groundings.json`` with what each took.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.grounding.schema import WITHHELD
from workbench.grounding.split import GroundJob
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.metrics.groundings import entities_beside
from workbench.params import instance, load_params
from workbench.paths import Layout
from workbench.stages.asking import check_masks, check_threshold, entities_of_seed, made_with
from workbench.stages.cli import run_stage
from workbench.stages.segment import finished_checkpoints

MODES = ("generated", "teacher-forced")


def ground(key: str) -> Path:
    """Ground a split with the checkpoint of every seed and return the folder written.

    Raises:
        BadInput: Unknown key, or a checkpoint, data set or field that cannot be used.
        MissingInput: An earlier stage has not run.
        EsgError: A seed's process failed; it has said why.
    """
    params = load_params()
    item = instance(params, "ground", key)
    _check(key, item)
    layout, launch = Layout(params["scale"]), launch_of(params)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    checkpoints = finished_checkpoints(layout, item["checkpoint"], "finetune")
    target = layout.groundings(key)
    runs = []
    with atomic_folder(target) as aside:
        for seed, checkpoint in checkpoints:
            entities = entities_of_seed(layout, item["masks"], seed)
            output = aside / f"seed-{seed}.jsonl"
            job = GroundJob(
                title=f"{key} seed {seed}",
                checkpoint=str(checkpoint),
                manifest=str(manifest),
                split=item.get("split", "val"),
                entities=None if entities is None else str(entities),
                teacher_forced=item["mode"] == "teacher-forced",
                withheld=item.get("withheld"),
                threshold=float(item["threshold"]),
                overrides=item.get("overrides") or {},
                field=f"ground.{key}.overrides",
                output=str(output),
            )
            measured = run_job("workbench.grounding.split", job, launch)
            runs.append({"seed": seed, **made_with(entities), **measured})
            if entities is not None:
                shutil.copyfile(entities, entities_beside(output))
        kept = {name: item.get(name) for name in ("dataset", "masks", "mode", "threshold")}
        about = {**kept, "split": item.get("split", "val"), "withheld": item.get("withheld")}
        content = {"key": key, "scale": layout.scale, **about, "runs": runs}
        write_json(aside / "groundings.json", content)
    return target


def _check(key: str, item: dict[str, Any]) -> None:
    """Refuse an instance with a field missing or out of range."""
    for field in ("checkpoint", "dataset", "masks", "mode", "threshold"):
        if field not in item:
            raise BadInput("params.yaml", f"ground.{key}.{field}", "missing", "add it")
    choices = {"mode": MODES, "withheld": WITHHELD}
    for field, allowed in choices.items():
        if item.get(field) not in allowed:
            fix = f"use one of: {', '.join(map(str, allowed))}"
            raise BadInput("params.yaml", f"ground.{key}.{field}", repr(item.get(field)), fix)
    check_masks(f"ground.{key}", item)
    check_threshold(f"ground.{key}", item["threshold"])


if __name__ == "__main__":
    sys.exit(run_stage(ground, sys.argv))
