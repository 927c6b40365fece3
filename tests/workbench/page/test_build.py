"""The page as text: what is in it, and that it stands alone."""

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.workbench.page.conftest import make
from workbench.page.build import Extras, render_index, render_page
from workbench.page.collect import collect
from workbench.page.compare import compare
from workbench.reporting.table_spec import Note

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Ids, links and texts by id; fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.open = Counter(), [], [], []
        self.texts = Counter()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if found.get("id"):
            self.ids[found["id"]] += 1
        if tag == "a":
            self.links.append(found["href"])
        self.loads += [found[key] for key in ("src", "srcset", "data") if key in found]
        if tag == "link":
            self.loads.append(found["href"])
        if tag not in VOID and tag not in ("line", "polyline", "path"):
            self.open.append((tag, found))

    def handle_endtag(self, tag):
        if tag in ("line", "polyline", "path"):
            return
        assert self.open and self.open[-1][0] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        for _, found in self.open:
            if "id" in found:
                self.texts[found["id"]] = (self.texts[found["id"]] or "") + data + " "


def page(report, **extras):
    return Page(render_page(report, Extras(**extras)))


def words(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def whole(repository_copy):
    """The page of the repository's own mini tables."""
    report = collect(repository_copy, "mini")
    return page(report, changes={"against": "x", "commit": "0" * 40, **compare({}, made(report))})


def made(report):
    return {table.id: table.content for table in report.tables if table.made}


def test_every_anchor_is_there_once(whole):
    assert [name for name, number in whole.ids.items() if number > 1] == []
    anchors = {link[1:] for link in whole.links if link.startswith("#")}
    assert len(anchors) > 300
    assert anchors - set(whole.ids) == set()


def test_the_page_stands_alone(whole):
    assert all(source.startswith("data:") for source in whole.loads)
    elsewhere = [link for link in whole.links if not link.startswith(("#", "tables/"))]
    assert all(link.startswith("http://127.0.0.1:5000/#/runs/") for link in elsewhere)


def test_every_reproduced_cell_leads_to_its_runs(repository_copy, whole):
    for table in collect(repository_copy, "mini").tables:
        for row in table.content["rows"]:
            if row["provenance"]["runs"]:
                assert whole.ids[f"run-{table.id}-{row['id']}"] == 1
                assert f"#run-{table.id}-{row['id']}" in whole.links
                for run in row["provenance"]["runs"]:
                    mine = whole.texts[f"runs-{table.id}"]
                    for field in ("run_id", "git_commit", "data_sha256", "checkpoint_sha256"):
                        assert run[field] is None or run[field][:10] in mine


def test_scale_is_the_largest_word_and_smoke_is_loud(project, report):
    assert "scale mini" in words(page(report).texts["top"])
    assert "not the paper's experiment" in words(page(report).texts["top"])
    smoke = words(page(collect(project, "smoke")).texts["top"])
    assert "scale smoke" in smoke
    assert "These numbers mean nothing" in smoke


def test_a_cell_shows_printed_reproduced_seeds_and_signed_difference(report):
    text = words(page(report).texts["row-I-base"])
    assert "printed 39.5 a 41.0 ± 1.0 n = 3 ▲ +1.5 better" in text
    # Less training time than printed is better; the readable unit stands first.
    assert "printed 2.4 101 ± 1 s 0.0012 GPU-days n = 3 ▼" not in text
    assert "101 ± 1 s 0.0012 GPU-days n = 3 ▲ −2.4 better" in text
    assert "n = 1" in words(page(report).texts["row-I-better"])


def test_a_worse_value_and_its_sign(project):
    make(project, 0.38)
    text = words(page(collect(project, "mini")).texts["row-I-better"])
    assert "38.0 n = 1 ▼ −3.0 worse" in text


def test_remarks_stand_at_their_cells_and_are_escaped(report):
    found = page(report)
    assert words(found.texts["note-I-a"]) == "a Seeds <are> not stated."
    assert words(found.texts["note-I-b"]) == "b On nothing in particular."
    assert words(found.texts["note-I-2"]) == "2 Waits for a larger machine."
    assert found.links.count("#note-I-a") == 2  # at the cell and at the column
    assert "#note-I-b" not in found.links


def test_emphasis_and_code_of_remarks_are_marked_up(report):
    spec = report.tables[0].spec
    note = Note("*Assumed*: `AP` <b>, 3 * 4 * 5.")
    table = replace(report.tables[0], spec=replace(spec, notes=(note,)))
    text = render_page(replace(report, tables=(table,)), Extras())
    assert "<em>Assumed</em>: <code>AP</code> &lt;b&gt;, 3 * 4 * 5." in text


def test_a_table_that_was_not_made_says_what_a_machine_lacks_and_no_more(report):
    found = page(report)
    assert words(found.texts["note-II-2"]) == "2 Waits for a larger machine."
    assert "dvc repro evaluate" not in found.texts["table-II"]


def test_a_claim_has_both_verdicts_and_why(report):
    text = words(page(report).texts["claim-T-iv"])
    assert "here ○ not run Table IV is not reproduced at this scale" in text
    assert "paper ✕ does not hold 41 ≤ 46.2" in text
    assert "better.APe > IV:x.APe" in text


def test_changes_are_shown(project, report):
    before = made(report)
    make(project, 0.38)
    after = collect(project, "mini")
    changes = {"against": "v1", "commit": "c" * 40, **compare(before, made(after))}
    text = words(page(after, changes=changes).texts["changes"])
    assert "1 cell and 2 verdicts changed" in text
    assert "I:better:APe 44.0 (n = 1) 38.0 (n = 1) −6.0" in text
    assert "T-better ✓ supported ✕ contradicted" in text


def test_the_index_counts_tables_and_claims(report):
    lines = render_index(report).splitlines()
    assert lines[0] == "# Report at scale `mini`"
    assert (
        "| [I](tables/I.md) | three models | 2 of 4 rows reproduced, 1 quoted, 1 waiting | "
        "1 supported, 1 inconclusive, 2 not run | 2 of 4 hold |"
    ) in lines
    assert "| II | three models | not run | 4 not run | 2 of 4 hold |" in lines
    assert "| IV | An example | no numbers | none | none |" in lines
    assert not [line for line in lines if line.startswith(" ")]


def test_runs_lead_to_the_tracking_server(report):
    found = page(report, mlflow_url="https://runs.example.org/")
    links = [link for link in found.links if "/#/runs/" in link]
    assert links[0].startswith("https://runs.example.org/#/runs/arun0")
