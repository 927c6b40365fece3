from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from workbench.engine.hooks import CostMeter, Progress, SeedEachIteration, TrackingHook
from workbench.engine.interrupt import stop_on_signals
from workbench.engine.memory import PeakMemory


def runner(iteration: int, total: int = 100, **more: Any) -> Any:
    return SimpleNamespace(iter=iteration, max_iters=total, seed=3, **more)


def meter() -> CostMeter:
    return CostMeter(PeakMemory("cpu"))


def test_random_numbers_depend_on_seed_and_iteration() -> None:
    hook, drawn = SeedEachIteration(), []
    for iteration in (7, 8, 7):
        torch.rand(iteration)
        hook.before_train_iter(runner(iteration), 0)
        drawn.append((float(torch.rand(())), float(np.random.rand())))
    assert drawn[0] == drawn[2] != drawn[1]


def test_clock_leaves_validation_out_and_survives_a_checkpoint() -> None:
    first = meter()
    first.before_train_epoch(None)
    time.sleep(0.02)
    first.after_train_iter(None, 0)
    first.before_val(None)
    time.sleep(0.2)
    first.after_val(None)
    time.sleep(0.02)
    first.after_train_iter(None, 1)
    assert 0.04 <= first.wall_time_s < 0.2
    content: dict[str, Any] = {"meta": {}}
    first.before_save_checkpoint(None, content)
    second = meter()
    second.after_load_checkpoint(None, content)
    assert second.wall_time_s == first.wall_time_s


def test_peak_memory_is_above_the_level_before_and_can_be_restarted() -> None:
    memory = PeakMemory("cpu")
    block = np.ones(64 * 1024**2 // 8)
    del block
    assert 0.05 < memory.read() < 0.2
    memory.restart()
    assert memory.read() < 0.05


def test_one_line_each_period(capsys: pytest.CaptureFixture[str]) -> None:
    cost = meter()
    progress = Progress("toy seed 0", cost, every_s=0.0)
    progress.bar = False
    progress.before_train_epoch(runner(0))
    cost.wall_time_s = 2.0
    progress.after_train_iter(runner(3), 3, None, {"loss": torch.tensor(1.5)})
    assert capsys.readouterr().out == (
        "toy seed 0: 4/100 iterations, loss 1.500, 0.50 s each, 48 s left\n"
    )
    progress.every_s = 30.0
    progress.after_train_iter(runner(4), 4, None, {})
    assert capsys.readouterr().out == ""


def test_tracking_sends_means_without_single_layers_and_frees_the_graph() -> None:
    points: list[tuple[dict[str, float], int]] = []
    run = SimpleNamespace(log_metrics=lambda metrics, step: points.append((metrics, step)))
    hook = TrackingHook(run, meter(), interval=2)  # type: ignore[arg-type]
    wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.1]})
    weight = torch.ones((), requires_grad=True)
    for iteration in range(3):
        outputs = {"loss": weight * iteration, "d0.loss_cls": weight, "image.d3.loss_cls": weight}
        hook.after_train_iter(runner(iteration, optim_wrapper=wrapper), 0, None, outputs)
    assert len(points) == 1 and points[0][1] == 2
    assert points[0][0] == {
        "train/loss": 0.5, "train/iteration_time_s": 0.0, "train/lr": 0.1,
    }  # fmt: skip
    assert not any(getattr(v, "requires_grad", False) for e in hook.window for v in e.values())


def test_pictures_are_drawn_from_the_first_samples(tmp_path: Path) -> None:
    drawn: list[Any] = []
    run = SimpleNamespace(log_metrics=lambda *a: None, log_artifact=lambda *a: None)
    hook = TrackingHook(run, meter(), pictures=2, draw=lambda s, p: drawn.extend(s))  # type: ignore[arg-type]
    hook.before_val_epoch(None)
    for index in range(3):
        hook.after_val_iter(None, index, None, [index])
    hook.after_val_epoch(runner(10, work_dir=str(tmp_path)), {"APe": 0.1})
    assert drawn == [0, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_a_request_within_the_block_only(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.everywhere()
        os.kill(os.getpid(), number)
        assert stop.everywhere() and stop.signal_name == number.name
    assert signal.getsignal(number) is before
