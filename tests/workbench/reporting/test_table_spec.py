"""Descriptions of tables: the one in the repository, and what is refused."""

from pathlib import Path

import pytest

from workbench.errors import BadInput
from workbench.reporting.table_spec import Note, load_spec

REPOSITORY = Path(__file__).parents[3]


def test_table_vi_as_printed():
    spec = load_spec("VI", REPOSITORY)
    printed = {row.id: dict(row.printed) for row in spec.rows if row.printed}
    assert list(printed) == ["mask2former-800", "mask2former-2700-a100-80g", "v-mask2former",
                             "vita", "cropformer"]  # fmt: skip
    assert [v["APe"] for v in printed.values()] == [39.5, 40.9, 39.7, 39.9, 41.0]
    assert [v["mem_train_GB"] for v in printed.values()] == [5.8, 58.8, 10.4, 11.9, 11.4]
    assert [v["mem_infer_GB"] for v in printed.values()] == [3.0, 10.4, 6.7, 6.8, 6.9]
    assert [v["train_time_gpu_days"] for v in printed.values()] == [2.4, 60.8, 6.8, 10.2, 9.8]
    assert [v["infer_time_ms"] for v in printed.values()] == [637, 3312, 1503, 1512, 1503]
    oom = next(row for row in spec.rows if row.id == "mask2former-2700-a100-40g")
    assert oom.printed_as["APe"] == "OOM"
    assert "40 GiB" in oom.waits


def test_claims_of_table_vi_hold_on_paper_as_stated():
    # Loading evaluates every claim on the printed values and refuses a wrong holds_in_paper.
    claims = {claim.id: claim.holds_in_paper for claim in load_spec("VI", REPOSITORY).claims}
    assert len(claims) == 10
    assert [name for name, holds in claims.items() if not holds] == [
        "VI-crossconsistent-iv",
        "VI-above-iv",
    ]


def test_unknown_table_lists_the_known(root):
    with pytest.raises(BadInput, match=r"ZZ\.yaml: table: 'ZZ' has no description; use one of: T"):
        load_spec("ZZ", root)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("table: T", "table: U", "table"),
        ("title:", "name:", "top level.title"),
        ('section: "1.2"', "section: [", "YAML"),
        ("better: higher", "better: up", "metrics[0].better"),
        ("decimals: 0}", "decimals: x}", "metrics[1].also.decimals"),
        ("conversion: percent", "conversion: miles", "metrics[0].conversion"),
        ("{absolute: 0.4}", "{absolute: much}", "metrics[0].noise.absolute"),
        ("{absolute: 0.4}", "{abs: 0.4}", "metrics[0].noise.abs"),
        ("name: days", "name: APe", "rows[0].printed.days"),
        ("id: better", "id: base", "rows"),
        ("id: better", "id: Better", "rows[1].id"),
        ("APe: 39.5", "APe: x", "rows[0].printed.APe"),
        ("APe: 39.5", "AP: 39.5", "rows[0].printed.AP"),
        ("quoted: true", "quote: true", "rows[3].quote"),
        ("quoted: true", "sources: {AP: AP50}", "rows[3].sources.AP"),
        ("claims:", "same_runs: {IV: {x: none}}\nclaims:", "same_runs.IV.x"),
        ("claims:", "same_runs: {IV: {y: base}}\nclaims:", "same_runs.IV.y"),
        ("id: T-size", "id: T-better", "claims"),
        ("expr: better.APe > base.APe", "expr: better.APe >", "claims[0].expr"),
        ("expr: better.APe > base.APe", "expr: best.APe > 1", "claims.T-better.expr"),
        ("IV:x.APe", "IV:y.APe", "claims.T-iv.expr"),
        ("holds_in_paper: false", "holds_in_paper: true", "claims.T-iv.holds_in_paper"),
        ("APe: 41.0", "APe: 39.0", "claims.T-better.holds_in_paper"),
        ('notes: ["Seeds are not stated."]', "notes: text", "notes"),
        ('["Seeds are not stated."]', "[{id: x}]", "notes[0].note"),
        ('["Seeds are not stated."]', "[{note: x, of: []}]", "notes[0].of"),
        ('["Seeds are not stated."]', "[{note: x, at: [best.APe]}]", "notes[0].at"),
        ('["Seeds are not stated."]', "[{note: x, at: [base.AP]}]", "notes[0].at"),
        ('["Seeds are not stated."]', '[{note: x, at: ["*"]}]', "notes[0].at"),
    ],
)
def test_refused_with_the_field(root, old, new, field):
    path = root / "reports" / "tables" / "T.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        load_spec("T", root)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_a_note_may_name_what_it_concerns(root):
    path = root / "reports" / "tables" / "T.yaml"
    noted = '[{id: x, at: [base, better.APe, "*.days"], note: "Not stated."}, "Plain."]'
    path.write_text(path.read_text().replace('["Seeds are not stated."]', noted))
    first, second = load_spec("T", root).notes
    assert first == Note("Not stated.", "x", ("base", "better.APe", "*.days"))
    assert second == Note("Plain.")
