from __future__ import annotations

from pathlib import Path

import pytest

from workbench.tracking.store import open_store


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an empty store: making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    open_store(folder)
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def root(tmp_path: Path, empty_database: bytes) -> Path:
    """A checkout with an empty store."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database)
    return folder
