"""VITA head and multi-scale matching."""

import pytest
import torch

from projects.baselines.scale_matching import match_queries


def test_vita_losses_reach_every_parameter(build, batch, losses, without_gradient) -> None:
    model = build("vita")
    found = losses(model, batch([3, 4], 2))
    assert {name.split(".")[0] for name in found} == {"frame", "clip", "loss_similarity"}
    assert without_gradient(model, batch([3, 4], 2)) == []


@pytest.mark.parametrize("num_views", [2, 5])
def test_vita_predicts_one_query_for_all_views(build, batch, num_views) -> None:
    model = build("vita").eval()
    data = model.data_preprocessor(batch([2], num_views), False)
    classes, masks = model.head.predict(model.extract_feat(data["inputs"]), num_views)
    assert classes.shape == (1, 9, 2) and masks.shape == (1, 9, num_views, 16, 24)


def test_vita_without_entities(build, batch, losses) -> None:
    found = losses(build("vita"), batch([0, 0], 2))
    assert float(found["loss_similarity"]) == 0
    assert all(torch.isfinite(loss).all() for loss in found.values())


def test_matching_recovers_a_permutation() -> None:
    masks = torch.eye(6).view(6, 6, 1).expand(6, 6, 4)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.equal(masks[order][match_queries(masks, masks[order])], masks)


def test_scale_matching_segments(build, batch) -> None:
    from mmdet.registry import MODELS
    from mmengine.config import Config

    from tests.projects.conftest import MODELS_DIR

    config = Config.fromfile(str(MODELS_DIR / "mask2former_mini.py")).model
    config.update(type="ScaleMatchedSegmentor", scales=[0.5, 1.0])
    model = MODELS.build(config).eval()
    with torch.no_grad():
        results = model(**model.data_preprocessor(batch([2, 2], 1), False), mode="predict")
    assert all(mask["size"] == [64, 96] for r in results for mask in r.pred_entities.masks)
    config.scales = [1.0]
    with pytest.raises(ValueError, match="two or more"):
        MODELS.build(config)
