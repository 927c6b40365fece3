"""The rebuild stage with a model that gives back what it sees: scores, colours, faults, shards."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.workbench.in_ranks import in_ranks
from workbench.datasets.worlds import load_specs, write_world
from workbench.engine.checkpoint import save_final
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, write_json
from workbench.rebuilding.rebuilder import Rebuilder, Source
from workbench.rebuilding.split import rebuild_split
from workbench.segmentation.split import SplitJob
from workbench.stages.evaluate import evaluate
from workbench.stages.rebuild import SCORE, rebuild

ROOT = Path(__file__).parents[3]
MODULE = '''
"""Colormaps with a random colour an entity, and a model that tells the colours apart."""
import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from pycocotools import mask as coco_mask
from workbench.datasets import load_entities
from pathlib import Path


@DATASETS.register_module(force=True)
class FullColormaps:
    def __init__(self, manifest, split, keep=None, name="colormaps"):
        found = load_entities(Path(manifest), split)
        self.records, self.name = [found[i] for i in range(len(found))][:keep], name

    def __len__(self):
        return len(self.records)

    def load(self, index):
        record = self.records[index]
        colormap = np.zeros((record.height, record.width, 3), np.uint8)
        for number, mask in enumerate(record.masks):
            color = (number + 1, *np.random.randint(0, 256, 2))
            colormap[coco_mask.decode(mask) > 0] = color
        return {self.name: torch.from_numpy(colormap).permute(2, 0, 1)}


@MODELS.register_module(force=True)
class Identity(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bound = torch.nn.Parameter(torch.zeros(1))

    def forward(self, colormaps, mode):
        found = []
        for colormap in colormaps:
            red = colormap[0].numpy()
            masks = [red == value for value in np.unique(red[red > 0])]
            codes = [coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
            rles = [{"size": c["size"], "counts": c["counts"].decode()} for c in codes]
            scores = [float(mask.mean()) for mask in masks]
            found.append({"pred_entities": {"masks": rles, "scores": scores}})
        return found
'''
CONFIG = """
custom_imports = dict(imports=['identity_model'], allow_failed_imports=False)
default_scope = 'mmdet'
model = dict(type='Identity')
val_dataloader = dict(
    dataset=dict(type='FullColormaps', manifest='of training', split='none', keep=None, name='{}'))
"""
ITEM = "checkpoint: identity, dataset: png, split: val"
PARAMS = f"""
scale: smoke
train: {{identity: {{}}}}
rebuild:
  identity: {{{ITEM}, overrides: {{}}}}
  splitless: {{checkpoint: identity, dataset: png}}
  untrained: {{checkpoint: nothing, dataset: png, split: val}}
  undone: {{checkpoint: identity, dataset: nothing, split: val}}
evaluate:
  XVI__row: {{table: XVI, row: row, predictions: entities/identity, {ITEM}}}
