"""Mask R-CNN and PanopticFPN on this project's views."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

import projects.mask2former  # noqa: F401
from projects.mask2former.box_segmentors import class_map, sized, with_boxes
from tests.projects.conftest import MODELS_DIR

SIZES = {"batch_input_shape": (4, 8), "img_shape": (3, 6), "ori_shape": (6, 18)}


@pytest.fixture
def detector():
    def build(name: str):
        torch.manual_seed(0)
        return MODELS.build(Config.fromfile(str(MODELS_DIR / f"{name}_mini.py")).model)

    return build


def stuffed(data, things: int = 32):
    """Let each image's last entity be of stuff, and the others of different things."""
    for sample in data["data_samples"]:
        labels = torch.arange(len(sample.gt_instances.labels))
        if len(labels):
            labels[-1] = things + 1
        sample.gt_instances.labels = labels
    return data


def test_entities_get_boxes_at_the_padded_size() -> None:
    masks = torch.zeros(2, 1, 4, 8, dtype=torch.bool)
    masks[0, 0, 1:3, 2:5] = masks[1, 0, :, 0] = True
    entities = InstanceData(masks=masks, labels=torch.tensor([3, 1]))
    boxed = with_boxes(DetDataSample(metainfo=SIZES), entities)
    assert boxed.gt_instances.bboxes.tolist() == [[2, 1, 5, 3], [0, 0, 1, 4]]
    assert boxed.gt_instances.labels.tolist() == [3, 1]
    assert boxed.gt_instances.masks.masks.sum((1, 2)).tolist() == [6, 4]
    none = with_boxes(DetDataSample(metainfo=SIZES), entities[:0]).gt_instances
    assert none.bboxes.shape == (0, 4) and none.masks.masks.shape == (0, 4, 8)


def test_heads_are_told_width_before_height() -> None:
    told = sized(DetDataSample(metainfo=SIZES))
    assert told.scale_factor == pytest.approx((6 / 18, 3 / 6))
    assert told.pad_shape == (4, 8)


def test_a_pixel_without_an_entity_is_void() -> None:
    masks = torch.tensor([[[1, 0, 0]], [[0, 1, 0]]], dtype=torch.bool)
    assert class_map(masks, torch.tensor([5, 0]), 9).tolist() == [[5, 0, 9]]


def test_losses_of_mask_rcnn_reach_every_part(detector, batch, losses) -> None:
    model = detector("mask_rcnn")
    found = losses(model, batch([3, 4], 1))
    total = sum(sum(loss) if isinstance(loss, list) else loss for loss in found.values()
                if isinstance(loss, list) or loss.requires_grad)  # fmt: skip
    total.sum().backward()
    missed = [n for n, p in model.named_parameters() if p.grad is None]
    assert missed == []


@pytest.mark.parametrize("name", ["mask_rcnn", "panoptic_fpn"])
def test_pictures_without_entities_have_finite_losses(detector, batch, losses, name) -> None:
    found = losses(detector(name), batch([0, 0], 1))
    values = [v for loss in found.values() for v in (loss if isinstance(loss, list) else [loss])]
    assert all(torch.isfinite(value).all() for value in values)


def test_several_views_are_refused(detector, batch, losses) -> None:
    with pytest.raises(ValueError, match="2 views"):
        losses(detector("mask_rcnn"), batch([3], 2))


def test_instances_have_the_size_of_the_photograph(detector, batch) -> None:
    model = detector("mask_rcnn").eval()
    model.test_cfg.rcnn.score_thr = 0.0
    model.roi_head.test_cfg.score_thr = 0.0
    data = batch([2, 2], 1)
    for sample in data["data_samples"]:
        sample.set_metainfo({"ori_shape": (50, 30)})
    found = model.instances(**model.data_preprocessor(data, False))
    assert [tuple(each.masks.shape[1:]) for each in found] == [(50, 30)] * 2
    assert all(len(each.labels) == len(each.scores) == len(each.masks) for each in found)


class Answer:
    """Stands for the parents' prediction: two masks, the second without a pixel."""

    def __init__(self) -> None:
        masks = torch.zeros(2, 2, 3, dtype=torch.bool)
        masks[0, 0, :2] = True
        self.pred_instances = InstanceData(
            masks=masks, scores=torch.tensor([0.9, 0.8]), labels=torch.tensor([0, 0])
        )


def test_entities_are_instances_that_have_pixels(detector, monkeypatch) -> None:
    model = detector("mask_rcnn")
    monkeypatch.setattr(model, "instances", lambda *_: [Answer().pred_instances])
    (sample,) = model.predict(torch.zeros(1, 1, 3, 32, 32), [DetDataSample(metainfo=SIZES)])
    (mask,) = sample.pred_entities.masks
    assert mask["size"] == [2, 3] and sample.pred_entities.scores.tolist() == [pytest.approx(0.9)]


def test_panoptic_fpn_learns_stuff_and_things(detector, batch, losses) -> None:
    model = detector("panoptic_fpn")
    found = losses(model, stuffed(batch([3, 4], 1)))
    assert {"loss_seg", "loss_cls", "loss_mask"} <= set(found)
    sample = stuffed(batch([3], 1))["data_samples"][0]
    sample.set_metainfo({"batch_input_shape": (64, 96)})
    boxed = model._with_stuff(sample)
    assert boxed.gt_instances.labels.tolist() == [0, 1]  # without the stuff
    assert boxed.gt_sem_seg.sem_seg.unique().tolist() == [0, 1, 33]


def test_panoptic_maps_have_the_size_of_the_photograph(detector, batch) -> None:
    model = detector("panoptic_fpn").eval()
    data = batch([2], 1)
    data["data_samples"][0].set_metainfo({"ori_shape": (50, 30)})
    ((labels, classes),) = model.panoptic_maps(**model.data_preprocessor(data, False))
    assert labels.shape == (50, 30)
    assert labels.max() == len(classes) and all(0 <= one < 46 for one in classes)


def test_a_class_is_not_ignored(detector) -> None:
    config = Config.fromfile(str(MODELS_DIR / "panoptic_fpn_mini.py")).model
    config.semantic_head.loss_seg.ignore_index = 45
    with pytest.raises(ValueError, match="ignore_index 45 is one of 46 classes"):
        MODELS.build(config)
