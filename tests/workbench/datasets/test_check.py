"""Bad input: one line that names file, field and fix; ``check`` reports all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.workbench.datasets.hand_made import HandMade
from workbench.datasets import load_entities
from workbench.datasets.check import check_dataset
from workbench.datasets.manifest import build_manifest
from workbench.datasets.rle import covered_pixels
from workbench.errors import BadInput, MissingInput

Damage = Callable[[dict[str, Any]], None]


def put(path: str, value: Any) -> Damage:
    """Return a damage that sets a dotted path."""

    def damage(content: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        at: Any = content
        for key in parents:
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[int(last) if isinstance(at, list) else last] = value

    return damage


def again(key: str) -> Damage:
    """Return a damage that repeats the first record of a list."""
    return lambda content: content[key].append(dict(content[key][0]))


IN_INSTANCES = [
    (again("images"), "images[1].id"),
    (again("annotations"), "annotations[3].id"),
    (put("images", []), "images"),
    (put("images", 5), "images"),
    (put("images", ["a"]), "images[0]"),
    (put("images.0.id", None), "images[0].id"),
    (put("images.0.id", [1]), "images[0].id"),
    (put("images.0.height", 0), "images[0].height"),
    (put("images.0.width", "6"), "images[0].width"),
    (put("images.0.file_name", 3), "images[0].file_name"),
    (put("annotations", None), "annotations"),
    (put("annotations.1", 4), "annotations[1]"),
    (put("annotations.0.id", "one"), "annotations[0].id"),
    (put("annotations.0.image_id", 8), "annotations[0].image_id"),
    (put("annotations.0.image_id", [7]), "annotations[0].image_id"),
    (put("annotations.0.category_id", None), "annotations[0].category_id"),
    (put("categories", {}), "categories"),
    (put("categories.1.id", 1), "categories[1].id"),
]
IN_MASKS = [
    (put("annotations.1.segmentation.size", [6, 4]), "annotations[1].segmentation.size"),
    (put("annotations.1.segmentation.counts", "8"), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation.counts", ""), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation.counts", "\ud800é~"), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation.counts", [4, 4]), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation.counts", [-4, 28]), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation.counts", 24), "annotations[1].segmentation.counts"),
    (put("annotations.1.segmentation", None), "annotations[1].segmentation"),
    (put("annotations.1.segmentation", []), "annotations[1].segmentation"),
    (put("annotations.1.segmentation", [[1, 2, 3, 4]]), "annotations[1].segmentation[0]"),
    (put("annotations.1.segmentation", [[1, 2, 3, 4, 5, "6"]]), "annotations[1].segmentation[0]"),
    (put("annotations.1.segmentation", [[1, 2, 3, 4, 5, 1e99]]), "annotations[1].segmentation[0]"),
    (put("images.0.file_name", "../a.png"), "images[0].file_name"),
    (put("images.0.file_name", "/etc/passwd"), "images[0].file_name"),
    (put("images.0.file_name", "C:\\a.png"), "images[0].file_name"),
    (put("images.0.file_name", ""), "images[0].file_name"),
    (put("images.0.file_name", "a\n.png"), "images[0].file_name"),
]
IN_PANOPTIC = [
    (again("annotations"), "annotations[1].image_id"),
    (put("annotations.0.image_id", 8), "annotations[0].image_id"),
    (put("annotations.0.file_name", None), "annotations[0].file_name"),
    (put("annotations.0.segments_info", None), "annotations[0].segments_info"),
    (put("annotations.0.segments_info.1.id", 5), "annotations[0].segments_info[1].id"),
    (put("annotations.0.segments_info.1.id", []), "annotations[0].segments_info[1].id"),
    (put("annotations.0.segments_info.1.id", 0), "annotations[0].segments_info[1].id"),
    (put("annotations.0.segments_info.1.id", 301), "annotations[0].segments_info"),
    (put("annotations.0.file_name", "../masks/a.png"), "annotations[0].file_name"),
]


def refuse(data: HandMade, field: str) -> None:
    """Loading names file and field; the check finds the same."""
    manifest = data.write()
    with pytest.raises(BadInput) as caught:
        load_entities(manifest, "val")[0]
    assert caught.value.field == field
    assert caught.value.where.endswith("a.json")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    findings = check_dataset(manifest)
    assert field in [finding.field for finding in findings]
    assert all("\n" not in str(finding) for finding in findings)


@pytest.mark.parametrize(("damage", "field"), IN_INSTANCES + IN_MASKS)
def test_damaged_instances(damage: Damage, field: str, instances: HandMade) -> None:
    damage(instances.content)
    refuse(instances, field)


@pytest.mark.parametrize(("damage", "field"), IN_PANOPTIC)
def test_damaged_panoptic(damage: Damage, field: str, panoptic: HandMade) -> None:
    damage(panoptic.content)
    refuse(panoptic, field)


@pytest.mark.parametrize("text", ["", '{"images": [', "[]", "\x00", "[" * 100_000])
def test_file_that_is_not_a_json_object(text: str, instances: HandMade) -> None:
    manifest = instances.write(text)
    with pytest.raises(BadInput, match=r"a\.json"):
        load_entities(manifest, "val")
    assert len(check_dataset(manifest)) == 1


def test_sound_data_have_no_findings(instances: HandMade, panoptic_copy: HandMade) -> None:
    assert check_dataset(instances.write()) == []
    assert check_dataset(panoptic_copy.write()) == []


@pytest.fixture
def panoptic_copy(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "other", "coco_panoptic")


def test_all_faults_are_reported(instances: HandMade) -> None:
    for damage, _ in (IN_MASKS[0], IN_MASKS[13]):
        damage(instances.content)
    instances.content["annotations"][0]["segmentation"]["counts"] = "zz"
    assert len(check_dataset(instances.write())) == 3


def test_missing_picture(instances: HandMade) -> None:
    (instances.root / "images/a.png").unlink()
    manifest = instances.write()
    with pytest.raises(MissingInput, match=r"a\.png"):
        load_entities(manifest, "val")[0]
    assert [finding.field for finding in check_dataset(manifest)] == ["file"]


def test_missing_folder_and_annotations(instances: HandMade) -> None:
    manifest = instances.write()
    (instances.root / "a.json").unlink()
    with pytest.raises(MissingInput):
        load_entities(manifest, "val")
    assert len(check_dataset(manifest)) == 1
    instances.manifest_content["splits"]["val"]["images"] = "nowhere"
    with pytest.raises(MissingInput, match="nowhere"):
        load_entities(instances.write(), "val")
    assert len(check_dataset(instances.write())) == 1


@pytest.mark.parametrize("keep", [0, 60, 0.6])
def test_truncated_picture(keep: float, instances: HandMade) -> None:
    path = instances.root / "images/a.png"
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    findings = check_dataset(instances.write())
    assert [(f.where, f.field) for f in findings] == [(str(path), "picture")]


def test_picture_of_another_size(instances: HandMade) -> None:
    Image.new("RGB", (4, 6)).save(instances.root / "images/a.png")
    assert [f.field for f in check_dataset(instances.write())] == ["images[0]"]


def test_exif_rotation_counts(instances: HandMade) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (4, 6)).save(instances.root / "images/a.png", exif=exif)
    assert check_dataset(instances.write()) == []


def test_png_of_another_size(panoptic: HandMade) -> None:
    Image.new("RGB", (4, 6)).save(panoptic.root / "masks/a.png")
    manifest = panoptic.write()
    with pytest.raises(BadInput, match="size"):
        load_entities(manifest, "val")[0]
    assert [f.field for f in check_dataset(manifest)] == ["size"]


def test_png_with_an_unlisted_segment(panoptic: HandMade) -> None:
    del panoptic.content["annotations"][0]["segments_info"][0]
    with pytest.raises(BadInput, match="id 5 of the PNG is not listed"):
        load_entities(panoptic.write(), "val")[0]


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (put("format", "voc"), "format"),
        (put("name", None), "name"),
        (put("splits", []), "splits"),
        (put("splits", {}), "splits.val"),
        (put("splits.val", None), "splits.val.annotations"),
        (put("splits.val.images", 3), "splits.val.images"),
    ],
)
def test_bad_manifest(damage: Damage, field: str, instances: HandMade) -> None:
    damage(instances.manifest_content)
    with pytest.raises(BadInput) as caught:
        load_entities(instances.write(), "val")
    assert caught.value.field == field


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="prep"):
        load_entities(tmp_path / "manifest.json", "val")


def test_annotations_changed_after_prep(instances: HandMade) -> None:
    manifest = instances.write()
    described = build_manifest(
        instances.root, "coco_instances", {"val": {"annotations": "a.json", "images": "images"}}
    )
    manifest.write_text(json.dumps(described), encoding="utf-8")
    assert check_dataset(manifest) == []
    del instances.content["annotations"][0]
    (instances.root / "a.json").write_text(json.dumps(instances.content), encoding="utf-8")
    fields = [finding.field for finding in check_dataset(manifest)]
    assert fields == ["splits.val.num_entities", "splits.val.sha256"]


class TestBuildManifest:
    def test_counts_and_hash(self, panoptic: HandMade) -> None:
        panoptic.write()
        paths = {"annotations": "a.json", "images": "images", "masks": "masks"}
        manifest = build_manifest(panoptic.root, "coco_panoptic", {"val": paths}, name="mine")
        assert manifest["name"] == "mine"
        entry = manifest["splits"]["val"]
        assert (entry["num_images"], entry["num_entities"]) == (1, 3)

    def test_number_of_images_is_held_to(self, instances: HandMade) -> None:
        instances.write()
        paths = {"annotations": "a.json", "images": "images", "num_images": 5000}
        with pytest.raises(BadInput, match="1 images instead of 5000"):
            build_manifest(instances.root, "coco_instances", {"val": paths})

    @pytest.mark.parametrize(
        "name",
        ["entity_segmentation/entityv2_010203_entity_val_lr.json", "entityseg_val_lr.json"],
    )
    def test_both_naming_schemes_of_entityseg(self, name: str, instances: HandMade) -> None:
        instances.write()
        (instances.root / "images").rename(instances.root / "images_lr")
        target = instances.root / "annotations" / name
        target.parent.mkdir(parents=True)
        (instances.root / "a.json").rename(target)
        entry = build_manifest(instances.root, "entityseg", ["val_lr"])["splits"]["val_lr"]
        assert (entry["annotations"], entry["images"]) == (f"annotations/{name}", "images_lr")

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="format"):
            build_manifest(tmp_path, "voc", ["val"])
        with pytest.raises(MissingInput):
            build_manifest(tmp_path / "none", "coco_panoptic", ["val"])
        for form in ("entityseg", "coco_instances"):
            with pytest.raises(BadInput, match="unknown split"):
                build_manifest(tmp_path, form, ["test"])
            with pytest.raises(MissingInput):
                build_manifest(tmp_path, form, ["val"])


def test_covered_pixels_agrees_with_pycocotools() -> None:
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(3)
    for share in (0, 1, 5, 50, 99, 100):
        for size in ((1, 1), (3, 5), (64, 48), (300, 700)):
            pixels = rng.integers(0, 100, size) < share
            code = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
            assert covered_pixels(code["counts"].decode()) == size[0] * size[1]
