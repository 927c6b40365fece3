"""Makes projects around the toy model and trains them, each time in a process of its own."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
PRELOADED = ["workbench.engine.session", "workbench.tracking.store", "mlflow"]
CONFIG = """
custom_imports = dict(imports=['toy_model'], allow_failed_imports=False)
manifest = 'data/toy/manifest.json'
dataset = dict(type='ToyDataset', manifest=manifest)
model = dict(type='ToyModel', width=8, sleep_s=0.0)
train_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DrawSampler'), dataset=dataset)
val_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dataset)
val_evaluator = dict(type='ToyMetric')
val_cfg = dict(type='ValLoop')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40, val_interval=25)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.05))
param_scheduler = [dict(type='OneCycleLR', eta_max=0.01, total_steps=40, by_epoch=False)]
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=10))
"""


class Outcome:
    """How a training process ended: ``code`` (negative: killed by that signal) and ``text``."""

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text


class ToyProject:
    """A folder with ``params.yaml``, data, toy model and resolved config of instance ``toy``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def make(cls, root: Path, database: Path | None = None) -> ToyProject:
        """Write a project; ``database`` is an empty MLflow store to begin with."""
        root.mkdir(parents=True, exist_ok=True)
        params = {"scale": "smoke", "train": {"toy": {"project": "toys", "seeds": [0]}}}
        (root / "params.yaml").write_text(yaml.safe_dump(params))
        data = root / "data" / "toy"
        (data / "images").mkdir(parents=True)
        (data / "images" / "a.txt").write_text("a")
        (data / "train.json").write_text(json.dumps([0.1 * n for n in range(10)]))
        split = {"annotations": "train.json", "images": "images", "masks": None}
        (data / "manifest.json").write_text(json.dumps({"root": ".", "splits": {"train": split}}))
        shutil.copy(Path(__file__).parent / "engine" / "toy_model.py", root / "toy_model.py")
        project = cls(root)
        project.config.parent.mkdir(parents=True)
        project.config.write_text(CONFIG)
        if database is not None:
            shutil.copy(database, root / "mlflow.db")
        return project

    def copy(self, root: Path) -> ToyProject:
        shutil.copytree(self.root, root)
        return ToyProject(root)

    @property
    def config(self) -> Path:
        return self.root / "artifacts" / "smoke" / "configs" / "toy.py"

    @property
    def outputs(self) -> Path:
        return self.root / "artifacts" / "smoke" / "checkpoints" / "toy"

    @property
    def work_dirs(self) -> list[Path]:
        return sorted(path.parent for path in self.root.glob("work_dirs/*/fingerprint.json"))

    def edit(self, old: str, new: str) -> None:
        """Change the resolved config."""
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def seen(self) -> list[Any]:
        """What each training iteration saw: [inputs of the first sample, indices]."""
        return self.seen_by("")

    def seen_by(self, rank: str) -> list[Any]:
        """What each iteration of one of several processes saw."""
        text = (self.root / f"seen{rank}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def job(self, resume: bool = True) -> dict[str, Any]:
        return {
            "config": str(self.config.relative_to(self.root)),
            "key": "toy",
            "project": "toys",
            "scale": "smoke",
            "seed": 0,
            "resume": resume,
            "options": {},
        }

    def train(self, resume: bool = True, **environment: str) -> Outcome:
        """Train in a process forked from one that has the heavy imports done."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        arguments = (str(self.root), self.job(resume), environment)
        process = context.Process(target=_train_here, args=arguments)
        process.start()
        process.join(timeout=120)
        assert process.exitcode is not None, "the training process hangs"
        return Outcome(process.exitcode, (self.root / "output.txt").read_text())

    def train_in_two(self, **environment: str) -> list[Outcome]:
        """Train in two processes as torchrun starts them; returns how each ended."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        common |= {"MASTER_PORT": port, **environment}
        processes = [
            context.Process(
                target=_train_here,
                args=(str(self.root), self.job(), {**common, "RANK": rank, "LOCAL_RANK": rank}),
            )
            for rank in ("0", "1")
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=300)
        outcomes = []
        for rank, process in enumerate(processes):
            assert process.exitcode is not None, "the training process hangs"
            text = (self.root / f"output{rank}.txt").read_text()
            outcomes.append(Outcome(process.exitcode, text))
        return outcomes

    def launch(self, **fields: Any) -> None:
        """Set ``launch`` of ``params.yaml``."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**params, "launch": fields}))

    def stage(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the stage as DVC does."""
        path = os.pathsep.join([str(self.root), str(REPOSITORY)])
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.stages.train", *arguments],
            cwd=self.root,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self) -> dict[str, Any]:
        """The finished result of the newest work folder."""
        files = sorted(self.root.glob("work_dirs/*/result.json"), key=lambda p: p.stat().st_mtime)
        return json.loads(files[-1].read_text())

    def mlflow_runs(self) -> list[Any]:
        """The trainings in the project's store."""
        from workbench.tracking.store import open_store

        client = open_store(self.root)
        found = client.get_experiment_by_name("esg/toys")
        query = "tags.`esg.level` = 'training'"
        return list(client.search_runs([found.experiment_id], query))


def _train_here(root: str, job: dict[str, Any], environment: dict[str, str]) -> None:
    os.chdir(root)
    os.environ.update(environment, OMP_NUM_THREADS="1")
    sys.path.insert(0, root)
    warnings.simplefilter("ignore")
    from workbench.engine.launch import main

    request = Path(root) / "request.json"
    request.write_text(json.dumps(job))
    with (
        open(f"output{os.environ.get('RANK', '')}.txt", "w", buffering=1) as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        code = main(str(request))
    sys.exit(code)
