"""The best values go into params.yaml; everything else there stays as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.workbench.sweeps.conftest import PARAMS
from workbench.errors import BadInput, MissingInput
from workbench.sweeps.apply import apply_best, merged_text

ROOT = Path(__file__).parents[3]
FOUND = {"train": {"toy": {"overrides": {"optim_wrapper": {"optimizer": {"lr": 1e-05}},
                                         "pipeline": {"3": {"ratio": 0.6}}}}}}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    best = tmp_path / "artifacts" / "smoke" / "sweeps" / "toy" / "best.yaml"
    best.parent.mkdir(parents=True)
    best.write_text(yaml.safe_dump({"params": FOUND}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_values_are_merged_and_comments_kept(folder):
    difference = apply_best("toy")
    text = (folder / "params.yaml").read_text()
    removed = [line for line in difference.splitlines()[2:] if line.startswith("-")]
    assert removed == ["-    overrides: {}  # merged into the config"]
    assert "# merged into the config" in text and "  # the only one" in text
    kept = [line for line in PARAMS.splitlines() if "overrides" not in line]
    assert [line for line in text.splitlines() if line in kept] == kept
    content = yaml.safe_load(text)["train"]["toy"]["overrides"]
    assert content == {"optim_wrapper": {"optimizer": {"lr": 1e-05}},
                       "pipeline": {"3": {"ratio": 0.6}}}  # fmt: skip
    assert apply_best("toy") == ""


def test_dry_run_changes_nothing(folder):
    assert "+          lr: 1.0e-05" in apply_best("toy", dry_run=True)
    assert (folder / "params.yaml").read_text() == PARAMS


def test_other_overrides_stay(folder):
    path = folder / "params.yaml"
    path.write_text(PARAMS.replace("overrides: {}", "overrides: {model: {width: 4}}"))
    apply_best("toy")
    overrides = yaml.safe_load(path.read_text())["train"]["toy"]["overrides"]
    assert overrides["model"] == {"width": 4} and "optim_wrapper" in overrides


def test_a_sweep_that_has_not_run(folder):
    with pytest.raises(MissingInput, match="esg sweep other"):
        apply_best("other")


def test_a_training_that_is_gone(folder):
    (folder / "params.yaml").write_text("scale: smoke\ntrain: {}\n")
    with pytest.raises(BadInput, match="train.toy: not there"):
        apply_best("toy")


def test_the_projects_own_params_keep_every_other_line():
    text = (ROOT / "params.yaml").read_text()
    assert merged_text(text, {}) == text
    merged = merged_text(text, {"ground": {"gella-7b": {"threshold": 0.375}}})
    before, after = text.splitlines(), merged.splitlines()
    different = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(different) == 1 and "threshold: 0.375}" in different[0]
