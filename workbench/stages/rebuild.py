"""Stage ``rebuild``: a split's annotated entities, rebuilt from their colormaps alone (Table XVI).

    python -m workbench.stages.rebuild colormap-mobilenetv2

Reads ``rebuild.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/entities/KEY/`` as the segment
stage does. No photograph is read. The colours of a picture follow from its id.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.params import instance, load_params
from workbench.paths import Layout, project_root
from workbench.segmentation.split import SplitJob
from workbench.stages.cli import run_stage
from workbench.stages.segment import finished_checkpoints

# How masks are scored: probability of being an entity times the mean probability in the mask.
SCORE = "entityness_times_mask_quality"


def rebuild(key: str) -> Path:
    """Rebuild a split with the checkpoint of every seed and return the folder written.

    Raises:
        BadInput: Unknown key, a field is missing, or a checkpoint, data set or override that cannot
            be used.
        MissingInput: An earlier stage has not run.
        EsgError: A seed's process failed; it has said why.
    """
    params = load_params()
    item = instance(params, "rebuild", key)
    for field in ("checkpoint", "dataset", "split"):
        if field not in item:
            raise BadInput("params.yaml", f"rebuild.{key}.{field}", "missing", "add it")
    layout, launch = Layout(params["scale"]), launch_of(params)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    target, runs = layout.entities(key), []
    with atomic_folder(target) as aside:
        for seed, checkpoint in finished_checkpoints(layout, item["checkpoint"]):
            job = SplitJob(
                title=f"{key} seed {seed}",
                checkpoint=str(checkpoint),
                manifest=str(manifest),
                split=item["split"],
                overrides=item.get("overrides") or {},
                field=f"rebuild.{key}.overrides",
                output=str(aside / f"seed-{seed}.jsonl"),
            )
            runs.append({"seed": seed, **run_job("workbench.rebuilding.split", job, launch)})
        content = {"key": key, "scale": layout.scale, "score": SCORE, "runs": runs}
        write_json(aside / "segment.json", content)
    return target


if __name__ == "__main__":
    os.chdir(project_root())
    sys.exit(run_stage(rebuild, sys.argv))
