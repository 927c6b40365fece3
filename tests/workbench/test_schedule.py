"""Which stage is started when."""

import pytest

from workbench.schedule import Schedule, makespan

#     a ── d ── e      b also leads to d; c stands alone
UPSTREAM = {"a": [], "b": [], "c": [], "d": ["a", "b"], "e": ["d"]}
SECONDS = {"a": 1.0, "b": 4.0, "c": 6.0, "d": 3.0, "e": 2.0}


def test_the_longest_way_to_the_end_goes_first():
    schedule = Schedule(SECONDS, UPSTREAM)
    # b: 4 + 3 + 2; a: 1 + 3 + 2; c: 6
    assert schedule.urgency == {"a": 6.0, "b": 9.0, "c": 6.0, "d": 5.0, "e": 2.0}
    assert [schedule.take() for _ in range(4)] == ["b", "a", "c", None]
    schedule.finish("a")
    assert schedule.take() is None, "d needs b as well"
    schedule.finish("b")
    assert schedule.take() == "d"


def test_what_is_up_to_date_is_not_waited_for():
    schedule = Schedule({"d": 3.0, "e": 2.0}, UPSTREAM)
    assert schedule.take() == "d"


def test_a_failure_takes_with_it_what_needs_it():
    schedule = Schedule(SECONDS, UPSTREAM)
    for _ in range(3):
        schedule.take()
    assert schedule.give_up("a") == ["d", "e"]
    assert schedule.give_up("b") == ["d", "e"]
    schedule.finish("c")
    assert schedule.take() is None


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    # two: b 0-4 and a 0-1, c 1-7, d 4-7, e 7-9; three: b, a and c start together
    [(1, 16.0), (2, 9.0), (3, 9.0)],
)
def test_time_with_several_at_once(jobs, seconds):
    assert makespan(SECONDS, UPSTREAM, jobs) == seconds


def test_nothing_takes_no_time():
    assert makespan({}, {}, 2) == 0.0
