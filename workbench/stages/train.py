"""Stage train: resolved config and data to finished weights, one process per seed.

Run as ``python -m workbench.stages.train KEY``; reads ``train.KEY`` of ``params.yaml``.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from workbench.errors import AlreadyReported, BadInput, EsgError, Interrupted, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.params import load_params, training
from workbench.paths import Layout
from workbench.processes import die_with_parent
from workbench.stages.cli import run_stage

if TYPE_CHECKING:
    from workbench.engine.launch import TrainJob


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
    layout = Layout(params["scale"])
    config = layout.resolved_config(key)
    if not config.is_file():
        raise MissingInput(config, f"make it with the stage resolve (`dvc repro resolve@{key}`)")
    runs = []
    for seed in seeds_of(key, item):
        project = str(item.get("project", "cropformer"))
        job = TrainJob(str(config), key, project, layout.scale, seed, resume=True, options={})
        runs.append(train_in_process(job, int(item.get("processes", 1))))
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


def train_in_process(job: TrainJob, processes: int = 1) -> dict[str, Any]:
    """Train one seed in a process of its own, or in several with torchrun.

    A process per seed gives each its own memory peak and libraries' random state.

    Returns:
        The run's fields of ``train.json`` and ``weights``, the path of the finished file.

    Raises:
        Interrupted: This process was asked to stop; the training saved and stopped.
        EsgError: The training failed; it has said why.
    """
    with tempfile.TemporaryDirectory(prefix="esg-train-") as folder:
        request = Path(folder) / "job.json"
        write_json(request, asdict(job))
        module = ["-m", "workbench.engine.launch", str(request)]
        if processes > 1:
            torchrun = ["-m", "torch.distributed.run", "--standalone"]
            module = [*torchrun, f"--nproc-per-node={processes}", *module]
        code, signalled = _run_forwarding_signals([sys.executable, *module])
        title = f"{job.key} seed {job.seed}"
        if code == Interrupted.exit_code or (signalled and code != 0):
            raise Interrupted(f"{title}: interrupted; the same command resumes")
        if code != 0:
            if code in (BadInput.exit_code, MissingInput.exit_code):
                raise AlreadyReported(code)
            raise EsgError(f"{title}: training ended with exit code {code}; see the lines above")
        result: dict[str, Any] = json.loads(request.with_suffix(".result.json").read_text())
        return result


def _run_forwarding_signals(command: list[str]) -> tuple[int, bool]:
    """Run a command, passing SIGTERM and SIGINT on to it.

    Returns:
        (exit code, whether a signal was passed on).
    """
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if child is not None and child.poll() is None:
            child.send_signal(number)

    # Python delivers signals to the main thread alone; a sweep may train from another one.
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGINT) if main else ()
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        child = subprocess.Popen(command, preexec_fn=die_with_parent)
        for number in received:
            child.send_signal(number)
        return child.wait(), bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    scale = load_params()["scale"]
    project = config.resolve().parent.name
    key = config.stem
    job = TrainJob(str(config.resolve()), key, project, scale, seed, resume, options)
    return train_in_process(job)


if __name__ == "__main__":
    sys.exit(run_stage(train, sys.argv))
