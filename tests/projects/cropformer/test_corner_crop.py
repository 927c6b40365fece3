"""The crop dataloader: where crops lie, and that pixels and masks stay together."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from projects.cropformer.corner_crop import (
    CornerCropViews,
    PackViews,
    corner_boxes,
    resize_masks,
    resized_shape,
)
from projects.cropformer.view_preprocessor import ViewPreprocessor


def test_corner_boxes() -> None:
    boxes = corner_boxes((100, 201), 0.7)
    assert boxes.tolist() == [
        [0, 0, 140, 70],
        [61, 0, 201, 70],
        [0, 30, 140, 100],
        [61, 30, 201, 100],
    ]


@pytest.mark.parametrize(
    "shape, scale, expected",
    [
        ((301, 403), (160, 266), (160, 214)),  # 160 / 301 * 403 = 214.2
        ((210, 282), (160, 266), (160, 215)),  # its crop: 160 / 210 * 282 = 214.9
        ((201, 500), (200, 333), (134, 333)),  # 497.5 is over 333: 200 * 333 / 497.5 = 133.9
        ((480, 640), (800, 1333), (800, 1067)),  # 1066.7
        ((500, 500), (800, 1333), (800, 800)),
        ((2000, 1000), (1333, 800), (1333, 667)),  # 666.5, rounded up
    ],
)
def test_sizes_of_views(shape, scale, expected) -> None:
    assert resized_shape(shape, scale) == expected


def test_views_are_resized_as_pillow_does_each_alone() -> None:
    image = np.random.default_rng(0).integers(0, 255, (301, 403, 3), dtype=np.uint8)
    results = CornerCropViews(scale=(160, 266))({"img": image})
    assert results["view_shapes"].tolist() == [[160, 214]] + [[160, 215]] * 4
    assert results["img_shape"] == (160, 214) and results["views"].shape == (5, 160, 215, 3)
    for view, box, (height, width) in zip(
        results["views"], results["view_boxes"], results["view_shapes"], strict=True
    ):
        alone = Image.fromarray(image).crop(tuple(int(edge) for edge in box))
        expected = alone.resize((int(width), int(height)), Image.Resampling.BILINEAR)
        assert np.array_equal(view[:height, :width], expected)
        assert not view[:, width:].any()


@pytest.mark.parametrize("target", [(7, 5), (31, 64), (96, 200), (40, 53)])
def test_masks_are_resized_to_the_pixels_that_pillow_takes(target) -> None:
    masks = np.random.default_rng(1).integers(0, 2, (3, 53, 71)).astype(bool)
    found = resize_masks(masks, target)
    for mask, resized in zip(masks, found, strict=True):
        picture = Image.fromarray(mask.astype(np.uint8))
        expected = picture.resize(target[::-1], Image.Resampling.NEAREST)
        assert np.array_equal(resized, np.asarray(expected, bool))


def test_padding_is_zero_after_normalising() -> None:
    image = np.full((301, 403, 3), (10, 20, 30), np.uint8)
    packed = PackViews()(CornerCropViews(scale=(160, 266))({"img": image}))
    data = {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}
    inputs = ViewPreprocessor(mean=(30, 0, 0), std=(1, 2, 5))(data)["inputs"][0]
    assert inputs.shape == (5, 3, 160, 224)
    for view, width in zip(inputs, (214, 215, 215, 215, 215), strict=True):
        # BGR becomes RGB: red 30 - 30, green 20 / 2, blue 10 / 5.
        for channel, value in zip(view, (0, 10, 2), strict=True):
            assert (channel[:, :width] == value).all()
        assert not view[:, :, width:].any()


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
