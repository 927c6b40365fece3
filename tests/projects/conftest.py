"""A model of the mini configs, narrowed until it runs in milliseconds, and drawn entities."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

import projects.baselines
import projects.cropformer  # noqa: F401

MODELS_DIR = Path(__file__).parents[2] / "configs" / "_base_" / "models"
NUM_QUERIES = 9


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.fixture
def build():
    """Build ``configs/_base_/models/<name>_mini.py`` with few queries and points."""

    def build_model(name: str, **head):
        config = Config.fromfile(str(MODELS_DIR / f"{name}_mini.py"))
        config.merge_from_dict(
            {
                "model.head.num_queries": NUM_QUERIES,
                "model.head.train_cfg.num_points": 64,
                "model.backbone.norm_eval": True,
                **{f"model.head.{key}": value for key, value in head.items()},
            }
        )
        torch.manual_seed(0)
        return MODELS.build(config.model)

    return build_model


def draw_entities(num_entities: int, num_views: int, size: tuple[int, int]) -> InstanceData:
    """Vertical stripes, one an entity, shifted by a pixel from view to view."""
    height, width = size
    columns = torch.arange(width)
    masks = torch.zeros(num_entities, num_views, height, width, dtype=torch.bool)
    for entity in range(num_entities):
        for view in range(num_views):
            stripe = (columns + view) * num_entities // (width + num_views) == entity
            masks[entity, view] = stripe
    return InstanceData(labels=torch.zeros(num_entities, dtype=torch.long), masks=masks)


def draw_sample(entities: InstanceData, size: tuple[int, int]) -> DetDataSample:
    num_views = entities.masks.shape[1]
    height, width = size
    boxes = [(0, 0, width, height)] * num_views
    sample = DetDataSample(
        metainfo={
            "img_shape": size,
            "ori_shape": size,
            "view_boxes": boxes,
            "img_id": 1,
            "view_shapes": [size] * num_views,
        }
    )
    sample.gt_instances = entities
    return sample


@pytest.fixture
def batch():
    """Make ``{"inputs", "data_samples"}`` of B images with the given numbers of entities."""

    def make(counts: list[int], num_views: int, size: tuple[int, int] = (64, 96)):
        generator = torch.Generator().manual_seed(1)
        inputs = [
            torch.randint(0, 255, (num_views, 3, *size), dtype=torch.uint8, generator=generator)
            for _ in counts
        ]
        samples = [draw_sample(draw_entities(n, num_views, size), size) for n in counts]
        return {"inputs": inputs, "data_samples": samples}

    return make


@pytest.fixture
def losses():
    """Return the losses of a model on a batch, random points seeded."""

    def run(model, data, seed: int = 3) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        return model(**model.data_preprocessor(data, True), mode="loss")

    return run


@pytest.fixture
def without_gradient(losses):
    """Return the names of the parameters that a batch's losses do not reach.

    Deformable attention starts with zero weights, through which nothing flows back: they are
    moved away from zero first.
    """

    def run(model, data) -> list[str]:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.01)
        sum(losses(model, data).values()).sum().backward()
        return [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]

    return run
