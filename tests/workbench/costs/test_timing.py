"""Timing with a clock that is set by hand."""

import time

import pytest

from workbench.costs.timing import Timing, time_call


def test_warm_up_is_left_out(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def call():
        calls.append(None)
        now[0] += 100.0 if len(calls) <= 2 else len(calls)

    timing = time_call(call, "cpu", warmup=2, repeats=3)
    assert timing.seconds == (3.0, 4.0, 5.0)
    assert timing.median_s == 4.0
    assert timing.device == "cpu"


def test_one_interruption_does_not_move_the_median():
    assert Timing((1.0, 1.1, 60.0), "cpu").median_s == 1.1


@pytest.mark.parametrize(("warmup", "repeats"), [(-1, 3), (0, 0)])
def test_refuses_to_time_nothing(warmup, repeats):
    with pytest.raises(ValueError, match="repeats"):
        time_call(lambda: None, "cpu", warmup, repeats)
