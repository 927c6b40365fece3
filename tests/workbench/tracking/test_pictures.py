from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from workbench.tracking.pictures import SIDE, draw_predictions, overlay


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
