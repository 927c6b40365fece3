"""Every mistake in a sweep's file is one line that names file and field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workbench.sweeps.conftest import SPEC
from workbench.errors import BadInput, MissingInput
from workbench.sweeps.spec import load_spec
from workbench.sweeps.study import distribution, make_pruner, make_sampler


def load(root: Path, content: Any) -> Any:
    folder = root / "configs" / "sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_spec("toy", root)


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the toy's spec with one field changed; a space's name is one part of the path."""
    content = copy.deepcopy(SPEC)
    *parts, last = path.split("/")
    inner = content
    for part in parts:
        inner = inner[part]
    inner[last] = value
    return content


def test_fields_of_a_spec(tmp_path):
    spec = load(tmp_path, SPEC)
    value, rate, weights = spec.space
    assert (value.low, value.high, value.log) == (0.0, 1.0, False)
    assert rate.paths == ("optim_wrapper.optimizer.lr", "param_scheduler.0.eta_max") and rate.log
    assert weights.grid() == ["[0.0, 1.0]", "[1.0, 0.0]"]
    assert weights.value("[1.0, 0.0]") == [1.0, 0.0]
    assert (spec.sampler.name, spec.pruner.name, spec.seed) == ("random", "none", 0)


RATE, VALUE, WEIGHTS = (f"space/{name}" for name in (
    "optim_wrapper.optimizer.lr", "val_evaluator.value", "val_evaluator.weights"
))  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("training", None, "training"),
        ("space", {}, "space"),
        ("space", [1], "space"),
        ("objective/metric", 3, "objective.metric"),
        ("objective/direction", "up", "objective.direction"),
        ("sampler", "tpa", "sampler.name"),
        ("sampler", {"n_startup_trials": 3}, "sampler.name"),
        ("pruner", 4, "pruner"),
        ("budget/n_trials", 0, "budget.n_trials"),
        ("budget/iterations", "many", "budget.iterations"),
        ("budget/timeout_min", -1, "budget.timeout_min"),
        ("budget/epochs", 3, "budget.epochs"),
        ("seed", -1, "seed"),
        ("trials", 3, "trials"),
        (f"{RATE}/type", "real", "space.optim_wrapper.optimizer.lr.type"),
        (f"{RATE}/low", "1e-3", "space.optim_wrapper.optimizer.lr.low"),
        (f"{RATE}/low", 0.0, "space.optim_wrapper.optimizer.lr.low"),
        (f"{RATE}/high", 1e-5, "space.optim_wrapper.optimizer.lr.high"),
        (f"{RATE}/choices", [1], "space.optim_wrapper.optimizer.lr.choices"),
        (f"{RATE}/also", "eta_max", "space.optim_wrapper.optimizer.lr.also"),
        (f"{RATE}/also", ["val_evaluator.weights"], "space.val_evaluator.weights"),
        (f"{RATE}/step", 0.1, "space.optim_wrapper.optimizer.lr.step"),
        (f"{VALUE}/high", float("inf"), "space.val_evaluator.value.high"),
        (f"{VALUE}/apply", "threshold", "space.val_evaluator.value.apply"),
        (f"{WEIGHTS}/choices", [], "space.val_evaluator.weights.choices"),
        (f"{WEIGHTS}/choices", [[1], [1]], "space.val_evaluator.weights.choices"),
        ("sampler", "grid", "space.val_evaluator.value.step"),
    ],
)
def test_mistakes_name_file_and_field(tmp_path, path, value, field):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, changed(path, value))
    assert (caught.value.where, caught.value.field) == ("configs/sweeps/toy.yaml", field)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["training", "space", "objective", "budget"])
def test_missing_fields_are_named(tmp_path, field):
    content = {name: value for name, value in SPEC.items() if name != field}
    with pytest.raises(BadInput, match=f"{field}: missing"):
        load(tmp_path, content)


def test_unknown_sweep_names_the_known_ones(tmp_path):
    load(tmp_path, SPEC)
    with pytest.raises(MissingInput, match="use one of: toy"):
        load_spec("cropfromer", tmp_path)


def test_options_that_optuna_lacks(tmp_path):
    spec = load(tmp_path, {**SPEC, "sampler": {"name": "tpe", "startup": 3}})
    with pytest.raises(BadInput, match=r"sampler \(tpe\).*startup"):
        make_sampler(spec, 0)
    spec = load(tmp_path, {**SPEC, "pruner": {"name": "median", "n_startup_trials": -1}})
    with pytest.raises(BadInput, match=r"pruner \(median\)"):
        make_pruner(spec)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
@pytest.mark.parametrize("pruner", ["median", "hyperband", "none"])
def test_every_sampler_and_pruner_is_made(tmp_path, sampler, pruner):
    spec = load(tmp_path, {**SPEC, "sampler": sampler, "pruner": pruner})
    assert type(make_sampler(spec, 1)).__name__.lower() == f"{sampler}sampler"
    expected = "nop" if pruner == "none" else pruner
    assert type(make_pruner(spec)).__name__.lower() == f"{expected}pruner"


def test_a_grids_numbers_are_those_that_optuna_has(tmp_path):
    steps = {"type": "float", "low": 0.0, "high": 0.3, "step": 0.1}
    spec = load(tmp_path, {**SPEC, "space": {"val_evaluator.value": steps}, "sampler": "grid"})
    (parameter,) = spec.space
    assert parameter.grid() == [0.0, 0.1, 0.2, 0.3]
    assert all(distribution(parameter)._contains(value) for value in parameter.grid())
