"""Overrides and options: only what a config has can be changed."""

import pytest
from mmengine.config import Config

from workbench.errors import BadInput
from workbench.overrides import merge_options, merge_overrides


@pytest.fixture
def config() -> Config:
    return Config({"model": {"type": "A", "width": 1}, "steps": [{"size": 3}, {"size": 4}]})


def test_options_reach_nested_values_and_list_items(config) -> None:
    merge_options(config, {"model.width": 2, "steps.1.size": 9}, "--cfg-options")
    assert config.model.width == 2 and [step.size for step in config.steps] == [3, 9]


@pytest.mark.parametrize("key", ["model.widht", "modell", "steps.2.size", "model.width.x"])
def test_unknown_option_is_named(config, key) -> None:
    with pytest.raises(BadInput, match="^--cfg-options: ") as caught:
        merge_options(config, {key: 5}, "--cfg-options")
    assert caught.value.field in key
    assert config.model.width == 1


def test_a_new_type_brings_its_own_keys(config) -> None:
    merge_overrides(config, {"model": {"type": "B", "depth": 2}}, "segment.x.overrides")
    assert config.model == {"type": "B", "width": 1, "depth": 2}


def test_the_same_type_does_not(config) -> None:
    with pytest.raises(BadInput, match="segment.x.overrides.model.depth"):
        merge_overrides(config, {"model": {"type": "A", "depth": 2}}, "segment.x.overrides")
