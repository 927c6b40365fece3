"""Worlds of the sets without language: same bytes, real layouts, and what makes each hard."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask

from tests.workbench.datasets.conftest import ROOT
from workbench.datasets import load_entities
from workbench.datasets.check import inspect_dataset
from workbench.datasets.manifest import build_manifest
from workbench.datasets.sginw import SETS
from workbench.datasets.worlds import parse_world, write_world
from workbench.datasets.worlds.lvis_layout import CLASSES, WEIGHTS
from workbench.datasets.worlds.png import write_gray_png
from workbench.datasets.worlds.set_spec import SET_SPLITS
from workbench.errors import BadInput
from workbench.files import sha256_tree

# As in test_writer.py.
HASHES = {
    "entityseg_classes": "eba98c9d45b0e825f9139d6ec5737f369933cfadb51030d0ace2205743011b02",
    "entityseg_annotators": "addcc0f49109a399bba20e5daccfe01215a884ecd76ccf942bb685c9b299ddee",
    "ade20k": "0d4f3bcf9f923b5042d0d8751c611f59d4cb4e1aee83aacc37452302c6ecc794",
    "lvis": "edd0daeba151068299723cce43cfd241b19e13806dda6a3a90317a28d031b43f",
    "ocid": "2132b93cd987a8bdc7ead6a666aa2ccf216ceacfa422d4867cedf5ef67a7c578",
    "camo_pp": "14fa3475ddf0f1c3e4aeea910fe286b8e92e64a78070a7d69ada2c6616015d06",
    "fss1000": "05ebc7250e0c97ea1890dbd244f64c85595d67ef01b4ba26fcd0bba7b2b8d9cb",
    "dis5k": "d899609aac33d506f3f101f4a677e4f1b5cc733f9d86bb799e1d42eecdfdfcad",
    "sginw": "920f0344e720f86305bc70fd28fb5682c34f5649f82bc25f723038e0d0792893",
}
SMOKE = yaml.safe_load((ROOT / "configs/smoke/worlds.yaml").read_text(encoding="utf-8"))
PAPER = yaml.safe_load((ROOT / "configs/paper/worlds.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets")
    for name in HASHES:
        write_world(name, SMOKE[name], root / name)
    return root


def opened(worlds: Path, name: str, split: str) -> Any:
    return load_entities(worlds / name / "manifest.json", split)


def drawn(image: Any) -> list[np.ndarray]:
    return [coco_mask.decode(mask).astype(bool) for mask in image.masks]


@pytest.mark.parametrize("name", HASHES)
def test_bytes_are_those_of_every_other_machine(name: str, worlds: Path) -> None:
    assert sha256_tree(worlds / name) == HASHES[name]


@pytest.mark.parametrize("name", HASHES)
def test_worlds_pass_the_check_and_lose_no_picture(name: str, worlds: Path) -> None:
    for report in inspect_dataset(worlds / name / "manifest.json"):
        assert report.unusable == 0
        assert [finding for finding in report.findings if not finding.note] == []
    assert (worlds / name / "contact_sheet.png").is_file()


@pytest.mark.parametrize("name", [name for name in HASHES if name not in ("sginw", "camo_pp")])
def test_the_real_layout_is_found_in_the_world(name: str, worlds: Path) -> None:
    """What configs/paper says of the real data set reads the world as well."""
    spec = PAPER[name]
    root = worlds / name
    root = root / "OCID-dataset" if name == "ocid" else root
    made = json.loads((worlds / name / "manifest.json").read_text())["splits"]
    splits = {split: spec["splits"][split] for split in made} if name != "dis5k" else list(made)
    if name in ("ade20k", "entityseg_classes"):  # these worlds have fewer classes
        for split, entry in splits.items():
            if "classes" in entry:
                splits[split] = {**entry, "classes": made[split]["classes"]}
    described = build_manifest(root, spec["format"], splits)["splits"]
    for split, entry in made.items():
        for key in ("num_images", "num_entities"):
            assert described[split][key] == entry[key], (split, key)


def test_the_three_forms_of_entityseg_classes_are_of_the_same_pictures(worlds: Path) -> None:
    instance = opened(worlds, "entityseg_classes", "val_instance")
    semantic = opened(worlds, "entityseg_classes", "val_semantic")
    panoptic = opened(worlds, "entityseg_classes", "val_panoptic")
    assert [image.file.name for image in instance] == [image.file.name for image in panoptic]
    for full, classes, segments in zip(instance, semantic, panoptic, strict=True):
        assert (classes.height, classes.width) == (segments.height, segments.width)
        assert full.height > classes.height
        assert sum(mask.astype(int) for mask in drawn(segments)).min() == 1
        assert len(segments.masks) >= len(full.masks)
        assert sum(mask.astype(int) for mask in drawn(classes)).max() == 1
    ids = sorted(instance.contiguous())
    assert ids != list(range(len(ids)))


def test_ade20k_has_text_ids_void_and_two_kinds_of_maps(worlds: Path) -> None:
    panoptic, semantic = (
        opened(worlds, "ade20k", "train"),
        opened(worlds, "ade20k", "train_semantic"),
    )
    void = 0
    for segments, classes in zip(panoptic, semantic, strict=True):
        assert isinstance(segments.image_id, str)
        assert segments.image_id == classes.image_id
        void += int((~np.any(drawn(segments), axis=0)).sum())
        assert np.any(drawn(classes), axis=0).all()
        stem = f"{segments.image_id}.png"
        root = worlds / "ade20k"
        raw = np.asarray(Image.open(root / "annotations/training" / stem))
        shifted = np.asarray(Image.open(root / "annotations_detectron2/training" / stem))
        assert np.array_equal(raw.astype(int) - 1, shifted)
        instances = np.asarray(Image.open(root / "annotations_instance/training" / stem))
        assert ((instances[..., 0] > 0) == (instances[..., 1] > 0)).all()
    assert void > 0
    names = {c.category_id: c.name for c in semantic.categories}
    assert {c.category_id + 1: c.name for c in panoptic.categories} == names


def test_lvis_has_many_classes_a_long_tail_and_gaps_in_its_annotations(worlds: Path) -> None:
    data = opened(worlds, "lvis", "val")
    assert len(data.categories) == len(CLASSES) > 190
    shares = sorted(WEIGHTS.values(), reverse=True)
    assert sum(shares[:20]) > sum(shares[20:]) / 2
    assert shares[0] > 100 * shares[-1]
    for image in data:
        assert image.file.parent.name in ("train2017", "val2017")
        assert image.negative_ids
        assert not set(image.negative_ids) & set(image.category_ids)
    content = json.loads((worlds / "lvis/annotations/lvis_v1_val.json").read_text())
    assert "iscrowd" not in content["annotations"][0]
    assert "file_name" not in content["images"][0]


def test_ocid_frames_pile_up_objects_that_hide_each_other(worlds: Path) -> None:
    data = opened(worlds, "ocid", "test")
    counts = [len(image.masks) for image in data]
    first, second = counts[:6], counts[6:]
    assert first[0] < first[-1]
    assert second[0] < second[-1]
    table = [image for image in data if "table" in str(image.image_id)]
    assert table
    for image in table:
        assert not {0, 1, 2} & set(image.segment_ids)
    touching = 0
    for image in data:
        masks = drawn(image)
        for at, mask in enumerate(masks):
            near = mask.copy()
            near[1:] |= mask[:-1]
            near[:, 1:] |= mask[:, :-1]
            touching += sum(bool((near & other).any()) for other in masks[at + 1 :])
    assert touching > len(data) // 2
    depth = next((worlds / "ocid").rglob("depth/*.png"))
    assert np.asarray(Image.open(depth)).max() > 255


def test_camouflage_looks_like_what_is_around_it(worlds: Path) -> None:
    """The mean colour inside is nearly that of the ground, unlike any other world's."""

    def contrast(name: str, split: str) -> float:
        gaps = []
        for image in opened(worlds, name, split):
            pixels = np.asarray(Image.open(image.file), float)
            inside = np.any(drawn(image), axis=0)
            gaps.append(np.abs(pixels[inside].mean(axis=0) - pixels[~inside].mean(axis=0)).mean())
        return float(np.mean(gaps))

    hidden = contrast("camo_pp", "test")
    assert hidden < 20
    assert hidden < contrast("fss1000", "all") / 2


