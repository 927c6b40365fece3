"""What DVC shows of a table."""

from workbench.reporting.dvc_views import bars_of, metrics_of
from workbench.reporting.results import build_table


def test_rows_that_have_values(spec, scores):
    content = build_table(spec, "mini", scores)
    assert metrics_of(content)["base"].keys() == {"APe", "days"}
    assert metrics_of(content)["base"]["APe"] == content["rows"][0]["values"]["APe"]["reproduced"]
    assert metrics_of(content).keys() == {"base", "better"}
    assert [(bar["row"], bar["metric"]) for bar in bars_of(content)] == [
        ("Base", "APe"),
        ("Better | best", "APe"),
    ]


def test_nothing_to_show(spec):
    content = build_table(spec, "mini", {})
    assert (metrics_of(content), bars_of(content)) == ({}, [])
