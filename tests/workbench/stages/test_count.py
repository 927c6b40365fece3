"""The count stage on a toy component: its score file, and what it refuses."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from workbench.costs.ledger import COMPONENTS
from workbench.errors import BadInput, MissingInput
from workbench.stages.count import count
from workbench.stages.table import table

COMPONENT = """
import torch
from torch import nn
from workbench.costs.count import Component
from workbench.costs.ledger import COMPONENTS

@COMPONENTS.register_module(force=True)
def toy_linear(width):
    layer = nn.Linear(width, width, bias=False)
    return Component(layer, lambda: layer(torch.empty(3, width)))
"""
CONFIG = """
custom_imports = dict(imports=['toy_costs'], allow_failed_imports=False)
components = dict(part=dict(type='toy_linear', width=1000))
metrics = dict(T=dict(size_M='parameters', cost_G='multiply_adds', time_s=None))
tolerance = 0.05
rows = dict(T=dict(ours=dict(
    cells=dict(size_M=['part'], cost_G=[['part', 1000]]),
    remarks=[dict(type='statement', about='size_M', text='It is small.')])))
"""
METRIC = {"better": "lower", "decimals": 1, "conversion": "none", "noise": {}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project at mini scale whose Table T prints 2 M and 3 G for its row; returns a rewriter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "toy_costs.py").write_text(COMPONENT)
    config = tmp_path / "configs" / "paper" / "toy" / "costs.py"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    units = {"size_M": "M", "cost_G": "G", "time_s": "s"}
    spec = {
        "table": "T",
        "title": "Toy",
        "section": "0",
        "metrics": [
            {"name": m, "label": m, "unit": unit, "source": m, **METRIC}
            for m, unit in units.items()
        ],
        "rows": [{"id": "ours", "label": "Ours", "printed": {"size_M": 2, "cost_G": 3}}],
    }
    reports = tmp_path / "reports" / "tables"
    reports.mkdir(parents=True)
    (reports / "T.yaml").write_text(yaml.safe_dump(spec))

    def write(**fields):
        item = {"table": "T", "row": "ours", "config": "toy/costs"} | fields
        params = {"scale": "mini", "count": {"T__ours": item}}
        Path("params.yaml").write_text(yaml.safe_dump(params))

    write()
    yield write
    COMPONENTS.module_dict.pop("toy_linear", None)
    sys.modules.pop("toy_costs", None)


def test_score_file(project):
    path = count("T__ours")
    assert path == Path("artifacts/mini/scores/T/ours.json")
    score = json.loads(path.read_text())
    place = {name: score[name] for name in ("table", "row", "scale", "counted_at")}
    assert place == {"table": "T", "row": "ours", "scale": "mini", "counted_at": "paper"}
    assert score["metrics"] == {
        "size_M": {"values": [1.0], "mean": 1.0, "std": None, "n": 1},
        "cost_G": {"values": [3.0], "mean": 3.0, "std": None, "n": 1},
        "time_s": {"values": [None], "mean": None, "std": None, "n": 1},
    }
    assert score["remarks"] == ["size_M: 1 counted, 2 printed (-50.0%). It is small."]
    (made,) = score["provenance"]
    assert made["components"] == {"part": {"parameters": 10**6, "multiply_adds": 3 * 10**6}}
    assert made["seed"] is None
    assert len(made["config_sha256"]) == 64
    assert "torch" in made["versions"]


def test_counts_are_the_same_in_every_run(project):
    first, second = (json.loads(count("T__ours").read_text()) for _ in range(2))
    assert first["metrics"] == second["metrics"]
    assert first["provenance"][0]["config_sha256"] == second["provenance"][0]["config_sha256"]


def test_a_table_is_made_of_it(project):
    count("T__ours")
    table("T")
    (row,) = json.loads(Path("reports/mini/tables/T.json").read_text())["rows"]
    assert row["status"] == "reproduced"
    assert row["values"]["size_M"]["difference"] == -1.0
    assert row["values"]["time_s"]["reproduced"] is None
    assert "It is small." in Path("reports/mini/tables/T.md").read_text()


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"row": "theirs"}, "rows.T.theirs.*use one of: ours"),
        ({"table": "U"}, "rows.U.ours"),
        ({"config": None}, "count.T__ours.config"),
    ],
)
def test_faults_are_named(project, fields, names):
    project(**fields)
    with pytest.raises(BadInput, match=names):
        count("T__ours")


def test_missing_config(project):
    project(config="toy/none")
    with pytest.raises(MissingInput, match=r"configs/paper/toy/none\.py"):
        count("T__ours")


def test_unknown_key(project):
    with pytest.raises(BadInput, match="T__none"):
        count("T__none")
