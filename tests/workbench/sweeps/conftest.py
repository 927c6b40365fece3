"""Projects with a sweep ``toy``, each of whose trials takes a fraction of a second."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workbench.toy_project import CONFIG, REPOSITORY, ToyProject

SPEC: dict[str, Any] = {
    "training": "toy",
    "space": {
        "val_evaluator.value": {"type": "float", "low": 0.0, "high": 1.0},
        "optim_wrapper.optimizer.lr": {
            "type": "float", "low": 1e-4, "high": 1e-1, "log": True,
            "also": ["param_scheduler.0.eta_max"],
        },
        "val_evaluator.weights": {"type": "categorical", "choices": [[0.0, 1.0], [1.0, 0.0]]},
    },
    "objective": {"metric": "score", "direction": "maximize"},
    "sampler": "random",
    "budget": {"n_trials": 4, "iterations": 20, "validate_every": 10},
}  # fmt: skip
PARAMS = """\
# What is run.
scale: smoke

train:
  toy:  # the only one
    config: toy
    project: toys
    dataset: toy
    seeds: [0]
    overrides: {}  # merged into the config
"""


class SweepProject:
    """A toy project with ``configs/sweeps/toy.yaml``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def declare(self, **fields: Any) -> None:
        """Write the sweep, with some fields of its own."""
        path = self.root / "configs" / "sweeps" / "toy.yaml"
        path.write_text(yaml.safe_dump({**SPEC, **fields}, sort_keys=False))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start ``esg sweep``."""
        path = os.pathsep.join([str(self.root), str(REPOSITORY)])
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.cli.main", "sweep", *arguments],
            cwd=self.root,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run ``esg sweep``: (exit code, standard output, standard error)."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=900)
        finally:
            process.kill()
        return process.returncode, out, err

    @property
    def outputs(self) -> Path:
        return self.root / "artifacts" / "smoke" / "sweeps" / "toy"

    @property
    def databases(self) -> list[Path]:
        return sorted(self.root.glob("work_dirs/sweeps/*/study.db"))


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store: making one takes seconds."""
    from workbench.tracking.store import open_store

    root = tmp_path_factory.mktemp("store")
    open_store(root)
    return root / "mlflow.db"


@pytest.fixture
def project(tmp_path: Path, mlflow_database: Path) -> SweepProject:
    toy = ToyProject.make(tmp_path / "toy", mlflow_database)
    (toy.root / "params.yaml").write_text(PARAMS)
    shutil.copytree(toy.root / "data" / "toy", toy.root / "artifacts" / "smoke" / "data" / "toy")
    shutil.copy(Path(__file__).with_name("toy_score.py"), toy.root)
    (toy.root / "configs" / "smoke").mkdir(parents=True)
    (toy.root / "configs" / "sweeps").mkdir()
    score = "dict(type='ToyScore', value=0.0, weights=[0.0, 0.0])"
    config = CONFIG.replace("dict(type='ToyMetric')", score)
    config = config.replace("imports=['toy_model']", "imports=['toy_model', 'toy_score']")
    (toy.root / "configs" / "smoke" / "toy.py").write_text(config)
    made = SweepProject(toy.root)
    made.declare()
    return made
