"""Settings of a model that decide its output and that a released checkpoint does not carry."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

PARTS = ("model.*", "val_dataloader.dataset.pipeline.*")
# What matters before and during a training only.
OF_TRAINING = (
    "*.init_cfg", "*.init_cfg.*", "*.start", "*.convert_weights", "*.pretrain_img_size",
    "*.train_cfg.*", "*.loss_*", "*.image_loss_weight", "*drop*", "*.frozen_stages", "*.norm_eval",
    "*.requires_grad", "*.with_cp",
)  # fmt: skip


def differences(own: Config, released: Config) -> list[str]:
    """Return one text for each setting in which two configs differ, named by its dotted place."""
    ours, theirs = settings(own), settings(released)
    return [
        f"{name} {_shown(ours, name)}, not {_shown(theirs, name)}"
        for name in sorted(ours.keys() | theirs.keys())
        if _shown(ours, name) != _shown(theirs, name)
    ]


def _shown(values: dict[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "unset"


def settings(config: Config) -> dict[str, Any]:
    """Return what decides a model's output beside its weights, by dotted place in the config."""
    return {
        name: value
        for name, value in _leaves(config._cfg_dict, "")
        if _matches(name, PARTS) and not _matches(name, OF_TRAINING)
    }


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield plain values, and lists of them, with their dotted places."""
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        value = {str(place): item for place, item in enumerate(value)}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, list(value) if isinstance(value, tuple) else value


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
