"""Stage report and what the command line says of it."""

import json
from pathlib import Path

import pytest

from tests.workbench.page.conftest import make
from tests.workbench.page.conftest import project as project
from tests.workbench.page.test_compare import git
from tests.workbench.tracking.test_history import store
from workbench.cli.main import main
from workbench.stages.report import main as stage


def run(capsys, *arguments):
    code = main(arguments)
    return code, capsys.readouterr().out


def test_stage_writes_page_and_index(project, capsys):
    assert stage(["report"]) == 0
    assert capsys.readouterr().out == "Report: reports/mini/index.html\n"
    page = Path("reports/mini/index.html").read_text()
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert Path("reports/mini/README.md").read_text().startswith("# Report at scale `mini`")


def test_the_report_writes_what_dvc_plots_of_trainings(project):
    (project / "params.yaml").write_text("scale: mini\nevaluate: {}\ntrain: {small: {}}\n")
    record = project / "artifacts/mini/checkpoints/small/train.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"runs": [{"seed": 0, "run_id": "a"}]}))
    store(project, [("a", "train/loss", 10, 1.5)])
    assert stage(["report"]) == 0
    text = Path("reports/mini/curves/loss/small.seed-0.csv").read_text()
    assert text == "iteration,loss\n10,1.5\n"


def test_the_same_twice_is_the_same_page(project):
    pages = []
    for _ in range(2):
        assert stage(["report"]) == 0
        pages.append(Path("reports/mini/index.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_fault_is_one_line_and_the_old_page_stays(project, capsys):
    assert stage(["report"]) == 0
    before = Path("reports/mini/index.html").read_bytes()
    Path("reports/mini/tables/I.json").write_text("{")
    capsys.readouterr()
    assert stage(["report"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "tables/I.json: JSON" in line
    assert Path("reports/mini/index.html").read_bytes() == before


def test_esg_report_from_another_folder(project, capsys, monkeypatch):
    monkeypatch.chdir(project / "reports")
    code, out = run(capsys, "report")
    assert (code, out) == (0, "Report: reports/mini/index.html (scale mini, 1 of 2 tables)\n")
    assert (project / "reports/mini/index.html").is_file()


def test_esg_report_against_a_revision(project, capsys):
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "-m", "one")
    make(project, 0.38)
    code, out = run(capsys, "report", "--against", "HEAD")
    assert code == 0
    assert "T-better: supported -> contradicted" in out
    assert "I:better:APe: 44 (n = 1) -> 38 (n = 1)" in out
    assert 'id="changes"' in Path("reports/mini/index.html").read_text()
    code, out = run(capsys, "report", "--against", "HEAD", "--json")
    content = json.loads(out)
    assert [each["id"] for each in content["changes"]["claims"]] == ["T-better", "T-size"]
    assert content["tables"][0] == {
        "table": "I", "made": True, "reproduced": 2,
        "claims": {"supported": 0, "contradicted": 2, "inconclusive": 0, "not run": 2},
    }  # fmt: skip


def test_esg_report_against_nothing(project, capsys):
    git(project, "init", "--quiet")
    assert main(["report", "--against", "v9"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--against: v9" in line


@pytest.mark.parametrize(("ape", "code"), [(0.44, 0), (0.38, 3)])
def test_claims_check(project, capsys, ape, code):
    make(project, ape)
    assert run(capsys, "claims")[0] == 0
    assert run(capsys, "claims", "--check")[0] == code
    assert run(capsys, "claims", "II", "--check")[0] == 0


def test_claims_with_both_verdicts(project, capsys):
    _, out = run(capsys, "claims", "I")
    assert "T-iv: above Table IV\n  here: not run (" in out
    assert "  on paper: does not hold (41 ≤ 46.2)\n" in out
    last = out.splitlines()[-1]
    assert last.startswith("4 claims at scale mini: 2 not run, 1 supported, 1 inconclusive; on the")
    _, out = run(capsys, "claims", "--json")
    claims = json.loads(out)["claims"]
    assert len(claims) == 8
    assert claims[0]["here"]["verdict"] == "supported"
    assert claims[0]["on_paper"] == {"verdict": "holds", "reason": "41 > 39.5"}


def test_claims_of_no_table(project, capsys):
    assert main(["claims", "IX"]) == 2
    assert "no such table; use some of: I, II" in capsys.readouterr().err
