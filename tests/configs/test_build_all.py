"""Every experiment builds at its scale; paper-scale models on the meta device."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import projects.baselines
import projects.cropformer  # noqa: F401
from workbench.engine.meta import build_on_meta

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted(
    path
    for path in ROOT.glob("configs/*/*/*.py")
    if "_base_" not in path.parts and "gella" not in path.parts  # they build on trained parts
)


def label(path: Path) -> str:
    return path.relative_to(ROOT / "configs").with_suffix("").as_posix()


def load(path: Path) -> Config:
    return Config.fromfile(str(path), import_custom_modules=False)


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.mark.parametrize("path", EXPERIMENTS, ids=label)
def test_model_builds(path: Path) -> None:
    model = build_on_meta(load(path).model)
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("name", ["cropformer/mask2former_800", "cropformer/cropformer"])
def test_all_scales_have_the_same_experiments(name: str) -> None:
    assert {path.parts[-3] for path in EXPERIMENTS if label(path).endswith(name)} == {
        "mini",
        "smoke",
        "paper",
    }


def test_released_sizes_at_paper_scale() -> None:
    """Counts of the released Swin-T models: 9 layers, 100 queries, width 256, one class."""
    single = build_on_meta(load(ROOT / "configs/paper/cropformer/mask2former_800.py").model)
    views = build_on_meta(load(ROOT / "configs/paper/cropformer/cropformer.py").model)
    assert single.head.num_queries == 100
    assert len(single.head.transformer_decoder.layers) == 9
    association = 2 * 4 * (256 * 256 + 256) + 256 * 2048 * 2 + 2048 + 256 + 3 * 2 * 256
    assert count(views) - count(single) == association


def test_released_settings_of_the_loss() -> None:
    config = load(ROOT / "configs/paper/cropformer/cropformer.py")
    head = config.model.head
    assert (head.loss_cls.loss_weight, head.loss_mask.loss_weight, head.loss_dice.loss_weight) == (
        2.0,
        5.0,
        5.0,
    )
    assert head.loss_cls.class_weight == [1.0, 0.1]
    assert head.image_loss_weight == 0.5
    assert config.train_pipeline[3].ratio == config.test_pipeline[1].ratio == 0.7


def count(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
