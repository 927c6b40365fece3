"""Reading sound data sets: every format gives the same records."""

from __future__ import annotations

import contextlib
import io
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.workbench.datasets.hand_made import LABELS, HandMade
from workbench.datasets import EntityImage, json_stream, load_entities
from workbench.datasets.manifest import build_manifest
from workbench.errors import BadInput, MissingInput
from workbench.files import write_json


def decoded(image: EntityImage) -> list[np.ndarray]:
    return [coco_mask.decode(mask).astype(bool) for mask in image.masks]


@pytest.mark.parametrize("form", ["instances", "panoptic"])
def test_one_picture_gives_its_masks_in_file_order(form: str, request: Any) -> None:
    data = load_entities(request.getfixturevalue(form).write(), "val")
    assert (data.name, data.split, len(data)) == ("hand", "val", 1)
    image = data[0]
    assert (image.image_id, image.file_name, image.height, image.width) == (7, "a.png", 4, 6)
    assert image.file.is_file()
    assert image.iscrowd == (False, False, True)
    for number, mask in enumerate(decoded(image), start=1):
        assert np.array_equal(mask, number == LABELS)


def test_panoptic_keeps_categories_and_segment_ids(panoptic: HandMade) -> None:
    image = load_entities(panoptic.write(), "val")[0]
    assert image.category_ids == (1, 2, 1)
    assert image.segment_ids == (5, 300, 70_000)
    assert [c.isthing for c in load_entities(panoptic.write(), "val").categories] == [True, False]


def test_to_coco_is_class_agnostic_ground_truth(panoptic: HandMade) -> None:
    content = load_entities(panoptic.write(), "val").to_coco()
    assert [a["id"] for a in content["annotations"]] == [1, 2, 3]
    assert {a["category_id"] for a in content["annotations"]} == {1}
    assert content["categories"] == [{"id": 1, "name": "entity"}]
    assert [a["iscrowd"] for a in content["annotations"]] == [0, 0, 1]
    # Label 1: six pixels of the upper left and four below; it spans columns 0-3 and rows 0-3.
    assert content["annotations"][0]["area"] == 10
    assert content["annotations"][0]["bbox"] == [0, 0, 4, 4]
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO()
        ground_truth.dataset = content
        ground_truth.createIndex()
    assert np.array_equal(ground_truth.annToMask(content["annotations"][2]), LABELS == 3)


@pytest.mark.parametrize("form", ["polygon", "plain counts"])
def test_polygons_and_plain_counts_become_run_lengths(form: str, instances: HandMade) -> None:
    # Label 3 covers rows 2-3 of columns 0-1: column by column 2 zeros, 2 ones, 2 zeros, 2 ones.
    shapes = {
        "polygon": [[0, 2, 2, 2, 2, 4, 0, 4]],
        "plain counts": {"size": [4, 6], "counts": [2, 2, 2, 2, 16]},
    }
    instances.content["annotations"][2]["segmentation"] = shapes[form]
    assert np.array_equal(decoded(load_entities(instances.write(), "val")[0])[2], LABELS == 3)


def test_picture_without_entities(instances: HandMade) -> None:
    instances.add_image(id="text id")
    image = load_entities(instances.write(), "val")[1]
    assert image.image_id == "text id"
    assert image.masks == ()


def test_picture_without_panoptic_annotation(panoptic: HandMade) -> None:
    panoptic.add_image(id=8, height=10**9, width=10**9)
    assert load_entities(panoptic.write(), "val")[1].masks == ()


def test_annotation_id_zero_is_logged_and_not_used(
    instances: HandMade, caplog: pytest.LogCaptureFixture
) -> None:
    instances.content["annotations"][0]["id"] = 0
    with caplog.at_level(logging.WARNING):
        data = load_entities(instances.write(), "val")
    assert "id is 0" in caplog.text
    assert [a["id"] for a in data.to_coco()["annotations"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("entity_01/x.jpg", "entity_01/x.jpg"),
        ("x.jpg", "entity_01/x.jpg"),
        ("entity_01/images_merge/x.jpg", "entity_01/x.jpg"),
        ("entity_01/images_merge/x.jpg", "x.jpg"),
    ],
)
def test_pictures_are_found_as_archives_unpack(
    stored: str, named: str, instances: HandMade
) -> None:
    target = instances.root / "images" / stored
    target.parent.mkdir(exist_ok=True, parents=True)
    (instances.root / "images/a.png").rename(target)
    instances.content["images"][0]["file_name"] = named
    assert load_entities(instances.write(), "val")[0].file == target


