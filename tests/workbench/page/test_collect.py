"""What the report is of."""

import pytest

from workbench.errors import BadInput, MissingInput
from workbench.page.collect import collect, place


def test_order_is_that_of_the_paper():
    names = ["X-query", "XIX", "IV", "XXIII", "V", "IX", "X", "XVIII", "I"]
    assert sorted(names, key=place) == [
        "I", "IV", "V", "IX", "X", "X-query", "XVIII", "XIX", "XXIII",
    ]  # fmt: skip


def test_a_table_that_was_not_made_has_its_rows_and_claims(report):
    made, other = report.tables
    assert (made.made, made.reproduced) == (True, 2)
    assert (other.made, other.reproduced) == (False, 0)
    assert [row["id"] for row in other.content["rows"]] == ["base", "better", "big", "other"]
    assert other.verdicts == {"supported": 0, "contradicted": 0, "inconclusive": 0, "not run": 4}
    assert len(report.claims) == 8


def test_a_scale_without_tables(project):
    assert not any(table.made for table in collect(project, "paper").tables)


def test_a_broken_table_is_named(project):
    path = project / "reports/mini/tables/I.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(BadInput, match=r"I\.json: JSON: .*dvc repro --force table@I"):
        collect(project, "mini")
    path.write_text('{"rows": []}')
    with pytest.raises(BadInput, match="claims: missing"):
        collect(project, "mini")


def test_a_broken_paper_is_named(project):
    (project / "reports/paper.yaml").write_text("title: x\n")
    with pytest.raises(BadInput, match=r"paper\.yaml: content: KeyError"):
        collect(project, "mini")
    (project / "reports/paper.yaml").unlink()
    with pytest.raises(MissingInput, match=r"paper\.yaml"):
        collect(project, "mini")


def test_the_repository_has_all_tables_and_claims(repository_copy):
    report = collect(repository_copy, "mini")
    examples = [example.table for example in report.paper.examples]
    tables = [table.id for table in report.tables if table.of_paper] + examples
    assert len(tables) == 23
    assert len(report.claims) == 115
