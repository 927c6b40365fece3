"""Merging `overrides` of params.yaml into an MMEngine config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput

if TYPE_CHECKING:
    from mmengine.config import Config


def merge_overrides(config: Config, overrides: dict[str, Any], field: str) -> None:
    """Merge a nested mapping into a config, in place; every key must exist already.

    A mapping with ``_delete_: true`` replaces what is there, as in MMEngine; one that changes
    ``type`` may add keys, which the new class checks.

    Raises:
        BadInput: A key that the config does not have.
    """
    _check_known(config._cfg_dict, overrides, "params.yaml", field)
    config.merge_from_dict(overrides)


def merge_options(config: Config, options: dict[str, Any], where: str) -> None:
    """Merge dotted keys into a config, in place; every key must exist already.

    Args:
        config: Changed in place.
        options: ``{"train_cfg.max_iters": 100}``.
        where: What to call the options in errors.

    Raises:
        BadInput: A key that the config does not have.
    """
    for dotted, value in options.items():
        nested = value
        for name in reversed(dotted.split(".")[1:]):
            nested = {name: nested}
        _check_known(config._cfg_dict, {dotted.split(".")[0]: nested}, where, "")
    config.merge_from_dict(options)


def _check_known(config: Any, overrides: dict[str, Any], where: str, field: str) -> None:
    """Refuse keys that the config does not have; an item of a list is named by its index."""
    if isinstance(config, list):
        config = {str(index): item for index, item in enumerate(config)}
    for name, value in overrides.items():
        here = f"{field}.{name}" if field else name
        if not isinstance(config, dict):
            problem = f"the config has a value there, {config!r}, not a mapping"
            raise BadInput(where, here, problem, "give a value")
        if name not in config:
            if overrides.get("type", config.get("type")) != config.get("type"):
                continue
            known = ", ".join(sorted(map(str, config)))
            raise BadInput(where, here, "not in the config", f"use one of: {known}")
        if isinstance(value, dict) and not value.get("_delete_"):
            _check_known(config[name], value, where, here)
