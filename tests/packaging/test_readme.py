"""The README's numbers are those of the report that is committed with it.

Not of the one in the work tree: `make repro` replaces that one by the user's own numbers.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPORT = "reports/mini/tables/VI.json"


def committed(path: str) -> str:
    shown = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return shown.stdout


def readme_rows() -> dict[str, list[str]]:
    text = committed("README.md")
    block = text.split("<!-- table VI -->")[1].split("<!-- end of table VI -->")[0]
    rows = [line.strip("| ").split(" | ") for line in block.strip().splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def report_rows() -> list[dict]:
    rows = json.loads(committed(REPORT))["rows"]
    return [row for row in rows if row["status"] == "reproduced"]


def test_readme_lists_the_reproduced_rows() -> None:
    assert list(readme_rows()) == [row["label"] for row in report_rows()]


@pytest.mark.parametrize("row", report_rows(), ids=lambda row: row["id"])
def test_readme_numbers_are_the_reports(row) -> None:
    printed, here, training, inference = readme_rows()[row["label"]]
    entity_ap = row["values"]["APe"]
    assert printed == ("–" if entity_ap["printed"] is None else f"{entity_ap['printed']:.1f}")
    assert re.match(r"[\d.]+", here).group() == f"{entity_ap['reproduced']:.1f}"
    assert here.endswith(f"(n = {entity_ap['n']})")
    seconds = row["values"]["train_time_gpu_days"]["reproduced"] * 86400
    assert training == f"{seconds:.0f}"
    assert inference == f"{row['values']['infer_time_ms']['reproduced']:.0f}"


def test_files_that_the_readme_shows_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []
