"""Stages sweep and sweep_finetune: a hyper-parameter search to its results.

Run as ``python -m workbench.stages.sweep KEY``, for ``configs/sweeps/KEY.yaml``. Writes
``artifacts/<scale>/sweeps/KEY/``: best values, table of trials, plots. The study itself is kept
outside, in ``work_dirs`` or at ``$OPTUNA_STORAGE``, so that an interrupted one goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.errors import BadInput, Interrupted
from workbench.params import instance, load_params
from workbench.paths import Layout, project_root
from workbench.stages.cli import run_stage
from workbench.sweeps.run import run_sweep
from workbench.sweeps.spec import load_spec


def sweep(key: str) -> Path:
    """Run a sweep to its number of trials and return the folder of its results.

    Raises:
        BadInput: ``params.yaml`` and the sweep name different trainings.
        Interrupted: Fewer trials are finished: the time was up, or workers died. DVC would take the
            stage for done; the same command goes on.
        MissingInput, EsgError: See `workbench.sweeps.run.run_sweep`.
    """
    params = load_params()
    stage = "sweep_finetune" if key in (params.get("sweep_finetune") or {}) else "sweep"
    named, spec = instance(params, stage, key), load_spec(key, project_root())
    if named.get("training") != spec.training:
        problem = f"{named.get('training')!r}, but {spec.path} says {spec.training!r}"
        raise BadInput("params.yaml", f"{stage}.{key}.training", problem, "make them the same")
    found, total = run_sweep(key), spec.budget.n_trials
    finished = found["completed"] + found["pruned"] + found["failed"]
    if finished < total:
        raise Interrupted(f"{finished} of {total} trials finished; the same command goes on")
    return Layout(params["scale"]).sweep(key)


if __name__ == "__main__":
    sys.exit(run_stage(sweep, sys.argv))
