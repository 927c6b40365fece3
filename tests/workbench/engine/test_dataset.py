from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.datasets import transforms  # noqa: F401  (registers types)
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

import workbench.datasets
from workbench.engine.draws import Draw
from workbench.engine.registry import EntityAP, EntityImageDataset
from workbench.errors import BadInput


def rle(rows: slice, columns: slice) -> dict[str, object]:
    mask = np.zeros((6, 8), np.uint8, order="F")
    mask[rows, columns] = 1
    value = coco_mask.encode(mask)
    return {"size": value["size"], "counts": value["counts"].decode()}


class FakeEntities(list):
    """Two images: one with an entity and a crowd, one with nothing."""

    def __init__(self, folder: Path) -> None:
        from PIL import Image

        masks = (rle(slice(1, 3), slice(2, 6)), rle(slice(4, 6), slice(0, 8)))
        for name in ("a.png", "b.png"):
            Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(folder / name)
        super().__init__(
            SimpleNamespace(
                image_id=index, file=folder / name, file_name=name, height=6, width=8,
                masks=masks[: 2 * (1 - index)], iscrowd=(False, True)[: 2 * (1 - index)],
            )
            for index, name in enumerate(("a.png", "b.png"))
        )  # fmt: skip

    def to_coco(self) -> dict[str, object]:
        annotation = {"id": 1, "image_id": 0, "category_id": 1, "iscrowd": 0, "area": 8}
        annotation |= {"segmentation": self[0].masks[0], "bbox": [2, 1, 4, 2]}
        images = [{"id": n, "height": 6, "width": 8, "file_name": str(n)} for n in (0, 1, 2)]
        categories = [{"id": 1, "name": "entity"}]
        return {"images": images, "annotations": [annotation], "categories": categories}


@pytest.fixture(autouse=True)
def fake_entities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entities = FakeEntities(tmp_path)
    monkeypatch.setattr(workbench.datasets, "load_entities", lambda manifest, split: entities)


def test_sample_before_the_pipeline(tmp_path: Path) -> None:
    sample = EntityImageDataset("m.json", "train", [])[0]
    assert sample["ori_shape"] == (6, 8) and sample["img_path"] == str(tmp_path / "a.png")
    entity, crowd = sample["instances"]
    assert entity["bbox"] == [2, 1, 6, 3] and entity["bbox_label"] == 0
    assert (entity["ignore_flag"], crowd["ignore_flag"]) == (0, 1)


def test_mmdetection_reads_the_annotations() -> None:
    pipeline = [
        {"type": "mmdet.LoadImageFromFile"},
        {"type": "mmdet.LoadAnnotations", "with_bbox": True, "with_mask": True},
    ]
    data = EntityImageDataset("m.json", "train", pipeline)
    images = {index: data[index] for index in (0, 1)}
    assert images[0]["gt_masks"].masks.sum(axis=(1, 2)).tolist() == [8, 16]
    assert images[0]["gt_ignore_flags"].tolist() == [False, True]
    assert len(images[1]["gt_masks"]) == 0 and images[1]["gt_bboxes"].tensor.shape == (0, 4)
    assert {data[Draw(0, n)]["img_id"] for n in (0, 1)} == {0, 1}


def test_shortened_and_empty() -> None:
    assert len(EntityImageDataset("m.json", "train", [], max_images=1)) == 1
    assert len(EntityImageDataset("m.json", "train", [], max_images=9)) == 2
    with pytest.raises(BadInput, match=r"m.json: splits.train: no images"):
        EntityImageDataset("m.json", "train", [], max_images=0)


@pytest.mark.parametrize("image_id", ["image_id", "img_id"])
def test_entity_ap_scores_the_images_it_saw(image_id: str) -> None:
    metric = EntityAP("m.json", "val")
    found = InstanceData(masks=[rle(slice(1, 3), slice(2, 6))], scores=np.array([0.9]))
    metric.process({}, [{image_id: 0, "pred_entities": found}])
    assert metric.evaluate(size=1)["APe"] == pytest.approx(1.0)
