"""Written worlds: the same bytes everywhere, in the layouts of the real data sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask

from tests.workbench.datasets.conftest import ROOT
from workbench.datasets import load_entities
from workbench.datasets.check import check_dataset
from workbench.datasets.manifest import build_manifest
from workbench.datasets.worlds import parse_spec, parse_world, write_world, write_worlds
from workbench.datasets.worlds import writer as writer_module
from workbench.datasets.worlds.encode import low_resolution
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_tree, write_json

# SHA-256 over names and bytes of all files of the smoke worlds. A change of the generator, of
# configs/smoke/worlds.yaml or of Pillow's JPEG encoder shows here: state it in the changelog,
# for it makes all numbers of the mini scale new.
HASHES = {
    "entityseg": "e53c47a6e59f0eca8b7f363d4a9bff21f42977461ad389203a18372d28e3f895",
    "coco": "eb4536169d6d70aefe0043dfefdff565956e54727487fa898a3af9c30dc739b3",
    "png": "7d5295b6313c675e65c43ec031f15c5b8d3e84ac351e6c4edefd19da67b797b3",
}


@pytest.mark.parametrize("name", HASHES)
def test_bytes_are_those_of_every_other_machine(name: str, request: Any) -> None:
    assert sha256_tree(request.getfixturevalue(f"{name}_world")) == HASHES[name]


def test_bytes_depend_on_neither_hash_seed_nor_threads_nor_scale_of_others(
    entityseg_world: Path, tmp_path: Path
) -> None:
    code = (
        "import sys, yaml; from pathlib import Path;"
        "from workbench.datasets.worlds import write_world;"
        "specs = yaml.safe_load(Path('configs/smoke/worlds.yaml').read_text());"
        "write_world('entityseg', specs['entityseg'], Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", code, str(tmp_path / "again")]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    assert sha256_tree(tmp_path / "again") == sha256_tree(entityseg_world)


def test_entityseg_layout(entityseg_world: Path, smoke_specs: dict[str, Any]) -> None:
    for split, count in smoke_specs["entityseg"]["splits"].items():
        for low in ("", "_lr"):
            data = load_entities(entityseg_world / "manifest.json", f"{split}{low}")
            assert len(data) == count
        folder = entityseg_world / "annotations/entity_segmentation"
        parts = [json.loads((folder / f"entityv2_{k}_entity_{split}.json").read_text()) for k in
                 ("01", "02", "03")]  # fmt: skip
        assert sum(len(part["images"]) for part in parts) == count
        assert all(part["images"][0]["id"] == 1 for part in parts)
        assert "/" not in parts[0]["images"][0]["file_name"]
        combined = json.loads((folder / f"entityv2_010203_entity_{split}.json").read_text())
        assert combined["images"][1]["file_name"].startswith("entity_02_11598/")
        assert [a["id"] for a in combined["annotations"]] == [
            *range(1, len(combined["annotations"]) + 1)
        ]
        assert {"id", "name", "supercategory", "c_name", "type"} == set(combined["categories"][0])
    assert Image.open(entityseg_world / "contact_sheet.png").size[1] > 200


@pytest.mark.parametrize("split", ["train", "val", "train_lr", "val_lr"])
def test_entityseg_masks_cover_without_overlap(entityseg_world: Path, split: str) -> None:
    for image in load_entities(entityseg_world / "manifest.json", split):
        total = sum(coco_mask.decode(mask).astype(int) for mask in image.masks)
        assert (total == 1).all()


def test_low_resolution_is_aligned(entityseg_world: Path) -> None:
    manifest = entityseg_world / "manifest.json"
    pairs = zip(load_entities(manifest, "train"), load_entities(manifest, "train_lr"), strict=True)
    for full, low in pairs:
        assert full.file_name == low.file_name
        assert min(low.height, low.width) == 64
        height, width = low.height, low.width
        rows = (np.arange(height) + 0.5) * full.height / height
        columns = (np.arange(width) + 0.5) * full.width / width
        picked = np.ix_(rows.astype(int), columns.astype(int))
        wanted = [coco_mask.decode(mask)[picked] for mask in full.masks]
        found = [coco_mask.decode(mask) for mask in low.masks]
        assert len(found) == sum(bool(mask.any()) for mask in wanted)
        for mask, other in zip((m for m in wanted if m.any()), found, strict=True):
            assert np.array_equal(mask, other)
        sides = [np.asarray(Image.open(image.file), float).mean() for image in (full, low)]
        assert sides[0] == pytest.approx(sides[1], abs=2)


@pytest.mark.parametrize(
    ("size", "low"), [((256, 256), (96, 96)), ((256, 320), (96, 120)), ((100, 400), (40, 160))]
)
def test_low_resolution_size(size: tuple[int, int], low: tuple[int, int]) -> None:
    assert low_resolution(size, 96, 160) == low


def test_coco_layout(coco_world: Path, tmp_path: Path) -> None:
    panoptic = load_entities(coco_world / "manifest.json", "train")
    described = build_manifest(coco_world, "coco_instances", ["train", "val"])
    write_json(tmp_path / "instances.json", described)
    instances = load_entities(tmp_path / "instances.json", "train")
    things = {c.category_id for c in panoptic.categories if c.isthing}
    void = 0
    for image, other in zip(panoptic, instances, strict=True):
        assert (image.image_id, image.file) == (other.image_id, other.file)
        kept = [k for k, number in enumerate(image.category_ids) if number in things]
        assert [image.masks[k] for k in kept] == list(other.masks)
        assert [image.iscrowd[k] for k in kept] == list(other.iscrowd)
        assert [image.category_ids[k] for k in kept] == list(other.category_ids)
        total = sum(coco_mask.decode(mask).astype(int) for mask in image.masks)
        assert total.max() == 1
        void += int((total == 0).sum())
    assert void > 0
    assert any(any(image.iscrowd) for image in panoptic)
    content = json.loads((coco_world / "annotations/instances_train2017.json").read_text())
    forms = {type(a["segmentation"]).__name__ for a in content["annotations"]}
    crowds = [a for a in content["annotations"] if a["iscrowd"]]
    assert "list" in forms
    assert all(isinstance(a["segmentation"]["counts"], list) for a in crowds)


def test_the_same_scenes_read_alike_from_both_layouts(
    tmp_path: Path, smoke_specs: dict[str, Any]
) -> None:
    spec = {**smoke_specs["entityseg"], "splits": {"train": 3}, "lr": None}
    for name in ("entityseg", "coco"):
        write_world(name, {**spec, "format": name}, tmp_path / name)
    one = load_entities(tmp_path / "entityseg/manifest.json", "train")
    other = load_entities(tmp_path / "coco/manifest.json", "train")
    for a, b in zip(one, other, strict=True):
        assert a.masks == b.masks
        assert a.category_ids == b.category_ids
        assert a.file.read_bytes() == b.file.read_bytes()


@pytest.mark.parametrize("name", HASHES)
def test_worlds_pass_the_check(name: str, request: Any) -> None:
    assert check_dataset(request.getfixturevalue(f"{name}_world") / "manifest.json") == []


def test_manifest_changes_with_the_pictures(tmp_path: Path, smoke_specs: dict[str, Any]) -> None:
    manifests = []
    for noise in (0, 9):
        spec = {**smoke_specs["entityseg"], "splits": {"val": 2}, "domains": {"photo": 1}}
        write_world("a", {**spec, "noise": noise}, tmp_path / "a")
        manifests.append(json.loads((tmp_path / "a/manifest.json").read_text())["splits"]["val"])
    assert manifests[0]["sha256"] == manifests[1]["sha256"]
    assert manifests[0]["files_sha256"] != manifests[1]["files_sha256"]


def test_a_failure_leaves_the_old_world(
    tmp_path: Path, smoke_specs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {**smoke_specs["entityseg"], "splits": {"val": 2}}
    write_world("a", spec, tmp_path / "a")
    before = sha256_tree(tmp_path / "a")
    scenes = iter([writer_module.make_scene(parse_spec("a", spec), 0, 0)])
    monkeypatch.setattr(writer_module, "make_scene", lambda *_: next(scenes))
    with pytest.raises(StopIteration):
        write_world("a", spec, tmp_path / "a")
    assert sha256_tree(tmp_path / "a") == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class TestSpec:
    @pytest.mark.parametrize("scale", ["mini", "smoke"])
    def test_configured_worlds_are_valid(self, scale: str) -> None:
        specs = yaml.safe_load((ROOT / f"configs/{scale}/worlds.yaml").read_text())
        assert set(specs) == set(yaml.safe_load((ROOT / "params.yaml").read_text())["prep"])
        for name, raw in specs.items():
            assert parse_world(name, raw).format == raw["format"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("format", "voc"),
            ("seed", -1),
            ("seed", True),
            ("splits", {"test": 3}),
            ("splits", {}),
            ("sizes", []),
            ("sizes", [[8, 8]]),
            ("lr", 96),
            ("domains", {"space": 1}),
            ("domains", {"photo": 0}),
            ("stuff", [0, 2]),
            ("stuff", [3, 2]),
            ("large", {"count": [1, 2]}),
            ("small", {"count": [1, 2], "size": [1, 2]}),
            ("thin", {"count": [1, 2], "size": [9, 12], "wide": [1, 2]}),
            ("noise", "much"),
            ("noise", 128),
            ("accent_percent", 101),
            ("colour", 3),
        ],
    )
    def test_bad_fields(self, field: str, value: Any, smoke_specs: dict[str, Any]) -> None:
        with pytest.raises(BadInput) as caught:
            parse_spec("coco", {**smoke_specs["coco"], field: value})
        assert caught.value.field.startswith(f"coco.{field}")
        assert "\n" not in str(caught.value)

    def test_missing_field(self, smoke_specs: dict[str, Any]) -> None:
        raw = {key: value for key, value in smoke_specs["coco"].items() if key != "seed"}
        with pytest.raises(BadInput, match=r"coco\.seed: missing"):
            parse_spec("coco", raw)
        with pytest.raises(BadInput, match="not a mapping"):
            parse_spec("coco", [])  # type: ignore[arg-type]


class TestWriteWorlds:
    @pytest.fixture
    def project(
        self, tmp_path: Path, smoke_specs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        (tmp_path / "params.yaml").write_text("scale: smoke\n")
        (tmp_path / "configs/smoke").mkdir(parents=True)
        chosen = ("entityseg", "coco", "png")
        small = {name: {**smoke_specs[name], "splits": {"val": 1}} for name in chosen}
        (tmp_path / "configs/smoke/worlds.yaml").write_text(yaml.safe_dump(small, sort_keys=False))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_all_or_some(self, project: Path) -> None:
        assert [p.name for p in write_worlds("smoke", project / "out", ["coco"])] == ["coco"]
        assert len(write_worlds("smoke", project / "out")) == 3
        assert (project / "out/entityseg/manifest.json").is_file()

    def test_errors_before_anything_is_written(self, project: Path) -> None:
        with pytest.raises(BadInput, match="unknown world"):
            write_worlds("smoke", project / "out", ["coco", "voc"])
        with pytest.raises(MissingInput, match="paper"):
            write_worlds("paper", project / "out")
        (project / "configs/smoke/worlds.yaml").write_text("a: [")
        with pytest.raises(BadInput, match="YAML"):
            write_worlds("smoke", project / "out")
        assert not (project / "out").exists()
