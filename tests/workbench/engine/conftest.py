from __future__ import annotations

from pathlib import Path

import pytest

from tests.workbench.toy_project import ToyProject


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store: making one takes seconds."""
    from workbench.tracking.store import open_store

    root = tmp_path_factory.mktemp("store")
    open_store(root)
    return root / "mlflow.db"


@pytest.fixture
def toy(tmp_path: Path, mlflow_database: Path) -> ToyProject:
    return ToyProject.make(tmp_path / "toy", mlflow_database)


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> ToyProject:
    """A toy project trained from beginning to end."""
    project = ToyProject.make(tmp_path_factory.mktemp("unbroken") / "toy", mlflow_database)
    outcome = project.train()
    assert outcome.code == 0, outcome.text
    return project


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory, mlflow_database: Path) -> ToyProject:
    """A toy project killed at iteration 23, three after its newest checkpoint."""
    project = ToyProject.make(tmp_path_factory.mktemp("killed") / "toy", mlflow_database)
    outcome = project.train(KILL_AT="24")
    assert outcome.code == -9, outcome.text
    return project
