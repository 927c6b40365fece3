"""DeepLabV3: its layers, its loss and its maps."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

import projects.mask2former  # noqa: F401
from tests.projects.conftest import MODELS_DIR


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MODELS.build(Config.fromfile(str(MODELS_DIR / "deeplabv3_mini.py")).model)


def test_layers_are_those_that_torchvision_publishes() -> None:
    """42,004,074 weights for 21 classes, less 2,365,205 of the auxiliary classifier."""
    config = Config.fromfile(str(MODELS_DIR / "deeplabv3_r50.py")).model
    config.head.num_classes = 21
    with torch.device("meta"):
        built = MODELS.build(config)
    assert sum(weight.numel() for weight in built.parameters()) == 42_004_074 - 2_365_205


def test_features_have_an_eighth_of_the_size(model) -> None:
    assert model.extract_feat(torch.zeros(2, 1, 3, 64, 96)).shape == (2, 256, 8, 12)
    assert model._forward(torch.zeros(2, 1, 3, 64, 96)).shape == (2, 40, 8, 12)


def test_losses_reach_every_parameter(model, batch, without_gradient) -> None:
    assert without_gradient(model, batch([3, 4], 1)) == []


def test_pixels_without_a_class_do_not_count(model, batch, losses) -> None:
    model.eval()
    right, other = batch([2, 2], 1), batch([2, 2], 1)
    for sample in other["data_samples"]:
        sample.gt_instances = sample.gt_instances[:1]  # the right halves are of no class now
    logits = model._forward(model.data_preprocessor(right, True)["inputs"])
    assert float(losses(model, right)["loss_seg"]) != float(losses(model, other)["loss_seg"])
    none = batch([0, 0], 1)
    assert float(losses(model, none)["loss_seg"]) == 0 and torch.isfinite(logits).all()


def test_the_loss_is_small_where_the_class_is_right(model, batch, losses, monkeypatch) -> None:
    data = batch([1], 1)
    answer = torch.full((1, 40, 8, 12), -9.0)
    answer[:, 0] = 9.0
    monkeypatch.setattr(model, "_forward", lambda inputs: answer)
    assert float(losses(model, data)["loss_seg"]) < 1e-4


def test_maps_have_the_size_of_the_photograph(model, batch, monkeypatch) -> None:
    data = batch([2], 1)
    data["data_samples"][0].set_metainfo({"ori_shape": (50, 30)})
    (classes,) = model.eval().semantic_maps(**model.data_preprocessor(data, False))
    assert classes.shape == (50, 30) and int(classes.max()) < 40
    with pytest.raises(ValueError, match="2 views"):
        model.semantic_maps(**model.data_preprocessor(batch([2], 2), False))


def test_entities_are_the_regions_of_classes(model, batch, monkeypatch) -> None:
    drawn = torch.tensor([[7, 7, 3]])
    monkeypatch.setattr(model, "semantic_maps", lambda *_: [drawn])
    (sample,) = model.predict(torch.zeros(1, 1, 3, 32, 32), batch([1], 1)["data_samples"])
    assert [mask["size"] for mask in sample.pred_entities.masks] == [[1, 3], [1, 3]]
    assert sample.pred_entities.scores.tolist() == [1, 1]
