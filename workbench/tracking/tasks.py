"""Where runs belong: which task a table and a training serve, and what a training is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from workbench.params import predictions_of, stage_of

# The tables of each task, which is one experiment: what they measure can be compared.
TASKS = {
    "data sets": ("I", "II"),
    "entity segmentation": ("III", "IV", "V", "VI", "VIII"),
    "dichotomous segmentation": ("VII",),
    "referring segmentation": ("IX", "XIV"),
    "grounding": (
        "X", "X-pretraining", "X-query", "XV", "XVI", "XVII", "XVIII", "XIX", "XX", "XXI", "XXII",
        "XXIII",
    ),
    "model costs": ("XI", "XII"),
    "panoptic segmentation": ("XIII",),
}  # fmt: skip
# The maps of params.yaml whose trainings have one task; others have that of their tables.
TASK_OF_STAGE = {
    "pretrain": "pretraining",
    "pretrain_joint": "pretraining",
    "finetune": "grounding",
}
OTHER = "other tables"

_TASK_OF = {table: task for task, tables in TASKS.items() for table in tables}


def task_of_table(table: str) -> str:
    """Return the task of a table; one of the user's own is among the others."""
    return _TASK_OF.get(table, OTHER)


def rows_of_training(params: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    """Return (table, row) of everything that is scored from a training's weights."""
    rows = (params.get("evaluate") or {}).values()
    found = [
        (str(row.get("table")), str(row.get("row")).split(".")[0])
        for row in rows
        if training_of_row(params, row) == key
    ]
    return list(dict.fromkeys(found))


def training_of_row(params: Mapping[str, Any], row: Mapping[str, Any]) -> str | None:
    """Return the training whose weights a row's predictions were made with, if one of ours."""
    found = (predictions_of(dict(params), dict(row)) or row).get("checkpoint")
    return None if found is None else str(found)


def task_of_training(params: Mapping[str, Any], key: str, project: str) -> str:
    """Return the task of a training's stage or of most of its tables; else its project."""
    stage = stage_of(dict(params), key)
    if stage in TASK_OF_STAGE:
        return TASK_OF_STAGE[stage]
    tasks = Counter(task_of_table(table) for table, _ in rows_of_training(params, key))
    return tasks.most_common(1)[0][0] if tasks else project
