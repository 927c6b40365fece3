"""What a sweep is: ``configs/sweeps/NAME.yaml``, checked field by field (see docs/sweeps.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from workbench.errors import BadInput, MissingInput

FOLDER = Path("configs") / "sweeps"
SAMPLERS = ("tpe", "gp", "random", "grid")
PRUNERS = ("median", "hyperband", "none")
DIRECTIONS = ("maximize", "minimize")
FIELDS = {
    "training", "overrides", "val_cfg", "space", "objective", "sampler", "pruner", "budget", "seed",
}  # fmt: skip
REQUIRED = ("training", "space", "objective", "budget")


@dataclass(frozen=True)
class Parameter:
    """One dimension of the search space.

    Attributes:
        name: Dotted path into the training's config, or a name of its own where ``paths`` differ.
        kind: "float", "int" or "categorical".
        low: Least value of a number; 0 of a categorical one, as ``high``.
        high: Greatest, itself possible.
        log: Whether a number is drawn by its logarithm.
        step: Distance between possible numbers; None: any.
        choices: Of a categorical one: scalars, lists or mappings.
        paths: Where in the config the value is set.
        target: Where in ``params.yaml`` the best value goes, instead of the training's overrides.
    """

    name: str
    kind: str
    low: float
    high: float
    log: bool
    step: float | None
    choices: tuple[Any, ...]
    paths: tuple[str, ...]
    target: str | None

    def value(self, sampled: Any) -> Any:
        """Return what a sampled value stands for: Optuna stores lists and mappings as text."""
        return next((c for c in self.choices if choice_key(c) == sampled), sampled)

    def grid(self) -> list[Any]:
        """Return all values as Optuna stores them; [] for a number without a step."""
        if self.kind == "categorical":
            return [choice_key(choice) for choice in self.choices]
        if self.step is None:
            return []
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        # Rounded, as 3 * 0.1 is above 0.3; Optuna refuses what is above high.
        return [min(self.high, round(self.low + at * self.step, 12)) for at in range(count)]


def choice_key(choice: Any) -> Any:
    """Return a choice as Optuna can store it: scalars as they are, anything else as JSON."""
    return json.dumps(choice) if isinstance(choice, list | dict) else choice


@dataclass(frozen=True)
class Algorithm:
    """A sampler or pruner: its name here and options of Optuna's class."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Budget:
    """How much a sweep may take.

    Attributes:
        n_trials: Trials of the whole study.
        iterations: Training iterations of a trial, at most those of the training.
        validate_every: Iterations between the validations at which a trial may be pruned.
        timeout_min: Minutes after which one call begins no further trial; None: no limit.
    """

    n_trials: int
    iterations: int
    validate_every: int
    timeout_min: float | None


@dataclass(frozen=True)
class SweepSpec:
    """A checked sweep.

    Attributes:
        name: File name without suffix.
        path: The file.
        training: Key of a training in ``params.yaml``.
        overrides: Merged into every trial's config.
        val_cfg: MMEngine loop that scores a model whose config has none, e.g.
            `workbench.sweeps.grounding.GroundingLoop`. Empty: the config's own.
        space: The parameters.
        metric: Validation metric, as a fraction.
        direction: "maximize" or "minimize".
        sampler: One of ``SAMPLERS``.
        pruner: One of ``PRUNERS``.
        budget: See `Budget`.
        seed: Of the sampler and of every trial's training.
    """

    name: str
    path: Path
    training: str
    overrides: Mapping[str, Any]
    val_cfg: Mapping[str, Any]
    space: tuple[Parameter, ...]
    metric: str
    direction: str
    sampler: Algorithm
    pruner: Algorithm
    budget: Budget
    seed: int

    def identity(self) -> dict[str, Any]:
        """Return what makes results comparable: all but the number of trials and the time."""
        return {
            "space": [[p.name, p.kind, p.low, p.high, p.log, p.step, list(p.choices),
                       list(p.paths)] for p in self.space],
            "objective": [self.metric, self.direction],
            "sampler": [self.sampler.name, dict(self.sampler.options)],
            "pruner": [self.pruner.name, dict(self.pruner.options)],
            "seed": self.seed,
        }  # fmt: skip