def test_prefix_decides_among_equal_names(instances: HandMade) -> None:
    images = instances.root / "images"
    for folder in ("entity_01/inner", "entity_02/inner"):
        (images / folder).mkdir(parents=True)
        (images / folder / "x.jpg").write_bytes(b"")
    instances.content["images"][0]["file_name"] = "entity_02/x.jpg"
    found = load_entities(instances.write(), "val")[0].file
    assert found == images / "entity_02/inner/x.jpg"
    instances.content["images"][0]["file_name"] = "x.jpg"
    with pytest.raises(BadInput, match="fits 2 files"):
        load_entities(instances.write(), "val")[0]
    (images / "entity_03").mkdir()
    instances.content["images"][0]["file_name"] = "entity_03/x.jpg"
    with pytest.raises(MissingInput):
        load_entities(instances.write(), "val")[0]


def test_nothing_is_decoded_on_opening(panoptic: HandMade) -> None:
    (panoptic.root / "masks/a.png").write_bytes(b"not a picture")
    data = load_entities(panoptic.write(), "val")
    with pytest.raises(BadInput, match="picture"):
        data[0]


def test_masks_of_an_instance_file_stay_on_disk(
    instances: HandMade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening 100 annotations of 60 kB each takes less than a fifth of its size."""
    monkeypatch.setattr(json_stream, "CHUNK", 1 << 16)
    first = instances.content["annotations"][0]
    # 10,000 plain runs of no pixel, then the mask itself.
    mask = {"size": [4, 6], "counts": [0, 0] * 10_000 + [24]}
    records = [{**first, "id": k, "segmentation": mask} for k in range(1, 101)]
    instances.content["annotations"] = records
    manifest = instances.write()
    size = (instances.root / "a.json").stat().st_size
    tracemalloc.start()
    assert len(load_entities(manifest, "val")) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 5_000_000
    assert peak < size / 5


class TestRealSamples:
    def load(self, root: Path, out: Path, form: str, splits: dict[str, Any]) -> Path:
        write_json(out / f"{form}.json", build_manifest(root, form, splits))
        return out / f"{form}.json"

    def test_camvid(self, shared_data: Path, tmp_path: Path) -> None:
        root = shared_data / "camvid-coco"
        counts = {"train": (90, 1773), "val": (30, 535)}
        entity = {
            s: {"annotations": f"annotations/entity_{s}.json", "images": s, "num_images": n}
            for s, (n, _) in counts.items()
        }
        panoptic = {
            s: {
                "annotations": f"annotations/panoptic_{s}.json",
                "images": s,
                "masks": f"annotations/panoptic_{s}",
            }
            for s in counts
        }
        first = self.load(root, tmp_path, "coco_instances", entity)
        second = self.load(root, tmp_path, "coco_panoptic", panoptic)
        for split, (num_images, num_entities) in counts.items():
            one, other = load_entities(first, split), load_entities(second, split)
            assert len(one) == len(other) == num_images
            assert sum(len(image.masks) for image in one) == num_entities
            for a, b in zip(one, other, strict=True):
                assert a.file == b.file
                assert [m["counts"] for m in a.masks] == [m["counts"] for m in b.masks]

    def test_coco(self, shared_data: Path, tmp_path: Path) -> None:
        root = shared_data / "coco-panoptic-sample"
        splits = {"val": {"annotations": "panoptic.json", "images": ".", "masks": "panoptic"}}
        data = load_entities(self.load(root, tmp_path, "coco_panoptic", splits), "val")
        assert [image.image_id for image in data] == [142238, 439180]
        assert len(data.categories) == 133
        first = data[0]
        assert (first.height, first.width, first.segment_ids[0]) == (427, 640, 3937500)
        assert int(coco_mask.area(first.masks[0])) == 3528
        assert coco_mask.toBbox(first.masks[0]).tolist() == [282, 207, 48, 149]
