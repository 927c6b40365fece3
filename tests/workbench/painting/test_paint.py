"""The paint stage with a model that sees dark, bright and nothing else: files, scores, faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.workbench.in_ranks import in_ranks
from workbench.datasets.worlds.png import write_png
from workbench.engine.checkpoint import save_final
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, sha256_tree, write_json
from workbench.painting.forms import Grey, Instances, Panoptic, Semantic
from workbench.painting.split import PaintJob, paint_split
from workbench.scoring.families import FILE_METRICS
from workbench.scoring.rows import FilePredictions
from workbench.stages.paint import paint

MODULE = '''
"""Bright pixels are one object, or a thing among dark stuff; a black picture has nothing."""
import torch
from mmdet.registry import MODELS, TRANSFORMS


class Still(torch.nn.Module):
    def __init__(self, counts=(1, 2), test_cfg=None):
        super().__init__()
        self.bound = torch.nn.Parameter(torch.zeros(1))
        self.class_counts = tuple(counts)

    def data_preprocessor(self, data, training):
        return data


@MODELS.register_module(force=True)
class PanopticHalves(Still):
    def panoptic_maps(self, inputs):
        bright = inputs[0].float().mean(0) > float(self.bound)
        if not inputs[0].any():
            return [(torch.zeros_like(bright, dtype=torch.int32), [])]
        return [(torch.where(bright, 2, 1).int(), [2, 0])]


@MODELS.register_module(force=True)
class GreyHalves(Still):
    def grey_maps(self, inputs):
        return [(inputs[0].float().mean(0) > float(self.bound)).to(torch.uint8) * 255]


@TRANSFORMS.register_module(force=True)
class PackPixels:
    def __call__(self, results):
        return {"inputs": torch.from_numpy(results["img"].transpose(2, 0, 1).copy())}
'''
CONFIG = """
custom_imports = dict(imports=['still_models'], allow_failed_imports=False)
default_scope = 'mmdet'
model = dict(type='{}', counts=(1, 2))
val_dataloader = dict(dataset=dict(pipeline=[dict(type='PackPixels')], type='EntityImageDataset'))
"""
PARAMS = """
scale: smoke
train: {panoptic: {}}
transfer: {grey: {}}
paint:
  panoptic: {checkpoint: panoptic, dataset: halves, split: val, form: panoptic}
  grey: {checkpoint: grey, dataset: objects, split: val, form: grey, overrides: {}}
  wrong: {checkpoint: grey, dataset: halves, split: val, form: golden}
  splitless: {checkpoint: grey, dataset: halves, form: grey}
  undone: {checkpoint: grey, dataset: nothing, split: val, form: grey}
  untrained: {checkpoint: nothing, dataset: halves, split: val, form: grey}
"""
SIZES = ((6, 10), (9, 4), (5, 5))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two data sets of three pictures, the last one black, and two checkpoints."""
    code, root = tmp_path / "code", tmp_path / "project"
    code.mkdir()
    (code / "still_models.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(code))
    monkeypatch.setenv("PYTHONPATH", f"{code}:{Path(__file__).parents[3]}")
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS)
    for name in ("halves", "objects"):
        write_data(root / "artifacts/smoke/data" / name, name)
    for name, model in (("panoptic", "PanopticHalves"), ("grey", "GreyHalves")):
        folder = root / "artifacts/smoke/checkpoints" / name
        folder.mkdir(parents=True)
        meta = {"config": CONFIG.format(model), "iterations": 1}
        save_final(folder / "seed-0.pth", {"bound": torch.tensor([127.0])}, meta)
        run = {"seed": 0, "checkpoint_sha256": sha256_file(folder / "seed-0.pth")}
        write_json(folder / "train.json", {"runs": [run]})
    monkeypatch.chdir(root)
    yield root
    sys.modules.pop("still_models", None)


