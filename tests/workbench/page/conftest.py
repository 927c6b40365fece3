"""A small project with two tables, one of them made, and the repository's own reports."""

import shutil
from pathlib import Path

import pytest

from tests.workbench.reporting.conftest import SPEC, score
from workbench.files import write_json
from workbench.page.collect import collect
from workbench.reporting.results import build_table
from workbench.reporting.table_spec import load_spec

REPOSITORY = Path(__file__).parents[3]
NOTES = """\
notes:
- {id: no-seeds, at: [base.APe, "*.days"], note: "Seeds <are> not stated."}
- "On nothing in particular."
"""
PAPER = """\
title: "A paper & more"
arxiv: "1234.56789"
examples:
- {table: IV, title: "An example", section: "4", text: "Words.",
   notes: [{id: x, note: "A remark."}]}
notes: [{id: y, note: "On the whole."}]
"""


def spec_text(name):
    return SPEC.replace("table: T", f"table: {name}").split("notes:")[0] + NOTES


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Tables I and II as described for tests of tables; I has been made of two rows."""
    (tmp_path / "reports/tables").mkdir(parents=True)
    for name in ("I", "II"):
        (tmp_path / f"reports/tables/{name}.yaml").write_text(spec_text(name))
    (tmp_path / "reports/paper.yaml").write_text(PAPER)
    (tmp_path / "params.yaml").write_text("scale: mini\nevaluate: {}\n")
    make(tmp_path, 0.44)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(root, ape, scale="mini"):
    """Write Table I with a value for the row that CropFormer's is in a real table."""
    scores = {
        "base": score("base", [0.40, 0.41, 0.42], [100, 101, 102], scale=scale),
        "better": score("better", [ape], [432], letter="b", scale=scale),
    }
    table = build_table(load_spec("I", root), scale, scores, lambda other: None)
    write_json(root / f"reports/{scale}/tables/I.json", table)


@pytest.fixture
def report(project):
    return collect(project, "mini")


@pytest.fixture(scope="session")
def repository_copy(tmp_path_factory):
    """The reports of the repository in a folder of their own."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(REPOSITORY / "reports", root / "reports")
    shutil.copy(REPOSITORY / "params.yaml", root)
    return root
