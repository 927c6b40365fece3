"""The README's numbers are those of the report that is committed with it.

Not of the one in the work tree: `make repro` replaces that one by the user's own numbers.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def committed(path: str) -> str:
    shown = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return shown.stdout


def readme_rows(table: str) -> dict[str, list[str]]:
    text = committed("README.md")
    block = text.split(f"<!-- table {table} -->")[1].split(f"<!-- end of table {table} -->")[0]
    rows = [line.strip("| ").split(" | ") for line in block.strip().splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def report_rows(table: str) -> list[dict]:
    rows = json.loads(committed(f"reports/mini/tables/{table}.json"))["rows"]
    return [row for row in rows if row["status"] == "reproduced"]


@pytest.mark.parametrize("table", ["VI", "X"])
def test_readme_lists_the_reproduced_rows(table) -> None:
    assert list(readme_rows(table)) == [row["label"] for row in report_rows(table)]


def check_score(printed: str, here: str, value: dict) -> None:
    assert printed == ("–" if value["printed"] is None else f"{value['printed']:.1f}")
    assert re.match(r"[\d.]+", here).group() == f"{value['reproduced']:.1f}"
    assert here.endswith(f"(n = {value['n']})")


@pytest.mark.parametrize("row", report_rows("X"), ids=lambda row: row["id"])
def test_readme_recalls_are_the_reports(row) -> None:
    printed, here, things, nouns, rebuilt = readme_rows("X")[row["label"]]
    check_score(printed, here, row["values"]["AR"])
    cells = {"AR_Th": things, "AR_text": nouns, "reconstruction_miou": rebuilt}
    for name, cell in cells.items():
        value = row["values"][name]["reproduced"]
        assert cell == ("–" if value is None else f"{value:.1f}")


@pytest.mark.parametrize("row", report_rows("VI"), ids=lambda row: row["id"])
def test_readme_numbers_are_the_reports(row) -> None:
    printed, here, training, inference = readme_rows("VI")[row["label"]]
    check_score(printed, here, row["values"]["APe"])
    seconds = row["values"]["train_time_gpu_days"]["reproduced"] * 86400
    assert training == f"{seconds:.0f}"
    assert inference == f"{row['values']['infer_time_ms']['reproduced']:.0f}"


def test_files_that_the_readme_shows_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []
