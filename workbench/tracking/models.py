"""Checkpoints as MLflow models, by reference: a pointer and a hash, never a copy of the weights."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

CHECKPOINT_TAG = "esg.checkpoint_sha256"
POINTER = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """Weights that a training made.

    Attributes:
        training: Its key in ``params.yaml``.
        scale: mini, smoke or paper.
        seed: Of the training.
        sha256: Of the file.
        path: Where DVC keeps it in a checkout; ``dvc pull`` brings it.
    """

    training: str
    scale: str
    seed: int
    sha256: str
    path: str


def run_of_checkpoint(
    client: MlflowClient, experiment: str, run_id: str | None, sha256: str
) -> str | None:
    """Return the run that made a checkpoint, if the store has it.

    Args:
        client: Of the store.
        experiment: Of the training.
        run_id: As the training recorded it; None if the store was away then.
        sha256: Of the checkpoint, which the run has as a tag.
    """
    from mlflow.exceptions import MlflowException

    if run_id is not None:
        try:
            return str(client.get_run(run_id).info.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    found = client.search_runs(
        [experiment],
        f"tags.`{CHECKPOINT_TAG}` = '{sha256}' AND tags.`esg.level` = 'training'",
        max_results=1,
    )
    return str(found[0].info.run_id) if found else None


def logged_model(
    client: MlflowClient, experiment: str, checkpoint: Checkpoint, source_run: str
) -> LoggedModel:
    """Return a checkpoint's model in an experiment, made if it is not there.

    Args:
        client: Of the store.
        experiment: Id of the experiment of the training.
        checkpoint: What it stands for.
        source_run: The run that made it or, if the store does not have that, one that used it.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    query = f"tags.`{CHECKPOINT_TAG}` = '{checkpoint.sha256}'"
    for model in client.search_logged_models([experiment], query):
        if model.status == LoggedModelStatus.READY:
            return model
    model = client.create_logged_model(
        experiment,
        name=f"{checkpoint.training}-s{checkpoint.seed}",
        source_run_id=source_run,
        tags={
            CHECKPOINT_TAG: checkpoint.sha256,
            "esg.scale": checkpoint.scale,
            "esg.seed": str(checkpoint.seed),
        },
        params={"training": checkpoint.training, "checkpoint": checkpoint.path},
        model_type="pytorch checkpoint, by reference",
    )
    with tempfile.TemporaryDirectory() as folder:
        pointer = Path(folder) / POINTER
        pointer.write_text(json.dumps(asdict(checkpoint), indent=2) + "\n", encoding="utf-8")
        client.log_model_artifact(model.model_id, str(pointer))
    client.log_outputs(source_run, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def register(
    client: MlflowClient, model: LoggedModel, checkpoint: Checkpoint, alias: str, score: str
) -> str:
    """Make a checkpoint a version of the model ``<training>-<scale>`` and return its number.

    Args:
        client: Of the store.
        model: Of the checkpoint.
        checkpoint: What is registered.
        alias: Points from the model's name to this version, e.g. ``VI-cropformer-s0``.
        score: Tag of that name, for people, e.g. ``APe 45.4``.
    """
    name = f"{checkpoint.training}-{checkpoint.scale}"
    version = _version(client, name, model, checkpoint)
    client.set_model_version_tag(name, version, alias, score)
    client.set_registered_model_alias(name, alias, version)
    return version


def _version(client: MlflowClient, name: str, model: LoggedModel, checkpoint: Checkpoint) -> str:
    from mlflow.exceptions import MlflowException

    query = f"name = '{name}' AND tags.`{CHECKPOINT_TAG}` = '{checkpoint.sha256}'"
    for known in client.search_model_versions(query):
        return str(known.version)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags: dict[str, Any] = {CHECKPOINT_TAG: checkpoint.sha256, "esg.seed": str(checkpoint.seed)}
    made = client.create_model_version(
        name,
        model.artifact_location,
        run_id=model.source_run_id,
        tags=tags,
        description=f"Weights: `{checkpoint.path}`, SHA-256 `{checkpoint.sha256}`.",
        model_id=model.model_id,
    )
    return str(made.version)
