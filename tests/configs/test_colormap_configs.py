"""Table XVI's configs: one encoder each, the rest alike; at paper scale of the published sizes."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import projects.gella.pretrain  # noqa: F401
from workbench.engine.meta import build_on_meta

ROOT = Path(__file__).parents[2]
ENCODERS = ("mobilenetv2", "swin_t", "swin_l", "resnet18")
SCALES = ("mini", "smoke", "paper")


def load(scale: str, name: str) -> Config:
    return Config.fromfile(str(ROOT / f"configs/{scale}/{name}.py"), import_custom_modules=False)


def colormap(scale: str, encoder: str) -> Config:
    return load(scale, f"gella/colormap_{encoder}")


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_model_builds_and_its_levels_are_those_that_the_decoder_takes(scale, encoder):
    config = colormap(scale, encoder)
    model = build_on_meta(config.model)
    assert all(parameter.is_meta for parameter in model.parameters())
    side = 128
    levels = model.eval().colormap_encoder(torch.empty(1, 3, side, side, device="meta"))
    assert [level.shape[1] for level in levels] == config.model.mask_decoder.in_channels
    assert [level.shape[-1] for level in levels] == [side // stride for stride in (4, 8, 16, 32)]


@pytest.mark.parametrize("scale", SCALES)
def test_rows_differ_in_the_encoder_alone(scale):
    default = colormap(scale, ENCODERS[0])
    for encoder in ENCODERS[1:]:
        config = colormap(scale, encoder)
        assert config.model.colormap_encoder != default.model.colormap_encoder
        for name in ("encoder", "levels"):
            config[name] = default[name]
        config.model.colormap_encoder = default.model.colormap_encoder
        config.model.mask_decoder.in_channels = default.model.mask_decoder.in_channels
        assert config.to_dict() == default.to_dict()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_smoke_differs_from_mini_in_its_length(encoder):
    smoke, mini = colormap("smoke", encoder), colormap("mini", encoder)
    assert smoke.model == mini.model
    assert smoke.train_cfg.max_iters == 4
    assert smoke.param_scheduler[-1].total_steps == 4
    assert mini.param_scheduler[-1].total_steps == mini.train_cfg.max_iters


def test_the_start_of_gellas_mask_path_has_the_same_decoder_and_data():
    start, config = load("mini", "gella/masks"), colormap("mini", "resnet18")
    config.model.mask_decoder.in_channels = start.model.mask_decoder.in_channels
    assert config.model.mask_decoder == start.model.mask_decoder
    assert config.train_dataloader == start.train_dataloader
    assert config.optim_wrapper == start.optim_wrapper


def test_sizes_of_the_paper():
    gella = load("paper", "gella/gella_7b").model
    default = colormap("paper", "mobilenetv2")
    assert default.model.mask_decoder.in_channels == gella.resoblend.mask_channels
    assert default.model.colormap_encoder.out_indices == gella.colormap_encoder.out_indices
    for split in (default.train_dataloader, default.val_dataloader):
        assert split.dataset.colormap_size == gella.colormap_size
    for encoder, other in (("swin_t", "cropformer/mask2former_800"), ("swin_l", "mask2former/coco_ent")):
        released = load("paper", other).model
        model = colormap("paper", encoder).model
        assert model.colormap_encoder == released.backbone
        assert model.mask_decoder.in_channels == released.head.in_channels


@pytest.mark.parametrize(
    ("encoder", "millions"),
    # Published, less the classifiers for 1,000 classes.
    [("mobilenetv2", 3.50 - 1.28), ("swin_t", 28.3 - 0.77), ("swin_l", 196.5 - 1.54),
     ("resnet18", 11.69 - 0.51)],
)  # fmt: skip
def test_encoders_have_as_many_parameters_as_published(encoder, millions):
    built = build_on_meta(colormap("paper", encoder).model).colormap_encoder
    count = sum(parameter.numel() for parameter in built.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.01)