"""
MANIFEST = Path("artifacts/smoke/data/png/manifest.json")
CHECKPOINT = Path("artifacts/smoke/checkpoints/identity/seed-0.pth")


@pytest.fixture(scope="module")
def png(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "png"
    write_world("png", load_specs(ROOT / "configs/smoke/worlds.yaml")["png"], folder)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch, png):
    """The smoke scale's narrated pictures and a checkpoint, as the working directory."""
    code, root = tmp_path / "code", tmp_path / "project"
    code.mkdir()
    (code / "identity_model.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(code))
    monkeypatch.setenv("PYTHONPATH", f"{code}:{ROOT}")
    (root / MANIFEST).parent.parent.mkdir(parents=True)
    (root / MANIFEST).parent.symlink_to(png)
    (root / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(root)
    write_checkpoint("colormaps")
    yield root
    sys.modules.pop("identity_model", None)


def write_checkpoint(name: str) -> None:
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    save_final(CHECKPOINT, {"bound": torch.zeros(1)}, {"config": CONFIG.format(name)})
    run = {"seed": 0, "checkpoint_sha256": sha256_file(CHECKPOINT)}
    write_json(CHECKPOINT.parent / "train.json", {"runs": [run]})


def job(output: Path, **overrides) -> SplitJob:
    return SplitJob(
        title="identity seed 0",
        checkpoint=str(CHECKPOINT),
        manifest=str(MANIFEST),
        split="val",
        overrides=overrides,
        field="rebuild.identity.overrides",
        output=str(output),
    )


@pytest.mark.slow
def test_what_is_given_back_as_it_is_has_an_ap_of_one(project):
    folder = rebuild("identity")
    record = json.loads((folder / "segment.json").read_text())
    assert (record["key"], record["scale"], record["score"]) == ("identity", "smoke", SCORE)
    (run,) = record["runs"]
    lines = [json.loads(line) for line in (folder / "seed-0.jsonl").read_text().splitlines()]
    assert (run["seed"], run["num_images"]) == (0, len(lines))
    assert run["infer_time_ms"] > 0
    assert run["checkpoint_sha256"] == sha256_file(CHECKPOINT)
    assert run["data_sha256"] == sha256_file(MANIFEST)
    for line in lines:
        scores = [entity["score"] for entity in line["entities"]]
        assert scores == sorted(scores, reverse=True) and len(scores) > 1
    score = json.loads(evaluate("XVI__row").read_text())
    assert score["metrics"]["APe"]["mean"] == pytest.approx(1.0)
    assert score["score"] == SCORE


def test_colours_follow_from_a_pictures_id_alone(project):
    source = Source(MANIFEST, "val")

    def painted(index: int, image_id: int) -> bytes:
        build = Rebuilder.from_checkpoint(CHECKPOINT, source, "cpu", {}, "overrides")
        np.random.seed(np.random.randint(1000))
        return build.paint(index, image_id)["colormaps"][0].numpy().tobytes()

    assert painted(0, 17) == painted(0, 17)
    assert painted(0, 17) != painted(0, 18)


def test_two_processes_write_the_bytes_of_one(project, tmp_path):
    alone = rebuild_split(job(tmp_path / "alone.jsonl"), print)
    first, second = in_ranks(lambda rank: rebuild_split(job(tmp_path / "both.jsonl"), print))
    assert sha256_file(tmp_path / "both.jsonl") == sha256_file(tmp_path / "alone.jsonl")
    assert second == {} and first["num_images"] == alone["num_images"]
    names = sorted(path.name for path in tmp_path.glob("*.jsonl*"))
    assert names == ["alone.jsonl", "both.jsonl"]


def test_a_training_without_colormaps_is_named(project, tmp_path):
    write_checkpoint("photographs")
    with pytest.raises(BadInput, match=r"val_dataloader\.dataset: FullColormaps has no colormaps"):
        rebuild_split(job(tmp_path / "x.jsonl"), print)


def test_a_data_set_that_is_cut_short_is_refused(project, tmp_path):
    cut = job(tmp_path / "x.jsonl", val_dataloader={"dataset": {"keep": 1}})
    with pytest.raises(BadInput, match="reads 1 of "):
        rebuild_split(cut, print)
    assert not (tmp_path / "x.jsonl").exists()


def test_an_override_that_fits_nothing_is_named(project, tmp_path):
    with pytest.raises(BadInput, match=r"rebuild\.identity\.overrides\.model\.width"):
        rebuild_split(job(tmp_path / "x.jsonl", model={"width": 3}), print)


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("splitless", BadInput, r"rebuild\.splitless\.split: missing"),
        ("other", BadInput, r"rebuild\.other"),
        ("undone", MissingInput, "prep@nothing"),
        ("untrained", MissingInput, "train@nothing"),
    ],
)
def test_what_is_wrong_is_named(project, key, error, message):
    with pytest.raises(error, match=message):
        rebuild(key)
    assert not list(Path("artifacts/smoke").glob("entities/*"))


def test_a_checkpoint_that_is_not_there_is_named(project):
    CHECKPOINT.unlink()
    with pytest.raises(MissingInput, match=r"seed-0\.pth"):
        rebuild("identity")
