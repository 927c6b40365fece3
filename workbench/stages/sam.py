"""Stage ``sam``: entities of one split by SAM's automatic masks, where its weights are given.

    python -m workbench.stages.sam sam-h-lvis

Reads ``sam.KEY`` and ``sam_weights`` of ``params.yaml``; writes ``artifacts/<scale>/entities/KEY/``
as the segment stage does. Without weights it writes a record that says what is waited for, which
the row's score and table carry on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.params import instance, load_params
from workbench.paths import Layout
from workbench.sam.split import SamJob
from workbench.stages.cli import run_stage

WAITS = "a folder with SAM's weights: set sam_weights in params.yaml"


def sam(key: str) -> Path:
    """Segment a split and return the folder written.

    Raises:
        BadInput: Unknown key, a field is missing, or data or weights that cannot be used.
        MissingInput: The data set has not been made, or the folder of weights is not there.
        EsgError: The process failed; it has said why.
    """
    params = load_params()
    item = instance(params, "sam", key)
    for field in ("dataset", "split"):
        if field not in item:
            raise BadInput("params.yaml", f"sam.{key}.{field}", "missing", "name it")
    layout, weights = Layout(params["scale"]), params.get("sam_weights")
    manifest, target = layout.manifest(item["dataset"]), layout.entities(key)
    about = {"key": key, "scale": layout.scale, "score": "predicted_iou"}
    with atomic_folder(target) as aside:
        record = aside / "segment.json"
        if weights is None:
            write_json(record, {**about, "waits": WAITS})
            print(f"{key} waits for {WAITS}")
            return target
        if not manifest.is_file():
            raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
        folder = Path(str(weights)).expanduser()
        if not folder.is_dir():
            raise MissingInput(folder, "correct sam_weights in params.yaml, or set it to null")
        output = str(aside / "seed-0.jsonl")
        job = SamJob(key, str(folder), str(manifest), item["split"], output)
        run = run_job("workbench.sam.split", job, launch_of(params))
        write_json(record, {**about, "runs": [{"seed": 0, **run}]})
    return target


if __name__ == "__main__":
    sys.exit(run_stage(sam, sys.argv))
