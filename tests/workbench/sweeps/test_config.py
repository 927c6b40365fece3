"""A trial's schedule is the training's, shortened, with all of its phases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmengine.optim  # noqa: F401  (registers the schedulers)
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

from tests.workbench.sweeps.conftest import SPEC
from workbench.errors import BadInput
from workbench.sweeps.config import shorten
from workbench.sweeps.prepare import prepare

SCHEDULES = Path(__file__).parents[3] / "configs" / "_base_" / "schedules"


def shortened(name: str, iterations: int) -> Config:
    config = Config.fromfile(SCHEDULES / f"{name}.py")
    shorten(config, iterations, iterations)
    return config


def rates(config: Config) -> list[float]:
    """Return the rate of every iteration, as a fraction of the optimizer's."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build({**each}, default_args={"optimizer": optimizer})
        for each in config.param_scheduler
    ]
    found = []
    for _ in range(config.train_cfg.max_iters):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    "name", ["entityseg_3x", "coco_50e", "coco_12e", "dis5k_100e", "gella_50e"]
)
@pytest.mark.parametrize("iterations", [20, 300, 3000])
def test_paper_schedules_keep_their_phases(name, iterations):
    found = rates(shortened(name, iterations))
    assert len(found) == iterations
    assert max(found) == pytest.approx(1.0), "the warm-up never ends"
    assert found[-1] == pytest.approx(min(found[iterations // 2 :])) and found[-1] < 1


def test_a_warm_up_of_the_mini_scale_reaches_its_end():
    found = rates(shortened("gella_mini", 20))
    assert max(found) > 0.9 > found[-1]


def test_lengths_are_in_proportion():
    warm_up, steps = shortened("entityseg_3x", 10312).param_scheduler
    assert (warm_up.end, steps.milestones) == (2, [9157, 9941])
    (steps,) = shortened("gella_50e", 33800).param_scheduler
    assert steps.milestones == [46 * 676, 48 * 676]


def test_a_schedule_that_mmengine_refuses_is_told_before_any_trial(project, monkeypatch):
    monkeypatch.chdir(project.root)
    schedule: list[Any] = [{"type": "LinearLR", "start_factor": 2.0, "by_epoch": False}]
    space = {"model.width": {"type": "int", "low": 1, "high": 3}}
    project.declare(overrides={"param_scheduler": schedule}, space=space)
    with pytest.raises(BadInput, match=r"budget\.iterations: 20, but LinearLR then says") as error:
        prepare("toy")
    assert "\n" not in str(error.value)
    project.declare(**SPEC)
    prepare("toy")
