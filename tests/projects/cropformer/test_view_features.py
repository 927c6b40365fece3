"""Views encoded a few at a time: same results, nothing kept; against the straightforward way."""

from __future__ import annotations

import weakref

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

import projects.mask2former  # noqa: F401
from projects.cropformer import view_features
from tests.projects.conftest import MODELS_DIR, NUM_QUERIES
from workbench.overrides import merge_overrides


@pytest.mark.parametrize("name, num_views", [("mask2former", 1), ("cropformer", 5), ("vita", 2)])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_views_one_by_one_equal_all_at_once(
    build, batch, monkeypatch: pytest.MonkeyPatch, name, num_views, batch_size
) -> None:
    model = build(name).eval().double()
    data = model.data_preprocessor(batch([2] * batch_size, num_views), False)
    inputs = data["inputs"].double()
    with torch.no_grad():
        expected = model.head.predict(model.extract_feat(inputs), num_views)
        for at_once in (1, 2 * 64 * 96, 1 << 19):
            monkeypatch.setattr(view_features, "PIXELS_AT_ONCE", at_once)
            torch.testing.assert_close(model.predict_logits(inputs), expected)


def test_maps_of_a_view_are_gone_when_the_next_is_encoded(
    build, batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_features, "PIXELS_AT_ONCE", 1)
    model = build("cropformer").eval()
    inputs = model.data_preprocessor(batch([2], 3), False)["inputs"]
    seen: list[weakref.ref] = []

    def encode(views):
        assert all(reference() is None for reference in seen)
        features = model.head.pixel_features(model.extract_feat(views), 1)
        seen.extend(weakref.ref(one) for one in (features.mask_features, *features.memories))
        return features

    with torch.no_grad():
        view_features.encode_views(encode, inputs)
    assert len(seen) == 3 * 4


def test_entities_are_those_of_the_straightforward_way(batch) -> None:
    from benchmarks.straightforward import straightforward_config

    config = Config.fromfile(str(MODELS_DIR / "cropformer_mini.py")).model
    config.head.num_queries = NUM_QUERIES
    torch.manual_seed(0)
    ours = MODELS.build(config).eval()
    for parameter in ours.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.2)
    slow = MODELS.build(straightforward_config(config)).eval()
    slow.load_state_dict(ours.state_dict())
    data = ours.data_preprocessor(batch([2], 5, (64, 96)), False)
    sample = data["data_samples"][0]
    boxes = [(0, 0, 96, 64), (0, 0, 67, 44), (29, 0, 96, 44), (0, 20, 67, 64), (29, 20, 96, 64)]
    sample.set_metainfo({"view_boxes": boxes})
    logits = []
    with torch.no_grad():
        for model in (ours, slow):
            logits.append(model.double().predict_logits(data["inputs"].double()))
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)
    scores, masks = logits[1][0][0].softmax(-1)[:, 0].float(), logits[1][1][0].float()
    merged, expected = (model.merge(scores, masks, sample) for model in (ours, slow))
    assert len(expected.label_map.unique()) > 2
    assert torch.equal(merged.label_map.long(), expected.label_map)
    torch.testing.assert_close(merged.scores, expected.scores, rtol=0, atol=1e-5)


def test_lower_precision_is_an_option(build, batch) -> None:
    model = build("cropformer").eval()
    inputs = model.data_preprocessor(batch([2], 2), False)["inputs"]
    with torch.no_grad():
        expected = model.predict_logits(inputs)
        model.autocast = torch.bfloat16
        actual = model.predict_logits(inputs)
    for half, full in zip(actual, expected, strict=True):
        assert half.dtype == torch.float32
        assert 0 < (half - full).abs().mean() < 0.1 * full.abs().mean()


@pytest.mark.parametrize("name", ["cropformer", "grey_map", "mask2former_panoptic"])
@pytest.mark.parametrize("autocast, dtype", [(None, None), ("bfloat16", torch.bfloat16)])
def test_precision_is_overridden_alone(name, autocast, dtype) -> None:
    config = Config.fromfile(str(MODELS_DIR / f"{name}_mini.py"))
    merge_overrides(config, {"model": {"test_cfg": {"autocast": autocast}}}, "overrides")
    model = MODELS.build(config.model)
    assert model.autocast == dtype
    assert model.test_cfg == {"views": "all", "score": "double_sigmoid", "max_entities": 100}


def test_unknown_precision_is_refused() -> None:
    config = Config.fromfile(str(MODELS_DIR / "cropformer_mini.py")).model
    config.test_cfg.autocast = "int4"
    with pytest.raises(ValueError, match="int4"):
        MODELS.build(config)
