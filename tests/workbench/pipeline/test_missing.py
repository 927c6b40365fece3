"""What planned stages need and nobody makes."""

import pytest
import yaml

from workbench.pipeline.changes import INPUT, MISSING, Change
from workbench.pipeline.missing import find_missing
from workbench.pipeline.stages import Pipeline, Stage

PAPER = {
    "scale": "paper",
    "data_root": "data",
    "weights_root": "weights",
    "sam_weights": None,
    "pretrain": {"clip": {"weights": "clip-large"}, "masks": {"weights": None}},
}
STALE = ["prep@coco", "prep@classes", "pretrain@clip", "pretrain@masks", "sam@x", "train@a"]
PIPELINE = Pipeline({"prep@x": Stage("prep@x", "", (), {}, {"artifacts/x": True})}, {"prep@x": []})


@pytest.fixture
def root(tmp_path):
    worlds = {"coco": {"format": "coco"}, "classes": {"root": "entityseg"}}
    path = tmp_path / "configs/paper/worlds.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(worlds))
    return tmp_path


def paths(root, params, changes=None):
    found = find_missing(root, params, PIPELINE, STALE, changes or {})
    return {each.path.removeprefix(f"{root}/"): each for each in found}


def test_data_sets_and_weights_of_the_paper_scale(root):
    found = paths(root, PAPER)
    assert set(found) == {"data/coco", "data/entityseg", "weights/clip-large"}
    assert found["data/coco"].stage == "prep@coco"
    assert "COCO" in found["data/coco"].fix
    assert "weights_root" in found["weights/clip-large"].fix
    (root / "data/coco").mkdir(parents=True)
    (root / "weights/clip-large").mkdir(parents=True)
    (root / "weights/clip-large/config.json").write_text("{}")
    assert set(paths(root, PAPER)) == {"data/entityseg"}


def test_nothing_is_downloaded_at_other_scales(root):
    assert paths(root, PAPER | {"scale": "mini"}) == {}


def test_weights_that_are_named_must_be_there(root):
    found = paths(root, PAPER | {"scale": "mini", "sam_weights": "sam"})
    assert (list(found), found["sam"].stage) == (["sam"], "sam@x")


def test_inputs_that_no_stage_makes(root):
    gone = [Change(INPUT, "photos", state=MISSING), Change(INPUT, "artifacts/x/a", state=MISSING)]
    found = paths(root, {"scale": "mini"}, {"own_data@street": gone})
    assert list(found) == ["photos"]
