from __future__ import annotations

from pathlib import Path

import yaml

from workbench.tracking.tasks import (
    OTHER,
    rows_of_training,
    task_of_table,
    task_of_training,
    training_of_row,
)

REPOSITORY = Path(__file__).parents[3]
PARAMS = yaml.safe_load((REPOSITORY / "params.yaml").read_text())


def test_every_table_of_the_paper_has_a_task() -> None:
    for path in (REPOSITORY / "reports" / "tables").glob("*.yaml"):
        assert task_of_table(path.stem) != OTHER, path.stem
    assert task_of_table("street") == OTHER


def test_trainings_belong_to_the_task_that_most_of_their_tables_have() -> None:
    tasks = {
        "cropformer": "entity segmentation",
        "mask2former-dis5k": "dichotomous segmentation",
        "mask2former-12ep": "panoptic segmentation",
        "gella-13b": "grounding",
        "clip": "pretraining",
        "mask-path": "pretraining",
        "street": "cropformer",
    }
    found = {key: task_of_training(PARAMS, key, "cropformer") for key in tasks}
    assert found == tasks


def test_rows_of_a_training_are_those_predicted_with_its_weights() -> None:
    rows = rows_of_training(PARAMS, "cropformer")
    assert ("VI", "cropformer") in rows and ("VI", "cropformer-crops") in rows
    assert ("VIII", "coco-ent") in rows_of_training(PARAMS, "coco-ent")
    assert len(rows_of_training(PARAMS, "coco-ent")) == 1


def test_predictions_of_another_tool_have_no_training() -> None:
    assert training_of_row(PARAMS, {"predictions": "entities/theirs"}) is None
