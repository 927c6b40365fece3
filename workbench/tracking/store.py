"""The MLflow store of a checkout: its address, its experiments, and runs that are made once.

Without an address it is one sqlite database at the checkout's root, made and migrated under a lock.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from filelock import FileLock

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOCK_TIMEOUT_S = 120
ID_TAG = "esg.id"
PARENT_TAG = "mlflow.parentRunId"
NOTE_TAG = "mlflow.note.content"
PREFIX = "esg"
# Has the UI show runs and models, not what belongs to language-model applications.
MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
# A server that is away must not hold up a training: few and short attempts, unless the user's
# environment says otherwise. What is not delivered is kept on disk.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Opening:
    """What a run is made of.

    Attributes:
        id: Unlike any other run's of this project, in any store.
        task: Its experiment is ``esg/<task>``.
        name: Shown in the list of runs.
        time_ms: When it began, in ms since 1970.
        tags: Tags from its beginning.
        group: Parent run that is made if needed: its id, name and tags; empty for none.
    """

    id: str
    task: str
    name: str
    time_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    group: Mapping[str, str] = field(default_factory=dict)


def tracking_uri(root: Path) -> str:
    """Return the store's address.

    It is ``MLFLOW_TRACKING_URI``, else ``tracking.uri`` of ``params.yaml``, else the checkout's own
    database, absolute, whatever the working directory is.
    """
    return os.environ.get("MLFLOW_TRACKING_URI") or _configured(root) or _local_uri(root)


def _local_uri(root: Path) -> str:
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def is_local(root: Path) -> bool:
    """Whether the store is the checkout's own database."""
    return tracking_uri(root) == _local_uri(root)


def _configured(root: Path) -> str | None:
    try:
        params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        uri = params["tracking"]["uri"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return None
    return None if uri is None else str(uri)


def open_store(root: Path) -> MlflowClient:
    """Return a client of the store, which is made or migrated if it is a database of ours.

    Processes that start together on a missing database would create its tables twice and crash,
    so one does it while the others wait.

    Raises:
        Exception: Whatever MLflow's client raises where the store does not answer.
    """
    os.environ.update(QUIET)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.ERROR)
    uri = tracking_uri(root)
    # A server makes its own tables, and one that is away must not keep others waiting here. What is
    # made in it is made under the lock all the same: two processes would make it twice.
    local = is_local(root)
    with store_lock(root) if local else nullcontext():
        if local:
            _migrate(root / "mlflow.db", uri)
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def reason(error: Exception) -> str:
    """Return why a store did not answer, on one short line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextmanager
def store_lock(root: Path) -> Iterator[None]:
    """Keep other processes of this checkout from making the same thing at the same time."""
    with FileLock(root / "mlflow.db.lock", timeout=LOCK_TIMEOUT_S):
        yield


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
    """Return the id of an experiment, made if needed; one that was deleted in the UI is restored.

    A server decides where its files are; those of a database without one are at the root.
    """
    with store_lock(root):
        found = client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":  # its name cannot be used for another
                client.restore_experiment(found.experiment_id)
            return str(found.experiment_id)
        served = tracking_uri(root).startswith("http")
        location = None if served else (root / "mlartifacts" / name).resolve().as_uri()
        return str(client.create_experiment(name, artifact_location=location, tags=MODEL_TRAINING))


def find_run(client: MlflowClient, experiment: str, run: str) -> str | None:
    """Return the run of an id of ours; None if the store does not have it."""
    found = client.search_runs(
        [experiment], f"tags.`{ID_TAG}` = '{run}'", order_by=["attributes.start_time ASC"]
    )
    return str(found[0].info.run_id) if found else None


def find_or_create_run(client: MlflowClient, root: Path, opening: Opening) -> str:
    """Return the run of an opening, made only if the store does not have it."""
    experiment = experiment_id(client, root, f"{PREFIX}/{opening.task}")
    with store_lock(root):
        tags = dict(opening.tags)
        if opening.group:
            tags[PARENT_TAG] = _group(client, experiment, opening)
        found = find_run(client, experiment, opening.id)
        return found or _create(client, experiment, opening.id, opening.name, opening.time_ms, tags)


def _group(client: MlflowClient, experiment: str, opening: Opening) -> str:
    """Return the run that holds others together; it is ended at once, as nothing runs in it."""
    group = dict(opening.group)
    identity, name = group.pop("id"), group.pop("name")
    found = find_run(client, experiment, identity)
    if found is None:
        found = _create(client, experiment, identity, name, opening.time_ms, group)
        client.set_terminated(found, end_time=opening.time_ms)
    return found


def _create(
    client: MlflowClient,
    experiment: str,
    identity: str,
    name: str,
    time_ms: int,
    tags: Mapping[str, str],
) -> str:
    own = {ID_TAG: identity, "mlflow.user": getpass.getuser(), "mlflow.source.type": "LOCAL"}
    run = client.create_run(experiment, start_time=time_ms, tags={**own, **tags}, run_name=name)
    return str(run.info.run_id)
