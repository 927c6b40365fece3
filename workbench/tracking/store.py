"""The MLflow store of a checkout: one sqlite database, made and migrated under a lock."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_TIMEOUT_S = 120


def tracking_uri(root: Path) -> str:
    """Return the store's address, absolute, whatever the working directory is."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def open_store(root: Path) -> MlflowClient:
    """Return a client of the store at ``root``, which is made or migrated if needed.

    Processes that start together on a missing database would create its tables twice and crash,
    so one does it while the others wait.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.ERROR)
    uri = tracking_uri(root)
    with FileLock(root / "mlflow.db.lock", timeout=LOCK_TIMEOUT_S):
        _migrate(root / "mlflow.db", uri)
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def _migrate(database: Path, uri: str) -> None:
    """Bring an existing database of an older MLflow to the installed one's schema."""
    if not database.is_file():
        return
    import sqlalchemy
    from mlflow.store.db import utils

    engine = sqlalchemy.create_engine(uri)
    try:
        known = sqlalchemy.inspect(engine).has_table("alembic_version")
        if known and utils._get_schema_version(engine) != utils._get_latest_schema_revision():
            utils._upgrade_db(engine)
    finally:
        engine.dispose()


def experiment_id(client: MlflowClient, root: Path, name: str) -> str:
    """Return the id of an experiment, which is made if needed, its files beside the database."""
    with FileLock(root / "mlflow.db.lock", timeout=LOCK_TIMEOUT_S):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = (root / "mlartifacts" / name).resolve().as_uri()
        return str(client.create_experiment(name, artifact_location=location))
