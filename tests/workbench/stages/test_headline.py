"""Stage headline: one page from the tables' JSON."""

import json
from pathlib import Path

import pytest

from workbench.errors import MissingInput
from workbench.stages.headline import headline, main


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("scale: smoke\n")
    return tmp_path


def test_page_counts_rows_and_claims_and_says_what_the_scale_means(root):
    table = {
        "rows": [{"status": "reproduced"}, {"status": "reproduced"}, {"status": "waits"}],
        "claims": [{"verdict": "supported"}],
    }
    Path("reports/smoke/tables").mkdir(parents=True)
    for name in ("VI", "X"):
        Path(f"reports/smoke/tables/{name}.json").write_text(json.dumps(table))
    text = headline().read_text()
    assert "| [X](tables/X.md) | 2 reproduced" in text
    assert "| [VI](tables/VI.md) | 2 reproduced, 1 waits | 1 supported |" in text
    assert "mean nothing" in text


def test_missing_table_names_its_target(root):
    with pytest.raises(MissingInput, match="dvc repro table@VI"):
        headline()


def test_usage(root):
    assert main(["headline", "--what"]) == 2
