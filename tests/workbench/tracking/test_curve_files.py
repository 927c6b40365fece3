"""Curves as files for ``dvc plots``."""

import csv
import json

import pytest

from tests.workbench.tracking.test_history import store
from workbench.paths import Layout
from workbench.tracking.curve_files import thinned, write_curves

LAYOUT = Layout("mini")
PARAMS = {"train": {"small": {}}, "pretrain": {"clip": {}}}


@pytest.fixture
def project(tmp_path):
    """Two seeds of a training and a pretraining, and a store that knows one seed and the latter."""
    points = [("a", "train/loss", 20, 0.5), ("a", "train/loss", 10, 1.0), ("a", "val/AP", 20, 0.25)]
    store(tmp_path, [*points, ("c", "train/loss", 10, 7.0)])
    runs = [{"seed": 0, "run_id": "a", "val": {"AP": 0.25}}, {"seed": 1, "run_id": "b"}]
    record(tmp_path / LAYOUT.checkpoints("small") / "train.json", runs)
    record(tmp_path / LAYOUT.pretrained("clip") / "pretrain.json", [{"seed": 3, "run_id": "c"}])
    return tmp_path


def record(path, runs):
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"runs": runs}))


def read(project, kind):
    files = sorted((project / LAYOUT.curves(kind)).iterdir())
    return {path.name: list(csv.reader(path.open()))[1:] for path in files}


def test_a_file_each_of_what_the_store_knows(project):
    write_curves(project, LAYOUT, PARAMS)
    losses = {"clip.seed-3.csv": [["10", "7"]], "small.seed-0.csv": [["10", "1"], ["20", "0.5"]]}
    assert read(project, "loss") == losses
    assert read(project, "score") == {"small.seed-0.csv": [["20", "0.25", "AP"]]}


def test_unknown_runs_keep_their_files_and_dropped_trainings_lose_them(project):
    write_curves(project, LAYOUT, PARAMS)
    (project / "mlflow.db").unlink()
    (project / LAYOUT.pretrained("clip") / "pretrain.json").write_text("{")
    write_curves(project, LAYOUT, PARAMS)
    assert set(read(project, "loss")) == {"clip.seed-3.csv", "small.seed-0.csv"}
    write_curves(project, LAYOUT, {"train": PARAMS["train"]})
    assert set(read(project, "loss")) == {"small.seed-0.csv"}


def test_long_curves_are_thinned_to_means():
    curve = [(step, float(step)) for step in range(1, 8)]
    assert thinned(curve, most=3) == [(3, 2.0), (6, 5.0), (7, 7.0)]
    assert thinned(curve, most=7) == curve
