"""Semantic and instance outputs of Mask2Former's queries, on drawn ones."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config

import projects.mask2former  # noqa: F401
from tests.projects.conftest import MODELS_DIR

SIZE = DetDataSample(
    metainfo={"batch_input_shape": (1, 4), "img_shape": (1, 4), "ori_shape": (1, 4)}
)
MASKS = np.array([[[1, 1, 0, 0]], [[0, 1, 1, 0]], [[0, 0, 1, 1]]])
NUM_CLASSES = 3
PROBABILITIES = torch.tensor(
    [
        [0.60, 0.39, 0.01, 1e-6],
        [0.20, 0.70, 0.10, 1e-6],
        [1e-6, 1e-6, 0.30, 0.70],  # "no object" counts for no pixel's class
    ]
)


def told(inputs):
    """Return class and mask logits of the queries above, whatever the pictures are."""
    logits = torch.where(torch.tensor(MASKS) > 0, 9.0, -9.0)
    return PROBABILITIES.log()[None], logits[None, :, None].expand(1, -1, inputs.shape[1], -1, -1)


@pytest.fixture
def segmentor():
    """Return a small model of a task that is told the queries above."""

    def build(kind: str, **test_cfg):
        config = Config.fromfile(str(MODELS_DIR / "mask2former_panoptic_mini.py")).model
        for part in (config.head, config.fusion):
            part.update(num_things_classes=NUM_CLASSES, num_stuff_classes=0)
        config.head.loss_cls.class_weight = [1.0] * (NUM_CLASSES + 1)
        config.fusion.test_cfg = test_cfg
        config.type = kind
        model = MODELS.build(config)
        object.__setattr__(model, "predict_logits", told)
        return model.eval()

    return build


def test_a_pixels_class_is_that_of_all_its_queries(segmentor) -> None:
    model = segmentor("SemanticSegmentor")
    (classes,) = model.semantic_maps(torch.zeros(1, 1, 3, 32, 32), [SIZE])
    # 0.6 : 0.39; 0.8 : 1.09; 0.2 : 0.7 : 0.4; 0 : 0 : 0.3
    assert classes.tolist() == [[0, 1, 1, 2]]


def test_rows_are_worked_off_in_parts(segmentor, monkeypatch) -> None:
    model = segmentor("SemanticSegmentor")
    sample = SIZE.clone()
    sample.set_metainfo({"ori_shape": (5, 4)})
    whole = model.semantic_maps(torch.zeros(1, 1, 3, 32, 32), [sample])[0]
    monkeypatch.setattr("projects.mask2former.tasks.ROWS_AT_ONCE", 2)
    assert torch.equal(model.semantic_maps(torch.zeros(1, 1, 3, 32, 32), [sample])[0], whole)
    assert whole.shape == (5, 4)


def test_instances_are_the_best_pairs_of_query_and_class(segmentor) -> None:
    model = segmentor("InstanceSegmentor", max_per_image=3)
    (found,) = model.instances(torch.zeros(1, 1, 3, 32, 32), [SIZE])
    pairs = sorted(
        (round(score, 2), label, mask[0])
        for score, label, mask in zip(
            found.scores.tolist(), found.labels.tolist(), found.masks.int().tolist(), strict=True
        )
    )
    assert pairs == [(0.39, 1, [1, 1, 0, 0]), (0.6, 0, [1, 1, 0, 0]), (0.7, 1, [0, 1, 1, 0])]


@pytest.mark.parametrize("kind, method", [
    ("SemanticSegmentor", "semantic_maps"), ("InstanceSegmentor", "instances"),
])  # fmt: skip
def test_several_views_are_refused(segmentor, kind: str, method: str) -> None:
    with pytest.raises(ValueError, match="2 views"):
        getattr(segmentor(kind), method)(torch.zeros(1, 2, 3, 32, 32), [SIZE])
