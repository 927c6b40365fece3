"""The measure stage on generated worlds: Tables I and II, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from workbench.datasets.worlds import write_worlds
from workbench.errors import BadInput, MissingInput
from workbench.stages.measure import measure
from workbench.stages.table import table
from workbench.trace import trace

REPOSITORY = Path(__file__).parents[3]
PARAMS = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
NAMES = ("entityseg", "entityseg_annotators")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    out = tmp_path_factory.mktemp("worlds")
    write_worlds("smoke", out, NAMES)
    return out


@pytest.fixture
def project(tmp_path, monkeypatch, worlds):
    monkeypatch.chdir(tmp_path)
    params = {"scale": "smoke", "measure": PARAMS["measure"]}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    for name in NAMES:
        shutil.copytree(worlds / name, f"artifacts/smoke/data/{name}")
    Path("reports/tables").mkdir(parents=True)
    for table_id in ("I", "II"):
        shutil.copy(REPOSITORY / f"reports/tables/{table_id}.yaml", "reports/tables")
    return tmp_path


def change(key, **fields):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["measure"][key] |= fields
    Path("params.yaml").write_text(yaml.safe_dump(params))


def cells(table_id):
    """Return the reproduced values of a table by row and column, and its rows by id."""
    rows = json.loads(table(table_id).with_suffix(".json").read_text())["rows"]
    known = {
        (row["id"], name): cell["reproduced"]
        for row in rows
        for name, cell in row["values"].items()
        if cell["reproduced"] is not None
    }
    return known, {row["id"]: row for row in rows}


def test_statistics_of_a_data_set(project):
    path = measure("I__entityseg")
    assert str(path) == "artifacts/smoke/scores/I/entityseg.json"
    score = json.loads(path.read_text())
    assert score["provenance"][0]["num_images"] == 12
    assert len(score["provenance"][0]["data_sha256"]) == 64
    known, rows = cells("I")
    assert known["entityseg", "Valid_Area"] == pytest.approx(1.0)
    assert known["entityseg", "EntityNum_avg"] == pytest.approx(
        score["provenance"][0]["num_entities"] / 12
    )
    assert rows["coco"]["waits"] == "its score: dvc repro measure@I__coco"


def test_two_annotators_by_parts(project):
    for key in PARAMS["measure"]:
        if key.startswith("II__"):
            measure(key)
    known, rows = cells("II")
    assert set(known) == {
        (f"{task}-ann{one}", f"vs_ann{other}")
        for task in ("mask", "class")
        for one, other in ((2, 1), (3, 1), (3, 2))
    }
    assert all(40 < value < 100 for value in known.values()), known
    parts = [run["part"] for run in rows["mask-ann3"]["provenance"]["runs"]]
    assert parts == ["ann1", "ann2"]
    assert rows["mask-ann1"]["status"] == "quoted"


def test_a_part_that_is_missing(project):
    measure("II__mask-ann3__ann1")
    known, rows = cells("II")
    assert set(known) == {("mask-ann3", "vs_ann1")}
    assert rows["mask-ann3"]["status"] == "reproduced"
    assert rows["mask-ann3"]["waits"] == "its parts ann2: dvc repro measure@II__mask-ann3__ann2"
    assert rows["mask-ann2"]["status"] == "waits"
    assert "not released" in rows["mask-ann2"]["waits"]
    assert "Nothing was trained" in Path("reports/smoke/tables/II.md").read_text()


def test_the_way_back_from_a_cell_leads_to_its_part(project):
    for part in ("ann1", "ann2"):
        measure(f"II__mask-ann3__{part}")
    table("II")
    (run,) = trace("II:mask-ann3:vs_ann2")["runs"]
    assert (run["part"], run["checkpoint"]) == ("ann2", None)
    assert len(trace("II:mask-ann3")["runs"]) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": "mAP"}, r"measure\.I__entityseg\.metric: 'mAP'; use one of instance_ap"),
        ({"metric": "dichotomous"}, "dichotomous"),
        ({"split": "test"}, r"splits\.test"),
        ({"dataset": None}, r"measure\.I__entityseg\.dataset: missing"),
    ],
)
def test_rows_that_cannot_be_measured(project, fields, message):
    change("I__entityseg", **fields)
    with pytest.raises(BadInput, match=message):
        measure("I__entityseg")
    assert not Path("artifacts/smoke/scores").exists()


def test_a_data_set_that_is_not_ready(project):
    with pytest.raises(MissingInput, match="dvc repro prep@coco"):
        measure("I__coco")
