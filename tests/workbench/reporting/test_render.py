"""The Markdown of a table, against a file that a person has read."""

from pathlib import Path

from workbench.reporting.render import render_markdown
from workbench.reporting.results import build_table

GOLDEN = Path(__file__).with_name("golden.md")


def page(spec, scores, scale="mini"):
    return render_markdown(build_table(spec, scale, scores), spec)


def test_golden(spec, scores):
    assert page(spec, scores) == GOLDEN.read_text(encoding="utf-8")


def test_smoke_is_loud(spec, scores):
    text = page(spec, scores, scale="smoke")
    assert text.splitlines()[0] == "# Table T at scale `smoke`: three models"
    assert "THE NUMBERS BELOW MEAN NOTHING" in text


def test_nothing_run(spec):
    text = page(spec, {}, scale="paper")
    assert "Nothing has been run yet." in text
    assert "on no device yet" in text
    assert "printed 41.0<br>waits" in text


def test_shared_runs_and_dirty_checkout_are_said(spec, scores):
    scores["better"]["provenance"][0].update(
        checkpoint_sha256=scores["base"]["provenance"][0]["checkpoint_sha256"], git_dirty=True
    )
    text = page(spec, scores)
    assert "Rows that share their runs: base and better." in text
    assert "`c0ffee00` + changes" in text
    assert "over 3 runs" in text


def test_unknown_provenance_does_not_break_it(spec, scores):
    scores["better"]["provenance"][0] = {"seed": 0}
    scores["better"]["score"] = None
    assert "| better | 0 | unknown |" in page(spec, scores)
