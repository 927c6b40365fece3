"""The real layouts of the sets without language: sound ones give records, damaged ones one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.workbench.datasets.hand_made import LABELS
from tests.workbench.datasets.set_layouts import LAYOUTS, OBJECT, gray, write_layout
from workbench.datasets import EntityImage, load_entities
from workbench.datasets.check import check_dataset, inspect_dataset
from workbench.datasets.manifest import build_manifest
from workbench.datasets.rle import paint_labels
from workbench.datasets.sginw import SETS
from workbench.errors import BadInput, EsgError, MissingInput

MAPS = {
    "ocid": "OCID-dataset/ARID10/floor/left/seq01/label/result_1.png",
    "semantic list": "maps/a.png",
    "semantic stems": "annotations/validation/ADE_val_00000001.png",
    "instance maps": "masks/x.png",
    "dis5k": "DIS-VD/gt/1#Accessories#1#Bag#0_s_o.png",
    "fss1000": "fewshot_data/abacus/1.png",
    "entityseg panoptic": "maps/p.png",
}
PICTURES = {
    "lvis": "train2017/000000000009.jpg",
    "sginw": "Airplane-Parts/valid/a-0_jpg.rf.0.jpg",
    "ocid": "OCID-dataset/ARID10/floor/left/seq01/rgb/result_1.png",
    "semantic list": "images_lr/a picture.jpg",
    "semantic stems": "images/validation/ADE_val_00000001.jpg",
    "instance maps": "images/x.jpg",
    "dis5k": "DIS-VD/im/1#Accessories#1#Bag#0_s_o.jpg",
    "fss1000": "fewshot_data/abacus/1.jpg",
    "entityseg panoptic": "images_lr/p.jpg",
}
JSON = {
    "lvis": "annotations/lvis_v1_val.json",
    "sginw": "Airplane-Parts/valid/_annotations_min1cat.coco.json",
    "entityseg panoptic": "panoptic.json",
}


def decoded(image: EntityImage) -> list[np.ndarray]:
    return [coco_mask.decode(mask).astype(bool) for mask in image.masks]


@pytest.mark.parametrize("name", LAYOUTS)
def test_sound_layouts_read_and_pass(name: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    data = load_entities(manifest, "val")
    assert len(data) == 2
    for image in data:
        assert (image.height, image.width) == (4, 6)
        assert image.file.is_file()
        assert not any(image.iscrowd)
        assert set(image.category_ids) <= {c.category_id for c in data.categories}
    assert check_dataset(manifest) == []
    (report,) = inspect_dataset(manifest)
    assert (report.units["images"], report.unusable) == (2, 0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_prep_describes_them_and_sees_changes(name: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    content = json.loads(manifest.read_text())
    described = build_manifest(tmp_path, content["format"], content["splits"])
    assert described["splits"]["val"]["num_images"] == 2
    manifest.write_text(json.dumps(described))
    assert check_dataset(manifest) == []
    described["splits"]["val"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(described))
    assert [f.field for f in check_dataset(manifest)] == ["splits.val.sha256"]


def test_all_entities_of_coco_style_and_panoptic_sets(tmp_path: Path) -> None:
    for name in ("lvis", "sginw", "entityseg panoptic", "instance maps"):
        for image in load_entities(write_layout(name, tmp_path / name), "val"):
            found = {mask.tobytes() for mask in decoded(image)}
            assert found == {(number == LABELS).tobytes() for number in (1, 2, 3)}, name


def test_lvis_is_federated_and_without_crowds(tmp_path: Path) -> None:
    first, second = load_entities(write_layout("lvis", tmp_path), "val")
    assert (first.file_name, first.negative_ids) == ("train2017/000000000009.jpg", (7, 8))
    assert (first.not_exhaustive_ids, second.negative_ids) == ((1,), ())
    assert second.file.parent.name == "val2017"


def test_sginw_keeps_names_and_ids_and_says_what_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = write_layout("sginw", tmp_path, split="Airplane-Parts_valid")
    with caplog.at_level(logging.WARNING):
        data = load_entities(manifest, "Airplane-Parts_valid")
    assert "id is 0" in caplog.text
    assert [c.name for c in data.categories] == ["Airplane", "Wing"]
    assert data[0].segment_ids == (0, 1, 2)
    (report,) = inspect_dataset(manifest)
    assert all(finding.note for finding in report.findings)
    assert any("lacks Body, Cockpit, Engine" in str(finding) for finding in report.findings)


def test_sginw_has_25_sets_in_the_usual_places(tmp_path: Path) -> None:
    assert len(SETS) == 25
    assert sum(map(len, SETS.values())) == len([c for names in SETS.values() for c in set(names)])
    write_layout("sginw", tmp_path)
    described = build_manifest(tmp_path, "sginw", ["Airplane-Parts_valid"])
    assert described["splits"]["Airplane-Parts_valid"]["num_entities"] == 6
    with pytest.raises(BadInput, match="unknown split"):
        build_manifest(tmp_path, "sginw", ["Airplane_valid"])


def test_ocid_background_depends_on_the_scene(tmp_path: Path) -> None:
    floor, table = load_entities(write_layout("ocid", tmp_path), "val")
    # Floor: ids 1 is background, 2 and 3 are objects. Table: 2 is the table, 3 and 4 are objects.
    assert (floor.segment_ids, table.segment_ids) == ((2, 3), (3, 4))
    for image in (floor, table):
        for number, mask in zip((2, 3), decoded(image), strict=True):
            assert np.array_equal(mask, number == LABELS)
    assert floor.image_id == "ARID10/floor/left/seq01/result_1"


@pytest.mark.parametrize(("name", "classes"), [("semantic list", (0, 7, 149)),
                                               ("semantic stems", (1, 8, 150))])  # fmt: skip
def test_semantic_classes_are_entities(name: str, classes: tuple[int, ...], tmp_path: Path) -> None:
    data = load_entities(write_layout(name, tmp_path), "val")
    for image in data:
        assert image.category_ids == classes
        for number, mask in zip((1, 3, 2), decoded(image), strict=True):
            assert np.array_equal(mask, number == LABELS)
    names = {c.category_id: c.name for c in data.categories}
    assert names[classes[0]] == ("name 1" if name == "semantic stems" else "0")
    assert data.contiguous()[classes[1]] == 7


def test_a_semantic_map_is_painted_again_from_its_record(tmp_path: Path) -> None:
    image = load_entities(write_layout("semantic stems", tmp_path), "val")[0]
    stored = np.asarray(Image.open(tmp_path / MAPS["semantic stems"]))
    again = paint_labels(image.masks, image.category_ids, (4, 6), background=0)
    assert np.array_equal(again, stored)
    with pytest.raises(ValueError, match=r"\[4, 6\]"):
        paint_labels(image.masks, image.category_ids, (6, 4), background=0)


def test_void_of_a_semantic_map_is_no_entity(tmp_path: Path) -> None:
    manifest = write_layout("semantic stems", tmp_path)
    path = tmp_path / MAPS["semantic stems"]
    gray(path, np.array([0, 1, 0, 8])[LABELS])
    assert load_entities(manifest, "val")[0].category_ids == (1, 8)
    gray(path, np.array([0, 1, 151, 8])[LABELS])
    with pytest.raises(BadInput, match="151 is none of 1 to 150"):
        load_entities(manifest, "val")[0]
    assert [f.field for f in check_dataset(manifest)] == ["values"]


@pytest.mark.parametrize("name", ["dis5k", "fss1000"])
def test_one_object_a_picture(name: str, tmp_path: Path) -> None:
    data = load_entities(write_layout(name, tmp_path), "val")
    for image in data:
        (mask,) = decoded(image)
        assert np.array_equal(mask, OBJECT)


def test_fss_reads_the_listed_classes_or_all(tmp_path: Path) -> None:
    manifest = write_layout("fss1000", tmp_path)
    data = load_entities(manifest, "val")
    assert [image.image_id for image in data] == ["abacus/1", "zebra/1"]
    assert [c.name for c in data.categories] == ["abacus", "zebra"]
    described = build_manifest(tmp_path, "fss1000", ["test", "all"])
    assert [s["num_images"] for s in described["splits"].values()] == [2, 3]
    (tmp_path / "fss_test_set.txt").write_text("zebra\n../..\n")
    with pytest.raises(BadInput, match="no folder's name"):
        load_entities(manifest, "val")
    (tmp_path / "fss_test_set.txt").write_text("lion\n")
    with pytest.raises(BadInput, match="'lion' has no folder"):
        load_entities(manifest, "val")


def test_an_empty_mask_is_a_note_not_a_gap(tmp_path: Path) -> None:
    manifest = write_layout("dis5k", tmp_path)
    gray(tmp_path / MAPS["dis5k"], np.zeros((4, 6)))
    assert load_entities(manifest, "val")[0].masks == ()
    (report,) = inspect_dataset(manifest)
    assert [finding.note for finding in report.findings] == [True]
    assert "1 of 2 pictures" in str(report.findings[0])


@pytest.mark.parametrize("name", PICTURES)
def test_missing_picture(name: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    (tmp_path / PICTURES[name]).unlink()
    with pytest.raises(MissingInput):
        load_entities(manifest, "val")[0]
    assert [f.field for f in check_dataset(manifest)] == ["file"]
    (report,) = inspect_dataset(manifest)
    assert (report.units["images"], report.unusable) == (2, 1)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("damage", ["missing", "other size", "truncated", "text"])
def test_damaged_map(name: str, damage: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    path = tmp_path / MAPS[name]
    if damage == "missing":
        path.unlink()
    elif damage == "other size":
        values = np.asarray(Image.open(path))
        gray(path, values.swapaxes(0, 1), values.dtype.type)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:50])
    else:
        path.write_text("no picture")
    with pytest.raises(EsgError) as caught:
        load_entities(manifest, "val")[0]
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or name in ("semantic list", "entityseg panoptic")
    findings = check_dataset(manifest)
    assert len(findings) == 1
    assert "\n" not in str(findings[0])


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("damage", ["truncated", "again", "escape", "owner", "missing"])
def test_damaged_json(name: str, damage: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    path = tmp_path / JSON[name]
    content: dict[str, Any] = json.loads(path.read_text())
    if damage == "again":
        content["annotations"].append(content["annotations"][0])
    elif damage == "owner":
        content.setdefault("images", [])
        content["annotations"][0]["image_id"] = 999
    elif damage == "escape" and "images" in content:
        content["images"][0]["file_name"] = "../../a.jpg"
    elif damage == "escape":
        content["annotations"][0]["file_name"] = "../../p.jpg"
    text = json.dumps(content)
    path.write_text(text[: len(text) // 2] if damage == "truncated" else text)
    if damage == "missing":
        path.unlink()
    with pytest.raises(EsgError) as caught:
        load_entities(manifest, "val")[0]
    assert JSON[name] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert check_dataset(manifest)


def test_names_of_a_list_stay_below_the_folder(tmp_path: Path) -> None:
    manifest = write_layout("semantic list", tmp_path)
    for line in ("../a.jpg a.png", "a\tb", "/etc/passwd a.png", "b.1.jpg ../maps/a.png"):
        (tmp_path / "train.txt").write_text(f"{line}\n")
        with pytest.raises(BadInput):
            load_entities(manifest, "val")[0]
        assert len(check_dataset(manifest)) == 1, line


def test_a_list_that_repeats_or_names_nothing(tmp_path: Path) -> None:
    manifest = write_layout("semantic list", tmp_path)
    (tmp_path / "train.txt").write_text("b.1.jpg b.1.png\n" * 2)
    assert ["also at place 0" in str(f) for f in check_dataset(manifest)] == [True]
    (tmp_path / "train.txt").write_text("\n")
    assert [f.problem for f in check_dataset(manifest)] == ["none found"]
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    assert [f.field for f in check_dataset(manifest)] == ["text"]


def test_files_that_systems_add_are_no_pictures(tmp_path: Path) -> None:
    manifest = write_layout("dis5k", tmp_path)
    for name in ("._a.jpg", "__MACOSX/b.jpg"):
        (tmp_path / "DIS-VD/im" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "DIS-VD/im" / name).write_bytes(b"")
    assert len(load_entities(manifest, "val")) == 2


@pytest.mark.parametrize("key", ["first", "classes", "ignore"])
def test_values_of_a_semantic_map_must_be_given(key: str, tmp_path: Path) -> None:
    manifest = write_layout("semantic stems", tmp_path)
    content = json.loads(manifest.read_text())
    content["splits"]["val"][key] = "many"
    manifest.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=key):
        load_entities(manifest, "val")
    assert len(check_dataset(manifest)) == 1


def test_the_first_of_several_paths_that_is_there_is_taken(tmp_path: Path) -> None:
    write_layout("semantic stems", tmp_path)
    entry = json.loads((tmp_path / "manifest.json").read_text())["splits"]["val"]
    entry["images"] = ["images_lr", "images/validation"]
    described = build_manifest(tmp_path, "semantic_maps", {"val": entry})
    assert described["splits"]["val"]["images"] == "images/validation"


@pytest.mark.parametrize("name", ["semantic list", "entityseg panoptic"])
@pytest.mark.parametrize("first", ["images", "images_lr"])
def test_pictures_of_the_maps_size_are_chosen(name: str, first: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    (tmp_path / "images").mkdir()
    for path in (tmp_path / "images_lr").iterdir():
        Image.open(path).resize((12, 8)).save(tmp_path / "images" / path.name)
    content = json.loads(manifest.read_text())
    entry = content["splits"]["val"]
    entry["images"] = [first, "images" if first == "images_lr" else "images_lr", "elsewhere"]
    described = build_manifest(tmp_path, content["format"], {"val": entry})
    assert described["splits"]["val"]["images"] == "images_lr"


def test_splits_of_one_set_may_be_of_several_forms(tmp_path: Path) -> None:
    manifest = write_layout("semantic stems", tmp_path)
    content = json.loads(manifest.read_text())
    other = {**LAYOUTS["ocid"][1](tmp_path), "format": "ocid"}
    content["splits"]["val_instance"] = other
    manifest.write_text(json.dumps(content))
    assert len(load_entities(manifest, "val_instance")[0].masks) == 2
    content["splits"]["val_instance"]["format"] = "voc"
    manifest.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"splits\.val_instance\.format"):
        load_entities(manifest, "val_instance")
