"""Verdicts: order, ties, noise, single seeds, missing cells."""

import pytest

from workbench.reporting.claims import Measured, Missing, judge
from workbench.reporting.expression import parse_condition


def verdict(text, **measured):
    def lookup(cell):
        return measured.get(cell.row, Missing(f"{cell} is not reproduced"))

    return judge(parse_condition(text), lookup)


def seeds(value, std=0.0, n=3, floor=0.4):
    return Measured(value, std, n, floor)


def single(value, floor=0.4):
    return Measured(value, None, 1, floor)


@pytest.mark.parametrize(
    ("text", "a", "b", "expected"),
    [
        ("a.X > b.X", seeds(41), seeds(39), "supported"),
        ("a.X < b.X", seeds(41), seeds(39), "contradicted"),
        # Standard errors: 0.6 / sqrt(3) = 0.35 each, 0.69 together.
        ("a.X > b.X", seeds(41, 0.6), seeds(40.4, 0.6), "inconclusive"),
        ("a.X > b.X", seeds(41, 0.6), seeds(40.2, 0.6), "supported"),
        ("a.X < b.X", seeds(41, 0.6), seeds(40.2, 0.6), "contradicted"),
        # A single seed on either side: the floor counts, and is reached by an equal gap.
        ("a.X > b.X", single(41), single(40.7), "inconclusive"),
        ("a.X > b.X", single(41), seeds(40.7), "inconclusive"),
        ("a.X > b.X", single(41.4), single(41.0), "supported"),
        ("a.X > b.X", single(41.0), single(41.4), "contradicted"),
        # Ties without any spread are decided by the operator; with single runs they are not.
        ("a.X > b.X", seeds(41), seeds(41), "contradicted"),
        ("a.X >= b.X", seeds(41), seeds(41), "supported"),
        ("a.X == b.X", seeds(41), seeds(41), "supported"),
        ("a.X >= b.X", single(41), single(41), "inconclusive"),
        ("a.X >= b.X", seeds(41, 0.1), seeds(41, 0.1), "inconclusive"),
        # One run in two tables is equal to itself; another run is never equal to all digits.
        ("a.X == b.X", single(41), single(41), "supported"),
        ("a.X == b.X", single(41), single(41.2), "inconclusive"),
        ("a.X == b.X", seeds(41, 0.1), seeds(41, 0.1), "supported"),
        # A stated size needs more precision than single runs have.
        ("abs(a.X - b.X - 1.5) < 0.05", single(41), single(39.5), "inconclusive"),
        ("abs(a.X - b.X - 1.5) < 0.05", single(45), single(39.5), "contradicted"),
        ("abs(a.X - b.X - 1.5) < 0.05", seeds(41), seeds(39.5), "supported"),
        # Logic: an undecided part matters only where it decides.
        ("a.X > b.X or a.X > 10", single(41), single(41), "supported"),
        ("a.X > b.X and a.X > 99", single(41), single(41), "contradicted"),
        ("a.X > b.X and a.X > 10", single(41), single(41), "inconclusive"),
        ("not a.X > b.X", seeds(1), seeds(2), "supported"),
        ("not a.X > b.X", single(1), single(1), "inconclusive"),
        # The same cell on both sides moves both.
        ("a.X + b.X > a.X", seeds(40, 5.0), seeds(1, 0.1), "supported"),
        ("max(a.X, b.X) - min(a.X, b.X) < 1.5", seeds(40, 0.1), seeds(40.2, 0.1), "supported"),
    ],
)
def test_verdicts(text, a, b, expected):
    assert verdict(text, a=a, b=b).verdict == expected


def test_missing_cell_is_not_run_even_if_logic_could_decide():
    result = verdict("a.X > 1 or b.X > 1", a=seeds(2))
    assert result.verdict == "not run"
    assert result.reason == "b.X is not reproduced"


def test_division_by_zero_is_not_run():
    assert verdict("a.X / b.X > 1", a=seeds(1), b=seeds(0)).verdict == "not run"


def test_a_divisor_that_noise_can_take_to_zero_is_inconclusive():
    noisy = seeds(1.0, 3**0.5)  # standard error 1
    assert verdict("a.X / b.X > 1", a=seeds(9), b=noisy).verdict == "inconclusive"


def test_reason_states_gap_noise_and_seeds():
    reason = verdict("a.X > b.X", a=single(41), b=seeds(40.7)).reason
    assert reason == "within the noise: gap 0.3, noise 0.4, fewest seeds 1"


def test_floor_of_the_largest_cell_counts():
    a, b = single(100, floor=10), single(95, floor=9.5)
    assert verdict("a.X > b.X", a=a, b=b).verdict == "inconclusive"
