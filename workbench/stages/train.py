"""Stage train: resolved config and data to finished weights, one process per seed.

Run as ``python -m workbench.stages.train KEY``; reads ``train.KEY`` of ``params.yaml``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.params import load_params, training
from workbench.paths import Layout
from workbench.stages.cli import run_stage

TRAINER = "workbench.engine.launch"


def train(key: str) -> Path:
    """Train all seeds of an instance and write its checkpoints folder whole.

    Returns:
        The folder, with ``seed-<s>.pth`` and ``train.json``.

    Raises:
        MissingInput: The resolved config or the data is not there.
        Interrupted: Stopped by a signal; the same call resumes.
    """
    from workbench.engine.launch import TrainJob

    params = load_params()
    item = training(params, key)
    layout, launch = Layout(params["scale"]), launch_of(params)
    config = layout.resolved_config(key)
    if not config.is_file():
        raise MissingInput(config, f"make it with the stage resolve (`dvc repro resolve@{key}`)")
    runs = []
    for seed in seeds_of(key, item):
        project = str(item.get("project", "cropformer"))
        job = TrainJob(str(config), key, project, layout.scale, seed, resume=True, options={})
        runs.append(run_job(TRAINER, job, launch))
    _write_outputs(layout, key, runs)
    print(f"{key}: weights of {len(runs)} seeds in {layout.checkpoints(key)}")
    return layout.checkpoints(key)


def seeds_of(key: str, item: dict[str, Any]) -> list[int]:
    """Return an instance's seeds, [0] if it names none.

    Raises:
        BadInput: Not a list of different non-negative integers.
    """
    seeds = item.get("seeds", [0])
    whole = isinstance(seeds, list) and all(type(s) is int and s >= 0 for s in seeds)
    if not whole or not seeds or len(set(seeds)) != len(seeds):
        fix = "give a list of different non-negative integers"
        raise BadInput("params.yaml", f"train.{key}.seeds", repr(seeds), fix)
    return list(seeds)


def _write_outputs(layout: Layout, key: str, runs: list[dict[str, Any]]) -> None:
    with atomic_folder(layout.checkpoints(key)) as aside:
        records = []
        for run in runs:
            shutil.copyfile(run["weights"], aside / f"seed-{run['seed']}.pth")
            records.append({name: value for name, value in run.items() if name != "weights"})
        write_json(aside / "train.json", {"key": key, "scale": layout.scale, "runs": records})


def train_config(
    config: Path, resume: bool, options: dict[str, Any], seed: int = 0
) -> dict[str, Any]:
    """Train any config of ours outside the pipeline (``esg train``).

    Args:
        config: MMEngine config; the folder above it names the project.
        resume: Continue or reuse the run of the same fingerprint; else it starts anew.
        options: Dotted config keys to values, over the file's.
        seed: Non-negative.

    Returns:
        The run's fields of ``train.json`` and ``weights``, the path of the finished file.
    """
    from workbench.engine.launch import TrainJob

    if not config.is_file():
        raise MissingInput(config, "give the path of a config, e.g. one under configs/")
    params = load_params()
    scale, launch = params["scale"], launch_of(params)
    project = config.resolve().parent.name
    key = config.stem
    job = TrainJob(str(config.resolve()), key, project, scale, seed, resume, options)
    return run_job(TRAINER, job, launch)


if __name__ == "__main__":
    sys.exit(run_stage(train, sys.argv))