def sweep_names(root: Path) -> list[str]:
    """Return the names of the sweeps that are declared."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))


def load_spec(name: str, root: Path) -> SweepSpec:
    """Read and check ``configs/sweeps/NAME.yaml``.

    Raises:
        MissingInput: No such file.
        BadInput: A field is missing, unknown or wrong; the error names it.
    """
    path = FOLDER / f"{name}.yaml"
    if not (root / path).is_file():
        known = ", ".join(sweep_names(root)) or "none"
        raise MissingInput(path, f"declare it, or use one of: {known}")
    try:
        content = yaml.safe_load((root / path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        line = str(error).replace("\n", " ")
        raise BadInput(path, "YAML", line, "correct the syntax") from error
    return _Reader(path).spec(name, content)


class _Reader:
    """Turns the content of a file into a spec; every error names the file and the field."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, field: str, problem: str, fix: str) -> NoReturn:
        raise BadInput(self.path, field, problem, fix)

    def spec(self, name: str, content: Any) -> SweepSpec:
        top = self.mapping("top level", content, FIELDS, REQUIRED)
        objective = self.mapping(
            "objective", top["objective"], {"metric", "direction"}, ("metric", "direction")
        )
        space = self.mapping("space", top["space"])
        if not space:
            self.fail("space", "empty", "give at least one parameter")
        sampler = self.algorithm("sampler", top.get("sampler", "tpe"), SAMPLERS)
        parameters = tuple(self.parameter(str(key), value) for key, value in space.items())
        self.check_paths(parameters)
        if sampler.name == "grid":
            self.check_grid(parameters)
        return SweepSpec(
            name=name,
            path=self.path,
            training=self.text("training", top["training"]),
            overrides=self.mapping("overrides", top.get("overrides") or {}),
            val_cfg=self.mapping("val_cfg", top.get("val_cfg") or {}),
            space=parameters,
            metric=self.text("objective.metric", objective["metric"]),
            direction=self.choice("objective.direction", objective["direction"], DIRECTIONS),
            sampler=sampler,
            pruner=self.algorithm("pruner", top.get("pruner", "none"), PRUNERS),
            budget=self.budget(top["budget"]),
            seed=self.whole("seed", top.get("seed", 0), least=0),
        )

    def mapping(
        self, field: str, value: Any, known: set[str] | None = None, required: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(field, f"{value!r} is not a mapping", "give names with values")
        prefix = "" if field == "top level" else f"{field}."
        for name in required:
            if name not in value:
                self.fail(f"{prefix}{name}", "missing", "add it")
        for name in value:
            if known is not None and name not in known:
                self.fail(f"{prefix}{name}", "unknown", f"use: {', '.join(sorted(known))}")
        return value

    def text(self, field: str, value: Any) -> str:
        if not isinstance(value, str) or not value:
            self.fail(field, f"{value!r} is not a name", "give text")
        return value

    def choice(self, field: str, value: Any, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            self.fail(field, repr(value), f"use one of: {', '.join(allowed)}")
        return str(value)

    def whole(self, field: str, value: Any, least: int = 1) -> int:
        if type(value) is not int or value < least:
            self.fail(field, f"{value!r}", f"give a whole number of at least {least}")
        return value

    def number(self, field: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(field, f"{value!r} is not a number", "give one; YAML reads 1e-3 as text, "
                      "1.0e-3 as a number")  # fmt: skip
        if not math.isfinite(value):
            self.fail(field, f"{value!r}", "give a finite number")
        return value

    def algorithm(self, field: str, value: Any, allowed: tuple[str, ...]) -> Algorithm:
        """Read ``tpe`` or ``{name: tpe, n_startup_trials: 5}``."""
        options = {"name": value} if isinstance(value, str) else dict(self.mapping(field, value))
        name = self.choice(f"{field}.name", options.pop("name", None), allowed)
        return Algorithm(name, options)

    def budget(self, value: Any) -> Budget:
        known = {"n_trials", "iterations", "validate_every", "timeout_min"}
        budget = self.mapping("budget", value, known, ("n_trials", "iterations"))
        iterations = self.whole("budget.iterations", budget["iterations"])
        every = self.whole("budget.validate_every", budget.get("validate_every", iterations))
        timeout = budget.get("timeout_min")
        if timeout is not None and self.number("budget.timeout_min", timeout) <= 0:
            self.fail("budget.timeout_min", repr(timeout), "give minutes, or null for no limit")
        return Budget(self.whole("budget.n_trials", budget["n_trials"]), iterations, every, timeout)

    def parameter(self, name: str, value: Any) -> Parameter:
        field = f"space.{name}"
        shared = {"type", "also", "apply"}
        kind = self.choice(f"{field}.type", self.mapping(field, value).get("type"),
                           ("float", "int", "categorical"))  # fmt: skip
        own = {"choices"} if kind == "categorical" else {"low", "high", "log", "step"}
        required = ("choices",) if kind == "categorical" else ("low", "high")
        entry = self.mapping(field, value, shared | own, required)
        also = entry.get("also", [])
        if not isinstance(also, list) or not all(isinstance(path, str) for path in also):
            self.fail(f"{field}.also", repr(also), "give a list of dotted paths")
        target = entry.get("apply")
        if target is not None and self.text(f"{field}.apply", target).count(".") < 2:
            self.fail(f"{field}.apply", repr(target), "give a path of params.yaml, STAGE.KEY.FIELD")
        if kind == "categorical":
            limits: dict[str, Any] = {"low": 0, "high": 0, "log": False, "step": None}
            choices = self.choices(f"{field}.choices", entry["choices"])
        else:
            limits, choices = self.limits(field, kind, entry), ()
        return Parameter(
            name=name, kind=kind, choices=choices, paths=(name, *also), target=target, **limits
        )

    def choices(self, field: str, choices: Any) -> tuple[Any, ...]:
        if not isinstance(choices, list) or not choices:
            self.fail(field, f"{choices!r}", "give a list of values")
        keys = [choice_key(choice) for choice in choices]
        if len(set(keys)) < len(keys):
            self.fail(field, "a value twice", "give different values")
        return tuple(choices)

    def limits(self, field: str, kind: str, entry: dict[str, Any]) -> dict[str, Any]:
        read = self.whole if kind == "int" else self.number
        extra = {"least": -(2**53)} if kind == "int" else {}
        low, high = (read(f"{field}.{name}", entry[name], **extra) for name in ("low", "high"))
        log, step = entry.get("log", False), entry.get("step", 1 if kind == "int" else None)
        if low >= high:
            self.fail(f"{field}.high", f"{high!r} is not above low ({low!r})", "raise it")
        if type(log) is not bool:
            self.fail(f"{field}.log", repr(log), "give true or false")
        if log and low <= 0:
            self.fail(f"{field}.low", f"{low!r}", "give a positive number, or log: false")
        if step is not None and read(f"{field}.step", step, **extra) <= 0:
            self.fail(f"{field}.step", repr(step), "give a positive number")
        if log and step not in (None, 1):
            self.fail(f"{field}.step", repr(step), "leave it out where log is true")
        return {"low": low, "high": high, "log": log, "step": step}

    def check_paths(self, parameters: tuple[Parameter, ...]) -> None:
        """Refuse a path that two parameters set."""
        owner: dict[str, str] = {}
        for parameter in parameters:
            for path in parameter.paths:
                if path in owner:
                    other = f"also set by {owner[path]}"
                    self.fail(f"space.{parameter.name}", f"{path} is {other}", "set it once")
                owner[path] = parameter.name

    def check_grid(self, parameters: tuple[Parameter, ...]) -> None:
        """Refuse numbers that have no grid."""
        for parameter in parameters:
            if not parameter.grid():
                field = f"space.{parameter.name}.step"
                self.fail(field, "missing", "a grid needs a step, or choices")
