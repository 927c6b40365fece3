"""The arithmetic of estimates, on a model small enough to do it by hand."""

import pytest

from workbench.estimates.work import (
    Machine,
    TrainingRun,
    Work,
    checkpoint_gib,
    prediction_memory_gib,
)

GIB = 2**30
# 2 GiB of parameters in single precision, half of them trained; 1 GiB is kept of each sample.
WORK = Work(GIB // 2, GIB // 4, 3e12, GIB, 1e12, GIB // 2)
MACHINE = Machine("toy", 4, 40, {"float32": 20.0, "half": 100.0}, 0.5)


def test_hours_are_flops_over_what_is_sustained():
    """72,000 x 16 samples of 3 TFLOP at 10 TFLOPS: 345,600 s."""
    run = TrainingRun(72_000, 16, "float32")
    assert MACHINE.hours(run.flops(WORK), "float32") == pytest.approx(96)
    assert MACHINE.hours(run.flops(WORK), "half") == pytest.approx(96 / 5)


@pytest.mark.parametrize(
    ("batch", "precision", "gib"), [(16, "float32", 5 + 4), (16, "half", 5 + 2), (17, "half", 7.5)]
)
def test_memory_of_a_training(batch, precision, gib):
    """Weights 2 GiB, gradients 1, AdamW 2; 16 samples on 4 devices are 4, and 17 at most 5."""
    assert TrainingRun(1, batch, precision).memory_gib(WORK, 4) == pytest.approx(gib)


def test_memory_of_a_prediction_and_size_of_a_checkpoint():
    assert prediction_memory_gib(WORK) == pytest.approx(2.5)
    assert checkpoint_gib(WORK) == pytest.approx((2, 4))