def test_fss1000_marks_one_object_among_others(worlds: Path) -> None:
    every, test = opened(worlds, "fss1000", "all"), opened(worlds, "fss1000", "test")
    assert all(len(image.masks) == 1 for image in every)
    assert Counter(str(image.image_id).split("/")[0] for image in every).most_common(1)[0][1] == 10
    assert {image.image_id for image in test} < {image.image_id for image in every}
    mask = next((worlds / "fss1000/fewshot_data").rglob("1.png"))
    assert Image.open(mask).mode == "RGB"


def test_dis5k_is_thin_and_large_and_gets_finer(worlds: Path) -> None:
    for split in SET_SPLITS["dis5k"]:
        for image in opened(worlds, "dis5k", split):
            (mask,) = drawn(image)
            left, top, width, height = coco_mask.toBbox(image.masks[0])
            assert width * height > image.width * image.height / 10
            assert mask.sum() < width * height / 2
            assert "#" in image.file.name
    assert "(480, 640)" in str(tuple(parse_mini("dis5k").size))


def test_sginw_has_a_vocabulary_a_set(worlds: Path) -> None:
    content = json.loads((worlds / "sginw/manifest.json").read_text())
    assert set(content["splits"]) == {f"{name}_valid" for name in SETS}
    data = opened(worlds, "sginw", "House-Parts_valid")
    assert tuple(c.name for c in data.categories) == SETS["House-Parts"]
    assert [c.category_id for c in data.categories] == list(range(12))
    assert data[0].segment_ids[0] == 0


def parse_mini(name: str) -> Any:
    raw = yaml.safe_load((ROOT / "configs/mini/worlds.yaml").read_text(encoding="utf-8"))[name]
    return parse_world(name, raw)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("splits", {"val2": 1}),
        ("splits", {}),
        ("size", [32, 64]),
        ("size", 64),
        ("objects", [0, 2]),
        ("objects", [3, 2]),
        ("extent", [4, 8]),
        ("noise", 0),
        ("noise", 200),
        ("colour", 1),
    ],
)
def test_bad_fields(field: str, value: Any) -> None:
    with pytest.raises(BadInput) as caught:
        parse_world("lvis", {**SMOKE["lvis"], field: value})
    assert caught.value.field.startswith(f"lvis.{field}")
    with pytest.raises(BadInput, match=r"lvis\.seed: missing"):
        parse_world("lvis", {key: v for key, v in SMOKE["lvis"].items() if key != "seed"})


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_gray_png_reads_back(kind: type, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max + 1, (37, 53)).astype(kind)
    write_gray_png(tmp_path / "a.png", image)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