def write_data(folder: Path, name: str) -> None:
    """Write pictures whose right half is bright: as COCO panoptic or as masks of one object."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    images, annotations = [], []
    for number, size in enumerate(SIZES, start=1):
        bright = np.zeros(size, np.uint8)
        bright[:, size[1] // 2 :] = number < 3
        Image.fromarray(bright * 255).save(folder / f"images/{number}.png")
        if name == "objects":
            Image.fromarray(bright * 255).save(folder / f"masks/{number}.png")
            continue
        ids = np.where(bright, 300, 7) if number < 3 else np.full(size, 7)
        parts = [ids & 255, ids >> 8, ids * 0]
        write_png(folder / f"masks/{number}.png", np.stack(parts, -1).astype(np.uint8))
        segments = [
            {"id": id_, "category_id": category, "area": int((ids == id_).sum()), "iscrowd": 0}
            for id_, category in ((7, 11), (300, 3))
            if (ids == id_).any()
        ]
        images.append({"id": number, "file_name": f"{number}.png", "height": size[0],
                       "width": size[1]})  # fmt: skip
        annotations.append(
            {"image_id": number, "file_name": f"{number}.png", "segments_info": segments}
        )
    kinds = {11: 0, 3: 1, 4: 0}
    categories = [{"id": n, "name": str(n), "isthing": kind} for n, kind in kinds.items()]
    write_json(
        folder / "val.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )
    form = {"halves": "coco_panoptic", "objects": "binary_masks"}[name]
    split = {"annotations": "val.json" if name == "halves" else None, "images": "images",
             "masks": "masks"}  # fmt: skip
    about = {"name": name, "format": form, "root": ".", "splits": {"val": split}}
    write_json(folder / "manifest.json", about)


def job(name: str, form: str, folder: Path, dataset: str = "halves") -> PaintJob:
    return PaintJob(
        title=name,
        checkpoint=f"artifacts/smoke/checkpoints/{name}/seed-0.pth",
        manifest=f"artifacts/smoke/data/{dataset}/manifest.json",
        split="val",
        form=form,
        overrides={},
        field="paint.x.overrides",
        output=str(folder / "seed-0"),
    )


@pytest.mark.slow
def test_panoptic_maps_of_a_split_and_their_score(project) -> None:
    folder = paint("panoptic")
    read_by_rows = FilePredictions(FILE_METRICS["panoptic_quality"], "maps").record
    record = json.loads((folder / read_by_rows).read_text())
    assert (record["form"], record["dataset"], record["split"]) == ("panoptic", "halves", "val")
    (run,) = record["runs"]
    assert (run["seed"], run["num_images"], run["num_empty"]) == (0, 3, 1)
    assert run["infer_time_ms"] > 0 and run["peak_memory_gib"] >= 0
    assert run["checkpoint_sha256"] == sha256_file(
        Path("artifacts/smoke/checkpoints/panoptic/seed-0.pth")
    )
    found = json.loads((folder / "seed-0.json").read_text())["annotations"]
    assert [each["image_id"] for each in found] == [1, 2, 3]
    # Classes: thing 3 is 0; stuff 4 is 1, stuff 11 is 2.
    listed = [{"id": 1, "category_id": 11}, {"id": 2, "category_id": 3}]
    assert [each["segments_info"] for each in found] == [listed, listed, []]
    score = FILE_METRICS["panoptic_quality"].score(
        folder / "seed-0.json", Path("artifacts/smoke/data/halves/manifest.json"), "val"
    )
    # Stuff 11 is missed in the black picture: 2 found, 1 missed.
    assert score.values["PQ_Th"] == 1
    assert score.values["PQ_St"] == pytest.approx(2 / 2.5)


def test_grey_maps_of_a_split_and_their_score(project, tmp_path) -> None:
    measured = paint_split(job("grey", "grey", tmp_path, "objects"), print)
    assert (measured["num_images"], measured["num_empty"]) == (3, 1)
    names = [path.name for path in sorted((tmp_path / "seed-0").iterdir())]
    assert names == ["1.png", "2.png", "3.png"]
    manifest = Path("artifacts/smoke/data/objects/manifest.json")
    (tmp_path / "seed-0/3.png").unlink()
    Path("artifacts/smoke/data/objects/masks/3.png").unlink()
    Path("artifacts/smoke/data/objects/images/3.png").unlink()
    score = FILE_METRICS["dichotomous"].score(tmp_path / "seed-0", manifest, "val")
    assert score.values["MAE"] == 0 and score.values["HCE_gamma"] == 0
    assert score.values["F_beta_max"] == pytest.approx(1)
    assert score.counts["images_without_prediction"] == 0


def test_a_model_without_such_maps_is_named(project, tmp_path) -> None:
    with pytest.raises(BadInput, match=r"GreyHalves has no panoptic_maps; use a model"):
        paint_split(job("grey", "panoptic", tmp_path), print)
    assert not list(tmp_path.glob("seed-0*"))


def test_other_classes_than_the_models_are_refused(project, tmp_path) -> None:
    path = project / "artifacts/smoke/data/halves/val.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 5, "name": "5", "isthing": 1})
    write_json(path, content)
    with pytest.raises(BadInput, match="2 things and 2 stuff, the model has 1 things and 2 stuff"):
        paint_split(job("panoptic", "panoptic", tmp_path), print)


def test_a_photograph_of_another_size_is_refused(project, tmp_path) -> None:
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(
        project / "artifacts/smoke/data/halves/images/2.png"
    )
    with pytest.raises(BadInput, match=r"2\.png"):
        paint_split(job("panoptic", "panoptic", tmp_path), print)
    assert not (tmp_path / "seed-0.json").exists()


def test_two_pictures_of_one_name_are_refused(tmp_path) -> None:
    from workbench.datasets import EntityImage

    form = Grey(tmp_path / "maps", None, None)  # type: ignore[arg-type]
    for folder in ("a", "b"):
        path = Path(f"{folder}/1.jpg")
        image = EntityImage(folder, path, str(path), 2, 2, (), (), (), ())
        painted = torch.zeros(2, 2, dtype=torch.uint8)
        form.add(len(form.records), image, painted)
    with pytest.raises(BadInput, match=r"2 pictures of the name 1\.png"):
        form.close(form.records)


class TwoThings:
    class_counts = (2, 0)


def dataset_of(*ids: int):
    from workbench.datasets import EntityDataset
    from workbench.datasets.schema import Category

    categories = tuple(Category(number, str(number), True) for number in ids)
    return EntityDataset("x", "val", [], lambda key: key, categories)


def picture(name: str):
    from workbench.datasets import EntityImage

    return EntityImage(7, Path(name), name, 1, 3, (), (), (), ())


@pytest.mark.parametrize(("ids", "bits"), [((9, 4), np.uint8), ((9, 400), np.uint16)])
def test_semantic_maps_hold_category_ids_in_the_folders_of_the_pictures(
    tmp_path, ids, bits
) -> None:
    form = Semantic(tmp_path / "seed-0", dataset_of(*ids), TwoThings())
    form.add(0, picture("a/1.jpg"), torch.tensor([[0, 1, 1]]))
    form.add(1, picture("b/1.jpg"), torch.tensor([[1, 1, 0]]))
    form.close(form.records)
    low, high = sorted(ids)
    written = np.asarray(Image.open(tmp_path / "seed-0/a/1.png"))
    assert written.tolist() == [[low, high, high]] and written.dtype == bits
    form.add(2, picture("a/1.png"), torch.tensor([[0, 0, 0]]))
    with pytest.raises(BadInput, match=r"2 pictures of the name a/1\.png"):
        form.close(form.records)


def test_semantic_maps_have_ids_of_two_bytes(tmp_path) -> None:
    with pytest.raises(BadInput, match="id 70000; use a data set with ids below 65,536"):
        Semantic(tmp_path / "seed-0", dataset_of(1, 70000), TwoThings())


def test_instances_have_category_and_score_and_may_overlap(tmp_path) -> None:
    from mmengine.structures import InstanceData
    from pycocotools import mask as coco_mask

    form = Instances(tmp_path / "seed-0", dataset_of(9, 4), TwoThings())
    masks = torch.tensor([[[1, 1, 0]], [[0, 1, 1]], [[0, 0, 0]]], dtype=torch.bool)
    found = InstanceData(
        masks=masks, labels=torch.tensor([1, 0, 0]), scores=torch.tensor([0.5, 0.25, 0.1])
    )
    form.add(0, picture("1.jpg"), found)
    form.add(1, picture("2.jpg"), found[:0])
    form.close(form.records)
    first, second = map(json.loads, (tmp_path / "seed-0.jsonl").read_text().splitlines())
    assert second == {"image_id": 7, "entities": []} and form.empty == 1
    kept = [(each["category_id"], each["score"]) for each in first["entities"]]
    assert kept == [(9, 0.5), (4, 0.25)]  # without the empty mask
    decoded = [coco_mask.decode(each["segmentation"]).tolist() for each in first["entities"]]
    assert decoded == [[[1, 1, 0]], [[0, 1, 1]]]


def test_segment_ids_above_a_byte(tmp_path) -> None:
    from workbench.datasets import EntityDataset, EntityImage
    from workbench.datasets.panoptic import segment_ids
    from workbench.datasets.schema import Category

    dataset = EntityDataset("x", "val", [], lambda key: key, (Category(4, "a", True),))

    class Model:
        class_counts = (1, 0)

    form = Panoptic(tmp_path / "seed-0", dataset, Model())
    image = EntityImage(1, Path("1.jpg"), "1.jpg", 1, 3, (), (), (), ())
    labels = torch.tensor([[0, 300, 70000]], dtype=torch.int32)
    form.add(0, image, (labels, [0] * 70000))
    form.close(form.records)
    written = np.asarray(Image.open(tmp_path / "seed-0/000000000000.png"))
    assert segment_ids(written).tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (
            "wrong",
            BadInput,
            r"paint\.wrong\.form: 'golden'; use one of: panoptic, semantic, instances, grey",
        ),
        ("splitless", BadInput, r"paint\.splitless\.split: missing"),
        ("other", BadInput, r"paint\.other"),
        ("undone", MissingInput, "prep@nothing"),
        ("untrained", MissingInput, "train@nothing"),
    ],
)
def test_what_is_wrong_is_named(project, key, error, message) -> None:
    with pytest.raises(error, match=message):
        paint(key)
    assert not Path("artifacts/smoke/maps").exists() or not any(
        Path("artifacts/smoke/maps").iterdir()
    )


def test_a_checkpoint_that_is_not_there_names_its_own_stage(project) -> None:
    Path("artifacts/smoke/checkpoints/grey/seed-0.pth").unlink()
    with pytest.raises(MissingInput, match="transfer@grey"):
        paint("grey")


@pytest.mark.parametrize(("form", "data"), [("panoptic", "halves"), ("grey", "objects")])
def test_two_processes_write_the_bytes_of_one(project, tmp_path, form, data) -> None:
    alone = paint_split(job(form, form, tmp_path / "alone", data), print)
    made = job(form, form, tmp_path / "both", data)
    first, second = in_ranks(lambda rank: paint_split(made, print))
    assert sha256_tree(tmp_path / "both") == sha256_tree(tmp_path / "alone")
    assert second == {} and first["num_empty"] == alone["num_empty"] == 1
    assert first["num_images"] == alone["num_images"] == 3
