"""Reports of two revisions."""

import subprocess

import pytest

from tests.workbench.page.conftest import make
from workbench.errors import BadInput
from workbench.page.collect import collect
from workbench.page.compare import compare, tables_at


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(project):
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "-m", "one")
    return project


def changes(root):
    _, before = tables_at(root, "HEAD", "mini")
    return compare(before, {t.id: t.content for t in collect(root, "mini").tables if t.made})


def test_nothing_changed(committed):
    assert changes(committed) == {"tables": [], "cells": [], "claims": []}


def test_cells_and_verdicts(committed):
    make(committed, 0.38)
    found = changes(committed)
    (cell,) = found["cells"]
    assert (cell["table"], cell["row"], cell["metric"]) == ("I", "better", "APe")
    assert cell["before"] == {"reproduced": 44.0, "std": None, "n": 1}
    assert cell["after"]["reproduced"] == pytest.approx(38)
    flipped = {each["id"]: (each["before"], each["after"]) for each in found["claims"]}
    assert flipped["T-better"] == ("supported", "contradicted")


def test_a_new_and_a_lost_table(committed):
    (committed / "reports/mini/tables/I.json").unlink()
    found = changes(committed)
    assert found["tables"] == [{"table": "I", "before": True, "after": False}]
    assert {each["after"] for each in found["claims"]} == {"not made"}
    assert all(each["after"] is None for each in found["cells"])


def test_of_another_folder_than_the_repository_s(tmp_path, committed):
    _, tables = tables_at(committed, "HEAD", "paper")
    assert tables == {}


@pytest.mark.parametrize("revision", ["nothing", "--all", "HEAD:params.yaml"])
def test_no_such_revision(committed, revision):
    with pytest.raises(BadInput, match="name a commit, branch or tag"):
        tables_at(committed, revision, "mini")
