"""The crop dataloader: where crops lie, and that pixels and masks stay together."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks

from projects.cropformer.corner_crop import CornerCropViews, PackViews, corner_boxes
from projects.cropformer.view_preprocessor import ViewPreprocessor


def test_corner_boxes() -> None:
    boxes = corner_boxes((100, 201), 0.7)
    assert boxes.tolist() == [
        [0, 0, 140, 70],
        [61, 0, 201, 70],
        [0, 30, 140, 100],
        [61, 30, 201, 100],
    ]


def scene(height: int, width: int) -> dict:
    """A bright disk on black, as image and as mask."""
    rows, columns = np.mgrid[:height, :width]
    disk = (rows - height * 0.3) ** 2 + (columns - width * 0.4) ** 2 < (min(height, width) / 4) ** 2
    image = np.repeat(disk[..., None] * 255, 3, axis=2).astype(np.uint8)
    masks = BitmapMasks(np.stack((disk, ~disk)).astype(np.uint8), height, width)
    return {"img": image, "gt_masks": masks, "ori_shape": (height, width), "img_id": 7}


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (41, 57)])
@pytest.mark.parametrize("crops, num_views", [("none", 1), ("random", 2), ("all", 5)])
def test_views_are_alike_and_masks_follow_pixels(size, crops, num_views) -> None:
    results = CornerCropViews(scale=(96, 128), crops=crops)(scene(*size))
    shapes = {view.shape for view in results["views"]}
    assert len(shapes) == 1 and results["img_shape"] == results["views"][0].shape[:2]
    assert results["view_masks"].shape == (2, num_views, *results["img_shape"])
    for index, view in enumerate(results["views"]):
        agreement = (view[..., 0] > 127) == results["view_masks"][0, index]
        assert agreement.mean() > 0.97
    assert (results["view_masks"].sum(0) == 1).mean() > 0.99


def test_random_crop_takes_every_corner() -> None:
    np.random.seed(0)
    transform = CornerCropViews(scale=(64, 64), crops="random")
    corners = {tuple(transform.view_boxes((100, 100))[1]) for _ in range(60)}
    assert corners == {tuple(box) for box in corner_boxes((100, 100), 0.7)}


def test_multi_scale_training_chooses_a_scale() -> None:
    np.random.seed(0)
    transform = CornerCropViews(scale=[(64, 999), (96, 999)], crops="none")
    heights = {transform(scene(200, 200))["img_shape"][0] for _ in range(20)}
    assert heights == {64, 96}


def test_packing_drops_crowds_and_vanished_entities() -> None:
    results = CornerCropViews(scale=(64, 64), crops="random")(scene(100, 100))
    empty = np.zeros_like(results["view_masks"][:1])
    results["view_masks"] = np.concatenate((results["view_masks"], empty))
    results["gt_ignore_flags"] = np.array([True, False, False])
    packed = PackViews()(results)
    assert packed["inputs"].shape == (2, 3, 64, 64) and packed["inputs"].dtype == torch.uint8
    assert packed["data_samples"].gt_instances.masks.shape == (1, 2, 64, 64)
    assert packed["data_samples"].img_id == 7


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="some"):
        CornerCropViews(scale=(64, 64), crops="some")
    with pytest.raises(ValueError, match="1.5"):
        CornerCropViews(scale=(64, 64), ratio=1.5)


def test_preprocessor_pads_views_and_masks_alike() -> None:
    small = PackViews()(CornerCropViews(scale=(50, 60), crops="random")(scene(100, 120)))
    large = PackViews()(CornerCropViews(scale=(64, 90), crops="random")(scene(100, 120)))
    data = {
        "inputs": [small["inputs"], large["inputs"]],
        "data_samples": [small["data_samples"], large["data_samples"]],
    }
    out = ViewPreprocessor(mean=(0, 0, 0), std=(255, 255, 255))(data, training=True)
    assert out["inputs"].shape == (2, 2, 3, 64, 96)
    assert out["inputs"].max() <= 1 and not out["inputs"][0, ..., 50:, :].any()
    for sample in out["data_samples"]:
        assert sample.gt_instances.masks.shape[-2:] == (64, 96)
        assert sample.batch_input_shape == (64, 96)
