from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from workbench.tracking.pictures import SIDE, draw_entities, draw_predictions, overlay


def square() -> dict[str, object]:
    mask = np.zeros((40, 60), np.uint8, order="F")
    mask[10:20, 10:20] = 1
    return coco_mask.encode(mask)


def test_overlay_colours_confident_masks_only() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    assert overlay(image, [square()], [0.9])[15, 15].sum() > 0
    assert overlay(image, [square()], [0.9])[30, 30].sum() == 0
    assert overlay(image, [square()], [0.05]).sum() == 0


def test_draws_two_rows(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), 200, np.uint8))
    entities = SimpleNamespace(masks=[square()], scores=[0.9])
    good = SimpleNamespace(img_path=tmp_path / "a.png", ori_shape=(40, 60), pred_entities=entities)
    draw_predictions([good, SimpleNamespace(), good], tmp_path / "out.png")
    assert cv2.imread(str(tmp_path / "out.png")).shape == (2 * SIDE, 2 * SIDE, 3)


def test_nothing_to_draw_writes_nothing(tmp_path: Path) -> None:
    draw_predictions([SimpleNamespace()], tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


def test_draws_predictions_of_a_split(tmp_path: Path) -> None:
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 60, 3), 200, np.uint8))
    rle = square()
    mask = {"size": rle["size"], "counts": rle["counts"].decode()}  # type: ignore[attr-defined]
    images = [
        {"id": number, "file_name": f"{name}.png", "height": 40, "width": 60}
        for number, name in ((1, "a"), (2, "b"))
    ]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": mask, "iscrowd": 0,
                  "bbox": [10, 10, 10, 10], "area": 100}  # fmt: skip
    truth = {"images": images, "annotations": [annotation], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "val.json").write_text(json.dumps(truth))
    split = {"annotations": "val.json", "images": ".", "masks": None}
    manifest = {"name": "toy", "format": "coco_instances", "root": ".", "splits": {"val": split}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    entity = {"id": 1, "score": 0.9, "segmentation": mask}
    record = {"image_id": 1, "height": 40, "width": 60, "entities": [entity]}
    (tmp_path / "seed-0.jsonl").write_text(json.dumps(record) + "\n")
    draw_entities(
        tmp_path / "seed-0.jsonl", tmp_path / "manifest.json", "val", tmp_path / "out.png"
    )
    drawn = cv2.imread(str(tmp_path / "out.png"))
    assert drawn.shape == (2 * SIDE, 2 * SIDE, 3)
    inside = slice(SIDE + 70, SIDE + 90), slice(70, 90)
    assert (drawn[inside] != 200).any() and (drawn[SIDE + 200 :, :40] >= 200).all()
