"""Stage ``segment``: checkpoints of one training to scored entities of one split.

    python -m workbench.stages.segment cropformer

Reads ``segment.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/entities/KEY/`` whole: a file
``seed-<s>.jsonl`` for each checkpoint, and ``segment.json`` with what each took.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import BadInput, EsgError, MissingInput
from workbench.files import atomic_folder, sha256_file, write_json
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.params import instance, load_params, stage_of
from workbench.paths import Layout, project_root
from workbench.segmentation.split import SplitJob

STAGE = "segment"


def segment_stage(key: str) -> Path:
    """Segment a split with the checkpoint of every seed and return the folder written.

    Raises:
        BadInput: Unknown key, or a checkpoint, data set or override that cannot be used.
        MissingInput: An earlier stage has not run.
        EsgError: A seed's process failed; it has said why.
    """
    params = load_params()
    item = instance(params, STAGE, key)
    for field in ("checkpoint", "dataset"):
        if field not in item:
            raise BadInput("params.yaml", f"{STAGE}.{key}.{field}", "missing", "name it")
    layout, launch = Layout(params["scale"]), launch_of(params)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    trained = stage_of(params, item["checkpoint"])
    checkpoints = finished_checkpoints(layout, item["checkpoint"], trained)
    target = layout.entities(key)
    runs, scores = [], set()
    with atomic_folder(target) as aside:
        for seed, checkpoint in checkpoints:
            job = SplitJob(
                title=f"{key} seed {seed}",
                checkpoint=str(checkpoint),
                manifest=str(manifest),
                split=item.get("split", "val"),
                overrides=item.get("overrides") or {},
                field=f"{STAGE}.{key}.overrides",
                output=str(aside / f"seed-{seed}.jsonl"),
            )
            measured = run_job("workbench.segmentation.split", job, launch)
            scores.add(measured.pop("score"))
            runs.append({"seed": seed, **measured})
        content = {"key": key, "scale": layout.scale, "score": scores.pop(), "runs": runs}
        write_json(aside / "segment.json", content)
    return target


def finished_checkpoints(
    layout: Layout, train_key: str, stage: str = "train"
) -> list[tuple[int, Path]]:
    """Return (seed, file) of a training's finished checkpoints, whose hashes must be right."""
    folder = layout.checkpoints(train_key)
    record = folder / "train.json"
    fix = f"dvc repro {stage}@{train_key}"
    if not record.is_file():
        raise MissingInput(record, fix)
    try:
        runs = json.loads(record.read_text(encoding="utf-8"))["runs"]
        found = [
            (int(run["seed"]), folder / f"seed-{run['seed']}.pth", str(run["checkpoint_sha256"]))
            for run in runs
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(record, "runs", f"cannot be read ({error!r})", fix) from error
    if not found:
        raise BadInput(record, "runs", "is empty", fix)
    for _, path, expected in found:
        if not path.is_file():
            raise MissingInput(path, fix)
        if sha256_file(path) != expected:
            raise BadInput(path, "bytes", "not those that train.json records", fix)
    return [(seed, path) for seed, path, _ in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        print("usage: python -m workbench.stages.segment KEY", file=sys.stderr)
        return 2
    try:
        os.chdir(project_root())
        print(segment_stage(given[0]))
    except EsgError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
