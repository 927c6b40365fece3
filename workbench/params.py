"""Typed view of ``params.yaml``: the instances of each stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.files import read_yaml
from workbench.paths import SCALES, project_root

# Maps of params.yaml whose instances are trained; a key is in one of them only.
TRAININGS = ("train", "transfer", "pretrain", "pretrain_joint", "finetune")
# Folder below artifacts/<scale> to the stage that writes it; a row is scored from either.
PREDICTIONS = {
    "entities": "segment",
    "groundings": "ground",
    "referrings": "refer",
    "labels": "label",
    "maps": "paint",
}
# Further stages that write into such a folder; a key is in one of their maps only.
FURTHER_STAGES = {"entities": ("rebuild", "sam")}

# Stages that write score files; a key is in one of them only.
SCORING = ("evaluate", "evaluate_given", "count", "measure")


def load_params(root: Path | None = None, scale: str | None = None) -> dict[str, Any]:
    """Read ``params.yaml`` and check its scale.

    Args:
        root: The project (default: that of the working directory).
        scale: Instead of the one in the file.

    Raises:
        BadInput: Not valid YAML, not a mapping, or an unknown scale.
    """
    path = (root or project_root()) / "params.yaml"
    params = read_yaml(path)
    if scale is not None:
        params["scale"] = scale
    if params.get("scale") not in SCALES:
        raise BadInput(path, "scale", repr(params.get("scale")), f"use one of {', '.join(SCALES)}")
    return params


def instance(params: dict[str, Any], stage: str, key: str) -> dict[str, Any]:
    """Return the parameters of one stage instance.

    Raises:
        BadInput: The stage's map has no such key.
    """
    instances = params.get(stage) or {}
    if key not in instances:
        known = ", ".join(sorted(instances)) or "none"
        raise BadInput("params.yaml", f"{stage}.{key}", "unknown instance", f"use one of: {known}")
    return dict(instances[key] or {})


def scored(params: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the parameters of a row that is scored from predictions, of either map.

    Raises:
        BadInput: Neither has such a key.
    """
    given = key in (params.get("evaluate_given") or {})
    return instance(params, "evaluate_given" if given else "evaluate", key)


def score_key(table: str, row: str) -> str:
    """Return the key of the instance that scores ``row`` or, of a row in parts, ``row.part``."""
    return "__".join((table, *row.split(".")))


def predictions_of(params: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the stage that makes what an evaluated row is scored from.

    Empty where ``params.yaml`` has none, as for predictions of another tool.
    """
    predictions = str(row.get("predictions"))
    stage = predicting_stage(params, predictions) or ""
    return dict((params.get(stage) or {}).get(predictions.partition("/")[2]) or {})


def predicting_stage(params: dict[str, Any], predictions: str) -> str | None:
    """Return the stage that makes ``<folder>/<key>``; None where none does."""
    folder, _, key = predictions.partition("/")
    further = [name for name in FURTHER_STAGES.get(folder, ()) if key in (params.get(name) or {})]
    return further[0] if further else PREDICTIONS.get(folder)


def training(params: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the parameters of one training, in whichever map of ``TRAININGS`` it is.

    Raises:
        BadInput: No map has such a key.
    """
    return instance(params, stage_of(params, key), key)


def stage_of(params: dict[str, Any], key: str) -> str:
    """Return the map of ``TRAININGS`` that a training is in; the first if it is in none."""
    return next((stage for stage in TRAININGS if key in (params.get(stage) or {})), TRAININGS[0])
