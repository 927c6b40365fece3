"""Whose masks a grounding model was given."""

from __future__ import annotations

import json

import pytest

from workbench.errors import BadInput, MissingInput
from workbench.stages.asking import made_with


def test_masks_of_a_model_are_traced_to_its_checkpoint(tmp_path):
    runs = [{"seed": 0, "checkpoint_sha256": "aa"}, {"seed": 3, "checkpoint_sha256": "bb"}]
    (tmp_path / "segment.json").write_text(json.dumps({"runs": runs}))
    assert made_with(tmp_path / "seed-3.jsonl") == {"masks_checkpoint_sha256": "bb"}
    with pytest.raises(BadInput, match=r"none made seed-1\.jsonl"):
        made_with(tmp_path / "seed-1.jsonl")


def test_annotated_masks_have_no_checkpoint():
    assert made_with(None) == {}


def test_masks_without_a_record(tmp_path):
    with pytest.raises(MissingInput, match=f"dvc repro segment@{tmp_path.name}"):
        made_with(tmp_path / "seed-0.jsonl")
