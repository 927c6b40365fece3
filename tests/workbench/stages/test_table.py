"""The table stage and the way back from a cell, on the repository's Table VI."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from workbench.errors import BadInput, MissingInput
from workbench.stages.table import table
from workbench.trace import trace

REPOSITORY = Path(__file__).parents[3]
COSTS = ("mem_train_GB", "mem_infer_GB", "train_time_s", "train_device_s", "infer_time_ms")


def score(row, ape, letter):
    metrics = {"APe": ape, **dict.fromkeys(COSTS, 2.0)}
    return {
        "table": "VI",
        "row": row,
        "scale": "mini",
        "metrics": {
            name: {"values": [value], "mean": value, "std": None, "n": 1}
            for name, value in metrics.items()
        },
        "provenance": [
            {"seed": 0, "run_id": letter * 32, "checkpoint_sha256": letter * 64, "device": "cpu"}
        ],
        "score": "single_sigmoid",
    }


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = {
        "scale": "mini",
        "segment": {"cf": {"checkpoint": "cropformer"}},
        "evaluate": {"VI__cropformer": {"predictions": "entities/cf"}},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params))
    Path("reports/tables").mkdir(parents=True)
    shutil.copy(REPOSITORY / "reports/tables/VI.yaml", "reports/tables/VI.yaml")
    folder = Path("artifacts/mini/scores/VI")
    folder.mkdir(parents=True)
    for row, ape, letter in (("cropformer", 0.44, "a"), ("mask2former-800", 0.40, "b")):
        (folder / f"{row}.json").write_text(json.dumps(score(row, ape, letter)))
    return tmp_path


def test_table_vi(project):
    page = table("VI")
    assert str(page) == "reports/mini/tables/VI.md"
    content = json.loads(page.with_suffix(".json").read_text())
    assert set(content) >= {"table", "scale", "rows", "claims", "notes"}
    assert [row["id"] for row in content["rows"]] == [
        "mask2former-800",
        "mask2former-1040",
        "mask2former-2700-a100-40g",
        "mask2former-2700-a100-80g",
        "mask2former-hungarian",
        "v-mask2former",
        "vita",
        "cropformer-crops",
        "cropformer",
    ]
    verdicts = {claim["id"]: claim["verdict"] for claim in content["claims"]}
    assert verdicts["VI-gt-baseline"] == "supported"
    assert verdicts["VI-gain-1p5"] == "contradicted"
    assert verdicts["VI-gt-vita"] == verdicts["VI-above-iv"] == "not run"
    ape = content["rows"][-1]["values"]["APe"]
    assert ape["difference"] == pytest.approx(3.0)
    shown = json.loads(Path("reports/mini/metrics/VI/cropformer.json").read_text())
    assert shown["APe"] == ape["reproduced"]
    assert len(json.loads(Path("reports/mini/bars/VI.json").read_text())) == 2
    text = page.read_text()
    assert "printed 41.0<br>**44.0** (n = 1)<br>+3.0" in text
    assert "printed OOM<br>waits" in text


def test_the_same_scores_give_the_same_bytes(project):
    first = table("VI").read_bytes()
    assert table("VI").read_bytes() == first


def test_without_scores_all_rows_wait(project):
    shutil.rmtree("artifacts")
    content = json.loads(table("VI").with_suffix(".json").read_text())
    assert {row["status"] for row in content["rows"]} == {"waits"}


def test_unknown_table(project):
    with pytest.raises(BadInput, match="use one of: VI"):
        table("VII")


@pytest.mark.parametrize("field", ["table", "row", "scale"])
def test_a_score_that_does_not_belong_here(project, field):
    path = Path("artifacts/mini/scores/VI/cropformer.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, field: "other"}))
    with pytest.raises(BadInput, match=rf"cropformer\.json: {field}: 'other'"):
        table("VI")
    assert not Path("reports/mini").exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"table": "VI", "row": "cropformer", "scale": "mini", "metrics": {}}']
)
def test_broken_score(project, text):
    Path("artifacts/mini/scores/VI/cropformer.json").write_text(text)
    with pytest.raises(BadInput):
        table("VI")


def test_trace_of_a_cell(project):
    table("VI")
    found = trace("VI:cropformer:APe")
    assert (found["status"], found["scale"], found["score"]) == (
        "reproduced",
        "mini",
        "single_sigmoid",
    )
    assert list(found["values"]) == ["APe"]
    run = found["runs"][0]
    assert run["values"] == {"APe": pytest.approx(44.0)}
    assert run["checkpoint_sha256"] == "a" * 64
    assert run["checkpoint"] == "artifacts/mini/checkpoints/cropformer/seed-0.pth"


def test_trace_of_a_row_and_of_one_that_waits(project):
    table("VI")
    assert len(trace("VI:mask2former-800")["values"]) == 5
    assert trace("VI:mask2former-800")["runs"][0]["checkpoint"] is None
    waiting = trace("VI:mask2former-2700-a100-40g:APe")
    assert (waiting["status"], waiting["runs"]) == ("waits", [])


def test_trace_refuses(project):
    with pytest.raises(MissingInput, match="dvc repro table@VI"):
        trace("VI:cropformer:APe")
    table("VI")
    for cell in ("VI", "VI:", "VI:cropformer:APe:x"):
        with pytest.raises(BadInput, match="write TABLE:row:Metric"):
            trace(cell)
    with pytest.raises(BadInput, match="no such row"):
        trace("VI:gella:APe")
    with pytest.raises(BadInput, match="no such metric; use one of: APe"):
        trace("VI:cropformer:AP")
