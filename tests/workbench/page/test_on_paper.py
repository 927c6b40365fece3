"""Claims on the printed numbers."""

from dataclasses import replace

from workbench.page.collect import collect
from workbench.page.judged import judged_claims
from workbench.page.on_paper import FAILS, HOLDS, UNKNOWN, on_paper
from workbench.reporting.expression import parse_condition


def verdict(table, expression):
    claim = replace(table.spec.claims[0], condition=parse_condition(expression))
    found = on_paper(claim, table.spec)
    return found.verdict, found.reason


def test_the_numbers_that_decide_are_named(report):
    table = report.tables[0]
    assert verdict(table, "better.APe > base.APe") == (HOLDS, "41 > 39.5")
    assert verdict(table, "better.APe > IV:x.APe") == (FAILS, "41 ≤ 46.2")
    both = "better.APe > base.APe and base.APe - better.APe == 0"
    assert verdict(table, both) == (FAILS, "-1.5 ≠ 0")
    assert verdict(table, "not (better.APe < base.APe)") == (HOLDS, "")


def test_nothing_is_left_over_from_binary_fractions(report):
    assert verdict(report.tables[0], "0.3 - 0.1 - 0.2 < 1")[1] == "0 < 1"


def test_unknown_names_what_is_not_printed(report):
    assert verdict(report.tables[0], "big.APe > base.APe") == (UNKNOWN, "not printed: big.APe")


def test_a_table_that_was_not_made_says_so_once(report):
    reasons = {claim.here.reason for claim in judged_claims(report.tables[1])}
    assert reasons == {"Table II has not been made: dvc repro table@II"}


def test_twenty_claims_fail_on_the_printed_numbers_each_with_numbers(repository_copy):
    claims = [c for t in collect(repository_copy, "mini").tables for c in judged_claims(t)]
    failing = [claim for claim in claims if claim.paper.verdict == FAILS]
    assert len(failing) == 20
    assert all(claim.paper.reason for claim in failing)
    assert len([claim for claim in claims if claim.paper.verdict == HOLDS]) == 95
