"""The content of a table: values, statuses, differences, verdicts, a stable shape."""

import pytest

from workbench.errors import BadInput
from workbench.reporting.parts import parse_source
from workbench.reporting.render import render_markdown
from workbench.reporting.results import build_table
from workbench.reporting.table_spec import load_spec


def build(spec, scores, scale="mini"):
    return build_table(spec, scale, scores)


def by_id(records):
    return {record["id"]: record for record in records}


def test_values_in_printed_units(spec, scores):
    rows = by_id(build(spec, scores)["rows"])
    base = rows["base"]["values"]["APe"]
    assert base["printed"] == 39.5
    assert base["reproduced"] == pytest.approx(41.0)
    assert base["difference"] == pytest.approx(1.5)
    assert (base["std"], base["n"]) == (pytest.approx(1.0), 3)
    days = rows["better"]["values"]["days"]
    assert days["reproduced"] == pytest.approx(0.005)  # 432 s
    assert (days["printed"], days["difference"], days["std"], days["n"]) == (None, None, None, 1)
    assert rows["base"]["provenance"]["runs"][2]["values"]["APe"] == pytest.approx(42.0)


def test_statuses(spec, scores):
    rows = by_id(build(spec, {"base": scores["base"]})["rows"])
    assert {name: row["status"] for name, row in rows.items()} == {
        "base": "reproduced",
        "better": "waits",
        "big": "waits",
        "other": "quoted",
    }
    assert rows["better"]["waits"] == "its score: dvc repro evaluate@T__better"
    assert rows["big"]["waits"] == "a larger machine"


def test_shape_is_the_same_with_and_without_scores(spec, scores):
    def keys(value):
        if isinstance(value, dict):
            return {name: keys(part) for name, part in value.items() if name != "runs"}
        return None

    full, empty = build(spec, scores), build(spec, {})
    assert [keys(row) for row in full["rows"]] == [keys(row) for row in empty["rows"]]
    assert [keys(claim) for claim in full["claims"]] == [keys(claim) for claim in empty["claims"]]
    cell = {"printed", "reproduced", "std", "n", "difference"}
    assert all(set(c) == cell for row in full["rows"] for c in row["values"].values())
    assert {claim["verdict"] for claim in empty["claims"]} == {"not run"}


def test_claims(spec, scores):
    claims = by_id(build(spec, scores)["claims"])
    assert claims["T-better"]["verdict"] == "supported"
    assert claims["T-size"]["verdict"] == "inconclusive"
    assert claims["T-big"]["reason"] == "big is not reproduced (waits for a larger machine)"
    assert claims["T-iv"]["verdict"] == "not run"
    assert claims["T-iv"]["reason"] == "IV:x.APe is of other runs than this table's"


def test_a_single_run_takes_the_deviation_of_its_column(spec, scores):
    """``better`` has one seed: its gap to ``base`` must exceed what the seeds of ``base`` show."""
    base, better = scores["base"]["metrics"]["APe"], scores["better"]["metrics"]["APe"]
    gap = better["mean"] - base["mean"]
    for deviation, verdict in [(gap / 4, "supported"), (gap, "inconclusive")]:
        base["std"] = deviation
        claims = by_id(build(spec, scores)["claims"])
        assert claims["T-better"]["verdict"] == verdict


def test_a_row_of_another_table_that_is_the_same_run(root, scores):
    path = root / "reports" / "tables" / "T.yaml"
    path.write_text(path.read_text().replace("claims:", "same_runs: {IV: {x: base}}\nclaims:", 1))
    claims = by_id(build(load_spec("T", root), scores)["claims"])
    assert claims["T-iv"]["verdict"] == claims["T-better"]["verdict"] == "supported"


def test_no_claim_is_checked_at_smoke_scale(spec, scores):
    claims = build(spec, scores, scale="smoke")["claims"]
    assert {claim["verdict"] for claim in claims} == {"not run"}


def test_undefined_metric(spec, scores, make_metric):
    scores["base"]["metrics"]["APe"] = make_metric(0.4, None, 0.4)
    table = build(spec, scores)
    row = by_id(table["rows"])["base"]
    assert row["status"] == "reproduced"
    assert row["values"]["APe"]["reproduced"] is None
    assert row["provenance"]["runs"][1]["values"]["APe"] is None
    assert by_id(table["claims"])["T-better"]["verdict"] == "not run"


def test_rows_of_others_are_added(spec, scores, make_score):
    scores["my-tool"] = make_score("my-tool", [0.2], [1])
    row = build(spec, scores)["rows"][-1]
    assert (row["id"], row["status"], row["note"]) == (
        "my-tool",
        "reproduced",
        "Not a row of the paper.",
    )


def test_score_without_a_metric_is_refused(spec, scores):
    del scores["base"]["metrics"]["APe"]
    with pytest.raises(BadInput, match=r"score of base: metrics\.APe: missing"):
        build(spec, scores)


