"""Configs of a sweep: the one that all trials share, and each trial's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.overrides import merge_overrides
from workbench.params import training
from workbench.paths import Layout
from workbench.stages.resolve import flattened
from workbench.sweeps.spec import SweepSpec

if TYPE_CHECKING:
    from mmengine.config import Config

# Fields of a learning-rate schedule that count iterations, beside its begin, end and milestones.
SCHEDULE_LENGTHS = ("T_max", "total_steps", "total_iters", "step_size")
# MMEngine's warm-ups reach their end one iteration before ``end``: of one, the rate never rises.
LEAST_PHASE = 2
# Says which trial a config is of: two with equal values must not share a work folder.
TRIAL_KEY = "sweep_trial"


def base_config(spec: SweepSpec, params: dict[str, Any]) -> Config:
    """Return the config that all trials share.

    It is the training's own without its ``overrides`` in ``params.yaml``: the best values are
    written there, and must not change the sweep that found them.

    Raises:
        BadInput, MissingInput: The training or what its config names cannot be used.
    """
    item = {**training(params, spec.training), "overrides": {}}
    config = flattened(params, Layout(params["scale"]), spec.training, item)
    if spec.val_cfg:  # MMEngine asks for all three or none
        config.val_cfg, config.val_dataloader, config.val_evaluator = dict(spec.val_cfg), {}, {}
    elif config.get("val_cfg") is None:
        problem = f"missing, and the config of {spec.training} has no validation"
        raise BadInput(spec.path, "val_cfg", problem, "name an MMEngine loop that scores the model")
    _merge(config, spec, spec.overrides, "overrides")
    shorten(config, spec.budget.iterations, spec.budget.validate_every)
    _check_schedule(config, spec)
    for parameter in spec.space:
        for path in parameter.paths:
            if not _has(config._cfg_dict, path.split(".")):
                raise BadInput(
                    spec.path, f"space.{parameter.name}", f"the config has no {path}",
                    f"give a path of the config of {spec.training}",
                )  # fmt: skip
    return config


def trial_config(
    base: Config, spec: SweepSpec, sampled: Mapping[str, Any], number: int, hooks: list[Any]
) -> Config:
    """Return a trial's config.

    Args:
        base: Of `base_config`; not changed.
        spec: The sweep.
        sampled: Parameter name to value as Optuna stores it.
        number: Of the trial that first had these values.
        hooks: Configs of hooks to add.
    """
    config = base.copy()
    for parameter in spec.space:
        for path in parameter.paths:
            _merge(config, spec, nested(path, parameter.value(sampled[parameter.name])), "space")
    config.custom_hooks = [*(config.get("custom_hooks") or []), *hooks]
    config[TRIAL_KEY] = number
    return config


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return ``{"a": {"b": value}}`` for the path ``a.b``."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def shorten(config: Config, iterations: int, validate_every: int) -> None:
    """Shorten a training, its schedule in proportion; one that is shorter already stays."""
    before = config.train_cfg.max_iters
    after = min(before, iterations)
    config.train_cfg.max_iters = after
    config.train_cfg.val_interval = min(validate_every, after)
    for scheduler in _schedulers(config):
        _shorten_scheduler(scheduler, after / before)


def _shorten_scheduler(scheduler: dict[str, Any], factor: float) -> None:
    """Scale what counts iterations; no phase vanishes, and a short one stays as it is."""

    def scaled(length: int, least: int) -> int:
        return max(round(length * factor), min(length, least))

    for name in SCHEDULE_LENGTHS:
        if isinstance(scheduler.get(name), int):
            scheduler[name] = scaled(scheduler[name], LEAST_PHASE)
    begin, end = scheduler.get("begin", 0), scheduler.get("end")
    if begin:
        scheduler["begin"] = round(begin * factor)
    if end:
        least = round(begin * factor) + min(end - begin, LEAST_PHASE)
        scheduler["end"] = max(round(end * factor), least)
    if scheduler.get("milestones"):
        scheduler["milestones"] = [scaled(each, 1) for each in scheduler["milestones"]]


def _check_schedule(config: Config, spec: SweepSpec) -> None:
    """Build the schedulers once: what MMEngine refuses would fail every trial.

    Raises:
        BadInput: It refuses one.
    """
    import mmengine.optim  # noqa: F401  (registers the schedulers)
    import torch
    from mmengine.registry import PARAM_SCHEDULERS

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.5)
    for scheduler in _schedulers(config):
        settings = {k: v for k, v in scheduler.items() if k != "convert_to_iter_based"}
        try:
            if PARAM_SCHEDULERS.get(settings.get("type", "")):
                PARAM_SCHEDULERS.build(settings, default_args={"optimizer": optimizer})
        # Whatever a scheduler's constructor raises.
        except Exception as error:
            iterations = config.train_cfg.max_iters
            problem = f"{iterations}, but {settings['type']} then says: {error}".replace("\n", " ")
            fix = "raise it, or correct the schedule"
            raise BadInput(spec.path, "budget.iterations", problem, fix) from error


def _schedulers(config: Config) -> list[Any]:
    schedulers = config.get("param_scheduler") or []
    return schedulers if isinstance(schedulers, list) else [schedulers]


def _merge(config: Config, spec: SweepSpec, values: Mapping[str, Any], field: str) -> None:
    try:
        merge_overrides(config, dict(values), field)
    except BadInput as error:
        raise BadInput(spec.path, error.field, error.problem, error.fix) from error


def _has(config: Any, path: list[str]) -> bool:
    """Return whether a config has a value at a path; an item of a list is named by its index."""
    for name in path:
        if isinstance(config, list) and name.isdecimal() and int(name) < len(config):
            config = config[int(name)]
        elif isinstance(config, dict) and name in config:
            config = config[name]
        else:
            return False
    return True
