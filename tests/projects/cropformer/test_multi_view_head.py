"""The decoder over views: parity with MMDetection on one view, shapes, gradients, invariances."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample

SIZES = [(64, 96), (96, 64)]


@pytest.fixture
def pair(build):
    from mmengine.config import Config

    from tests.projects.conftest import MODELS_DIR, NUM_QUERIES

    model = build("mask2former")
    config = Config.fromfile(str(MODELS_DIR / "mask2former_mini.py")).model.head
    config.update(type="Mask2FormerHead", num_queries=NUM_QUERIES)
    config.train_cfg.num_points = 64
    stock = MODELS.build(config)
    stock.load_state_dict(model.head.state_dict())
    return model, stock


@pytest.mark.parametrize("size", SIZES)
def test_one_view_equals_mask2former(pair, batch, losses, size) -> None:
    model, stock = pair
    data = batch([3, 5], num_views=1, size=size)
    ours = losses(model, copy.deepcopy(data))
    prepared = model.data_preprocessor(data, True)
    features = model.extract_feat(prepared["inputs"])
    instances = copy.deepcopy([sample.gt_instances for sample in prepared["data_samples"]])
    for item in instances:
        item.masks = item.masks[:, 0].long()
    torch.manual_seed(3)
    outputs = stock(features, [DetDataSample()] * 2)
    theirs = stock.loss_by_feat(*outputs, instances, [{}, {}])
    assert ours.keys() == theirs.keys()
    for name, loss in ours.items():
        torch.testing.assert_close(loss, theirs[name].view_as(loss), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_views", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_shapes(build, batch, size, num_views, batch_size) -> None:
    model = build("mask2former").eval()
    data = model.data_preprocessor(batch([2] * batch_size, num_views, size), False)
    classes, masks = model.head.predict(model.extract_feat(data["inputs"]), num_views)
    assert classes.shape == (batch_size, 9, 2)
    assert masks.shape == (batch_size, 9, num_views, size[0] // 4, size[1] // 4)


@pytest.mark.parametrize("name, views", [("mask2former", 1), ("mask2former", 2), ("cropformer", 2)])
def test_every_parameter_gets_a_gradient(build, batch, without_gradient, name, views) -> None:
    assert without_gradient(build(name), batch([3, 4], views)) == []


@pytest.mark.parametrize("name, views", [("mask2former", 2), ("cropformer", 2)])
def test_order_of_entities_does_not_matter(build, batch, losses, name, views) -> None:
    model = build(name)
    data = batch([4], views)
    permuted = copy.deepcopy(data)
    entities = permuted["data_samples"][0].gt_instances
    entities.masks = entities.masks[torch.tensor([2, 0, 3, 1])]
    first, second = losses(model, data), losses(model, permuted)
    for key, loss in first.items():
        torch.testing.assert_close(loss, second[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name, views", [("mask2former", 1), ("cropformer", 2)])
def test_images_without_entities(build, batch, losses, name, views) -> None:
    model = build(name)
    found = losses(model, batch([0, 3], views))
    assert all(torch.isfinite(loss).all() for loss in found.values())
    empty = losses(model, batch([0, 0], views))
    sum(empty.values()).sum().backward()
    masks = [loss for key, loss in empty.items() if "mask" in key or "dice" in key]
    assert all(loss == 0 for loss in masks)
    assert all(loss > 0 for key, loss in empty.items() if "cls" in key)


def test_more_entities_than_queries(build, batch, losses) -> None:
    found = losses(build("cropformer"), batch([12], 2))
    assert all(torch.isfinite(loss).all() for loss in found.values())


def test_batch_level_cost_is_taken_over_all_views(build) -> None:
    """A query that is right in one view loses to one that is right in both."""
    head = build("mask2former", num_queries=2).head
    from tests.projects.conftest import draw_entities

    entities = draw_entities(2, 2, (16, 16))[:1]
    truth = entities.masks[0].float() * 20 - 10
    half = truth.clone()
    half[1] = -half[1]
    masks = torch.stack((half, truth))
    targets = head._get_targets_single(torch.zeros(2, 2), masks, entities, {})
    assert targets[4].tolist() == [1]


def test_unknown_argument_is_refused(build) -> None:
    with pytest.raises(TypeError, match="num_query"):
        build("mask2former", num_query=3)