def test_a_row_may_show_another_measure_in_a_column(root, scores, make_metric):
    path = root / "reports" / "tables" / "T.yaml"
    text = path.read_text()
    own = "{APe: 39.5, days: 2.4}, sources: {APe: ACC}}"
    path.write_text(text.replace("{APe: 39.5, days: 2.4}}", own))
    scores["base"]["metrics"]["ACC"] = make_metric(0.9, 0.9, 0.6)
    rows = by_id(build(load_spec("T", root), scores)["rows"])
    assert rows["base"]["values"]["APe"]["reproduced"] == pytest.approx(80.0)
    assert rows["base"]["provenance"]["runs"][2]["values"]["APe"] == pytest.approx(60.0)
    assert rows["better"]["values"]["APe"]["reproduced"] == pytest.approx(44.0)


PARTED = """\
- {name: A, label: A, unit: "%", better: higher, decimals: 1, source: a.APe,
   conversion: percent, noise: {absolute: 0.4}}
- {name: B, label: B, unit: "%", better: higher, decimals: 1, source: b.APe,
   conversion: percent, noise: {absolute: 0.4}}
- {name: mean, label: both, unit: "%", better: higher, decimals: 1, source: "mean(a.APe, b.APe)",
   conversion: percent, noise: {absolute: 0.4}}
rows:
- {id: base, label: Base, printed: {A: 40, B: 50, mean: 45}}
- {id: better, label: Better, printed: {A: 41}, metrics: [A]}
claims: []
"""


@pytest.fixture
def parted(root):
    """A table whose columns are of two parts and their mean."""
    path = root / "reports" / "tables" / "T.yaml"
    head = path.read_text().partition("metrics:\n")[0]
    path.write_text(f"{head}metrics:\n{PARTED}")
    return load_spec("T", root)


@pytest.fixture
def part_scores(make_score):
    return {
        "base.a": make_score("base.a", [0.40, 0.42], [1, 1]),
        "base.b": make_score("base.b", [0.50, 0.56], [1, 1], letter="b"),
    }


def test_columns_of_parts_and_their_mean_by_seed(parted, part_scores):
    row = by_id(build(parted, part_scores)["rows"])["base"]
    assert (row["status"], row["waits"]) == ("reproduced", None)
    values = row["values"]
    assert values["A"]["reproduced"] == pytest.approx(41.0)
    assert values["B"]["difference"] == pytest.approx(3.0)
    # 45 and 49: their deviation is that of the means by seed, not of the parts.
    assert values["mean"]["reproduced"] == pytest.approx(47.0)
    assert (values["mean"]["std"], values["mean"]["n"]) == (pytest.approx(8**0.5), 2)
    runs = row["provenance"]["runs"]
    assert [(run["part"], run["seed"]) for run in runs] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert runs[2]["values"] == {"B": pytest.approx(50.0), "mean": pytest.approx(50.0)}


def test_a_missing_part_says_what_it_waits_for(parted, part_scores):
    del part_scores["base.b"]
    rows = by_id(build(parted, part_scores)["rows"])
    assert rows["base"]["status"] == "reproduced"
    assert rows["base"]["waits"] == "its parts b: dvc repro evaluate@T__base__b"
    assert rows["base"]["values"]["A"]["reproduced"] == pytest.approx(41.0)
    assert rows["base"]["values"]["mean"]["reproduced"] is None
    assert rows["better"]["waits"] == "its parts a: dvc repro evaluate@T__better__a"
    page = render_markdown(build(parted, part_scores), parted)
    assert "printed 50.0<br>waits" in page
    assert "undefined" not in page
    assert "| base, a | 1 |" in page


def test_parts_stand_in_the_order_of_the_columns(parted, part_scores):
    turned = dict(reversed(part_scores.items()))
    row = by_id(build(parted, turned)["rows"])["base"]
    assert [run["part"] for run in row["provenance"]["runs"]] == ["a", "a", "b", "b"]


def test_commands_name_the_stage_that_scores(parted):
    table = build_table(parted, "mini", {}, {"T__better__a": "measure"})
    assert by_id(table["rows"])["better"]["waits"].endswith("dvc repro measure@T__better__a")


def test_an_undefined_part_leaves_the_mean_undefined(parted, part_scores, make_metric):
    part_scores["base.b"]["metrics"]["APe"] = make_metric(0.5, None)
    page = render_markdown(build(parted, part_scores), parted)
    assert "printed 45.0<br>undefined" in page


def test_parts_of_other_seeds_have_no_mean(parted, part_scores, make_score):
    part_scores["base.b"] = make_score("base.b", [0.5], [1])
    with pytest.raises(BadInput, match=r"score of base\.b: provenance: seeds \[0\], but \[0, 1\]"):
        build(parted, part_scores)


@pytest.mark.parametrize(
    "text", ["", "a.b.c", "mean()", "mean(a.x)", "mean(a.x, a.x)", "a x", "f(a)"]
)
def test_not_a_source(text):
    with pytest.raises(ValueError, match="use METRIC|a mean is"):
        parse_source(text)
