"""The catalogue agrees with the pipeline and the paper; the check compares and says what waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workbench.datasets.conftest import ROOT
from tests.workbench.datasets.hand_made import HandMade
from tests.workbench.datasets.set_layouts import write_layout
from workbench.cli.main import main
from workbench.datasets.catalogue import CATALOGUE, Source, published, recalled
from workbench.datasets.check import check_dataset, inspect_dataset
from workbench.datasets.formats import FORMATS, split_fields

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PAPER = yaml.safe_load((ROOT / "configs/paper/worlds.yaml").read_text())
TABLES = ["I", "II", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XIII", "XIV"]


def source(**sizes: Any) -> Source:
    return Source("Set", "its project", "its terms", ("VII",), {"val": published(**sizes)})


def test_every_built_in_data_set_is_in_the_catalogue() -> None:
    assert set(PARAMS["prep"]) <= set(CATALOGUE)
    for name, entry in CATALOGUE.items():
        assert entry.tables, name
        assert all(text.strip() for text in (entry.title, entry.project, entry.licence))
        assert "http" not in entry.obtain
        assert "\n" not in entry.obtain


def test_every_table_with_data_names_its_sets() -> None:
    named = {table for entry in CATALOGUE.values() for table in entry.tables}
    assert set(TABLES) <= named
    eight = {name for name, entry in CATALOGUE.items() if "VIII" in entry.tables}
    assert {"lvis", "ocid", "camo_pp", "fss1000"} <= eight


@pytest.mark.parametrize("name", sorted(PAPER))
def test_paper_scale_describes_known_forms_and_splits(name: str) -> None:
    spec = PAPER[name]
    assert spec["format"] in FORMATS
    splits = spec["splits"]
    known = {*CATALOGUE[name].splits, *(s for some in CATALOGUE[name].totals for s in some)}
    # Of CAMO++ and SGinW no split's size is known.
    assert known & set(splits) or name in ("camo_pp", "sginw")
    for split, entry in splits.items() if isinstance(splits, dict) else ():
        assert set(entry) <= set(split_fields()), split
        needed = FORMATS[entry.get("format", spec["format"])].needs
        assert set(needed) <= set(entry), split


def test_sizes_in_words() -> None:
    (size,) = recalled(images=(2_346, 2_390))
    assert str(size) == "2,346-2,390 images (recalled)"
    assert [str(one) for one in published(refs=1, sentences=5_000)] == ["1 refs", "5,000 sentences"]


def test_counts_are_compared_with_the_published_ones(instances: HandMade) -> None:
    manifest = instances.write()
    (report,) = inspect_dataset(manifest, source(images=1, entities=(2, 4)))
    assert report.findings == ()
    (report,) = inspect_dataset(manifest, source(images=5_000))
    (finding,) = report.findings
    assert not finding.note
    assert finding.problem == "1 images instead of 5,000 images"
    (report,) = inspect_dataset(
        manifest, Source("Set", "p", "l", ("I",), {"val": recalled(images=2)})
    )
    assert [finding.note for finding in report.findings] == [False]
    assert "2 images (recalled); get the release whole, or correct" in str(report.findings[0])
    (report,) = inspect_dataset(
        manifest, Source("Set", "p", "l", ("I",), {"val": recalled(categories=80)})
    )
    assert [finding.note for finding in report.findings] == [True]
    assert check_dataset(manifest) == []


def test_sizes_of_splits_together(instances: HandMade) -> None:
    splits = instances.manifest_content["splits"]
    splits["train"] = splits["val"]
    whole = Source("Set", "p", "l", ("I",), totals={("train", "val"): published(images=3)})
    findings = [f for report in inspect_dataset(instances.write(), whole) for f in report.findings]
    assert [f.field for f in findings] == ["splits.train+val"]
    assert "2 images instead of 3 images" in str(findings[0])
    del splits["train"]
    (report,) = inspect_dataset(instances.write(), whole)
    assert report.findings == ()


def test_a_long_check_says_how_far_it_is(instances: HandMade) -> None:
    said: list[tuple[str, int, int]] = []
    inspect_dataset(instances.write(), tell=lambda *at: said.append(at))
    assert said == [("val", 1, 1)]


def test_a_category_that_is_not_listed_is_a_fault(instances: HandMade) -> None:
    instances.content["annotations"][1]["category_id"] = 9
    assert [f.field for f in check_dataset(instances.write())] == ["annotations[1].category_id"]


class TestCommand:
    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        content = {"scale": "paper", "prep": {"ocid": {}, "dis5k": {}}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def state(self, capsys: pytest.CaptureFixture[str], name: str) -> dict[str, Any]:
        main(["data", "check", name, "--json"])
        (found,) = json.loads(capsys.readouterr().out)["datasets"]
        return found

    def test_missing_sets_say_where_to_get_them(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["data", "check"]) == 4
        printed = capsys.readouterr().out
        assert "ocid: missing (tables that wait: VIII)" in printed
        assert "dis5k: missing (tables that wait: VII)" in printed
        assert "obtain OCID: from TU Wien, V4R group" in printed
        assert "non-commercial" in printed

    def test_counts_and_sizes_are_in_the_report(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = project / "artifacts/paper/data/dis5k"
        write_layout("dis5k", folder, split="mine")
        assert self.state(capsys, "dis5k")["state"] == "ok"
        write_layout("dis5k", folder, split="DIS-VD")
        found = self.state(capsys, "dis5k")
        assert (found["state"], found["tables_waiting"]) == ("broken", ["VII"])
        assert found["splits"] == {"DIS-VD": {"images": 2, "categories": 1, "unusable": 0}}
        (fault,) = found["faults"]
        assert "2 images instead of 470 images (recalled)" in fault
        next(folder.glob("DIS-VD/gt/*.png")).unlink()
        found = self.state(capsys, "dis5k")
        assert len(found["faults"]) == 2
        assert found["splits"]["DIS-VD"]["unusable"] == 1
        assert main(["data", "check", "dis5k"]) == 2
        assert "DIS-VD: 2 images, 1 categories; 1 unusable" in capsys.readouterr().out

    def test_a_split_that_cannot_be_opened_is_said_to_be(
        self, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = project / "artifacts/paper/data/dis5k"
        write_layout("dis5k", folder)
        (folder / "DIS-VD/gt").rename(folder / "elsewhere")
        assert main(["data", "check", "dis5k"]) == 2
        assert "val: cannot be opened" in capsys.readouterr().out
