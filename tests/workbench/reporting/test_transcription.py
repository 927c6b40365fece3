"""Every table's description against the machine-readable transcription of the paper, if at hand."""

import os
import re
from pathlib import Path

import pytest
import yaml

from workbench.page.collect import load_paper
from workbench.reporting.expression import evaluate, parse_condition
from workbench.reporting.table_spec import SPEC_FOLDER, load_spec
from workbench.scoring.families import FILE_METRICS
from workbench.scoring.kinds import KINDS

REPOSITORY = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ESG_SHARED_PAPER", REPOSITORY.parent / "shared" / "paper"))
TRANSCRIPTION = SHARED / "paper-tables.yaml"
# X-pretraining and X-query are ours.
TABLES = sorted(path.stem for path in (REPOSITORY / SPEC_FOLDER).glob("*.yaml"))
PRINTED_TABLES = [table for table in TABLES if "-" not in table]


@pytest.fixture(scope="module")
def transcription():
    if not TRANSCRIPTION.is_file():
        pytest.skip(f"no transcription of the paper at {TRANSCRIPTION}")
    return yaml.safe_load(TRANSCRIPTION.read_text(encoding="utf-8"))


def parts(transcription, table):
    return [part for part in transcription["tables"] if part["roman"] == table]


def whole(table, expression):
    """Write an expression as where II is one table, not IIa and IIb."""
    expression = re.sub(r"\b([IVX]+)[ab]:", r"\1:", expression)
    return re.sub(rf"\b{table}:", "", expression)


def values_of(transcription, table):
    return {
        row["id"]: {name: value for name, value in row["values"].items() if value is not None}
        for part in parts(transcription, table)
        for row in part["rows"]
    }


@pytest.mark.parametrize("table", TABLES)
def test_loads(table):
    # Loading evaluates every claim on the printed values and refuses a wrong holds_in_paper.
    assert load_spec(table, REPOSITORY).rows


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_every_printed_number(transcription, table):
    printed = values_of(transcription, table)
    described = {row.id: dict(row.printed) for row in load_spec(table, REPOSITORY).rows}
    assert [row for row in described if row in printed] == list(printed)
    assert {row: described[row] for row in printed} == printed
    # What the paper's table does not have is ours and has nothing printed.
    assert not any(values for row, values in described.items() if row not in printed)


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_columns_and_what_is_printed_instead_of_a_number(transcription, table):
    spec = load_spec(table, REPOSITORY)
    columns = {metric.name: metric for metric in spec.metrics}
    rows = {row.id: row for row in spec.rows}
    for part in parts(transcription, table):
        for column in part["metrics"]:
            assert columns[column["name"]].better == column["better"]
        for record in part["rows"]:
            row = rows[record["id"]]
            empty = [name for name, value in record["values"].items() if value is None]
            for name in empty:
                assert name in row.printed_as or not row.has(name), f"{row.id}.{name}"


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_decimals_show_every_printed_digit(table):
    spec = load_spec(table, REPOSITORY)
    decimals = {metric.name: metric.unit.decimals for metric in spec.metrics}
    for row in spec.rows:
        for name, value in row.printed.items():
            assert round(value, decimals[name]) == value, f"{row.id}.{name}"


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_every_statement(transcription, table):
    split = {part["id"] for part in parts(transcription, table)}
    stated = {
        statement["id"]: (whole(table, statement["expr"]), statement["holds_in_paper"])
        for statement in transcription["statements"]
        if statement["table"] in split
    }
    spec = load_spec(table, REPOSITORY)
    assert {claim.id: (claim.expr, claim.holds_in_paper) for claim in spec.claims} == stated


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_verdicts_on_the_transcribed_numbers(transcription, table):
    def value(cell):
        rows = values_of(transcription, cell.table or table)
        return rows[cell.row].get(cell.metric)

    for claim in load_spec(table, REPOSITORY).claims:
        assert evaluate(parse_condition(claim.expr), value) is claim.holds_in_paper, claim.id


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_values_of_other_tables(transcription, table):
    for other, rows in load_spec(table, REPOSITORY).elsewhere.items():
        printed = values_of(transcription, other)
        for row, values in rows.items():
            assert values.items() <= printed[row].items(), f"{other}:{row}"


@pytest.mark.parametrize("table", PRINTED_TABLES)
def test_sources_with_a_part_are_metrics(table):
    # Sources without one are of runs and counts as well. Gains (Table V) are of two metrics.
    scored = [family.metrics for family in (*FILE_METRICS.values(), *KINDS.values())]
    known = {name for names in scored for name in names}
    known |= {f"{name}_gain" for name in known}
    spec = yaml.safe_load((REPOSITORY / SPEC_FOLDER / f"{table}.yaml").read_text(encoding="utf-8"))
    sources = [metric["source"] for metric in spec["metrics"]]
    sources += [source for row in spec["rows"] for source in row.get("sources", {}).values()]
    for source in sources:
        assert set(re.findall(r"\.(\w+)", source)) <= known, source


def test_every_statement_is_a_claim_once(transcription):
    claims = [claim.id for table in TABLES for claim in load_spec(table, REPOSITORY).claims]
    assert sorted(claims) == sorted(each["id"] for each in transcription["statements"])
    assert len(claims) == 115


def test_every_inconsistency_is_noted_where_it_matters(transcription):
    paper = load_paper(REPOSITORY)
    noted = {table: load_spec(table, REPOSITORY).notes for table in PRINTED_TABLES}
    noted |= {example.table: example.notes for example in paper.examples}
    noted[None] = paper.notes
    ids = {table: {note.id for note in notes} for table, notes in noted.items()}
    for each in transcription["inconsistencies"]:
        for part in each["tables"] or [None]:
            assert each["id"] in ids[part and part.rstrip("ab")], f"{part}: {each['id']}"
    known = {each["id"] for each in transcription["inconsistencies"]}
    assert {name for names in ids.values() for name in names} <= known | {None}
