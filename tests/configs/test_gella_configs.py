"""GELLA's configs: every experiment is there at every scale, and the paper's sizes are the paper's."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import projects.gella  # noqa: F401
from projects.gella.pretrain import LanguagePretraining
from workbench.datasets.worlds import load_specs, write_world
from workbench.engine.meta import build_on_meta

ROOT = Path(__file__).parents[2]
CLIP_L_336 = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
LLAMA_7B = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
}


def load(scale: str, name: str) -> Config:
    return Config.fromfile(str(ROOT / f"configs/{scale}/gella/{name}.py"), import_custom_modules=False)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> str:
    """The folder of a small language model: its tokenizer stands in for LLaMA's."""
    folder = tmp_path_factory.mktemp("llm")
    write_world("png", load_specs(ROOT / "configs/smoke/worlds.yaml")["png"], folder / "png")
    texts = {"manifest": str(folder / "png/manifest.json"), "splits": ["train"], "vocab_size": 400}
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    LanguagePretraining({**small, "num_attention_heads": 1}, texts).export(folder / "llm")
    return str(folder / "llm")


def test_model_of_the_paper_builds(tokenizer):
    config = load("paper", "gella_7b").model
    config.image_encoder.update(pretrained=None, config=CLIP_L_336)
    config.language.update(pretrained=tokenizer, config=LLAMA_7B)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = build_on_meta(config)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert model.image_encoder.grid**2 == 576
    assert millions(model.language.model) == pytest.approx(6738.4, rel=1e-3)
    assert millions(model.image_encoder) == pytest.approx(303.5, rel=1e-2)
    assert millions(model.colormap_encoder) == pytest.approx(2.2, rel=2e-2)


def millions(module: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_settings_of_the_paper():
    """Section 5.3: 50 epochs of batch 16 on 8 GPUs, 1e-5, decayed after epochs 46 and 48."""
    config = load("paper", "gella_7b")
    assert config.optim_wrapper.optimizer.lr == 1e-5
    assert config.train_dataloader.batch_size == 16
    epoch = config.max_iters / 50
    assert [m / epoch for m in config.param_scheduler[0].milestones] == [46, 48]
    assert config.train_dataloader.dataset.ratios == {"describe": 0.2, "extract": 0.2, "ground": 0.6}


@pytest.mark.parametrize("scale", ["mini", "smoke", "paper"])
def test_rows_differ_from_the_default_in_what_they_name(scale):
    default = load(scale, "gella_7b")
    shares = {"ratio_00_00_10": (0, 0, 1), "ratio_00_02_08": (0, 0.2, 0.8),
              "ratio_01_01_08": (0.1, 0.1, 0.8)}  # fmt: skip
    for name, expected in shares.items():
        config = load(scale, name)
        ratios = config.train_dataloader.dataset.ratios
        assert (ratios.describe, ratios.extract, ratios.ground) == expected
        config.train_dataloader.dataset.ratios = default.train_dataloader.dataset.ratios
        assert config.to_dict() == default.to_dict()
    for name, part, field, values in (
        ("fc_relu_fc", "association", "structure", ("fc-relu-fc", "fc")),
        ("query_mask", "resoblend", "query", ("mask", "image")),
    ):
        config = load(scale, name)
        assert config.model[part][field] == values[0]
        config.model[part][field] = values[1]
        assert config.to_dict() == default.to_dict()
    assert load(scale, "gella_13b").to_dict() == default.to_dict()


@pytest.mark.parametrize("scale", ["mini", "smoke", "paper"])
def test_short_schedule_differs_in_length_alone(scale):
    """Table XIII: 12 epochs to 50, of mini as of the paper's iterations."""
    short, default = load(scale, "gella_12e").to_dict(), load(scale, "gella_7b").to_dict()
    lengths = [config.pop("max_iters") for config in (short, default)]
    if scale != "smoke":
        assert lengths[0] * 50 == lengths[1] * 12
    for config, length in zip((short, default), lengths, strict=True):
        assert config["train_cfg"].pop("max_iters") == length
        assert config["train_cfg"].pop("val_interval") == length
        last = config.pop("param_scheduler")[-1]
        assert length in (last.get("end"), last.get("total_steps")) or scale == "paper"
        for name in ("warm_up", "epoch"):
            config.pop(name, None)
    assert short == default


def test_rate_of_the_paper_falls_at_the_same_shares_of_12_epochs():
    config = load("paper", "gella_12e")
    assert config.max_iters == 12 * 676
    shares = [m / config.max_iters for m in config.param_scheduler[0].milestones]
    assert shares == pytest.approx([46 / 50, 48 / 50], abs=1e-3)


@pytest.mark.parametrize("part", ["clip", "llm", "masks"])
def test_untrained_parts_keep_their_first_weights(part):
    trained, untrained = load("mini", part), load("mini", f"{part}_untrained")
    assert untrained.model == trained.model
    assert (untrained.optim_wrapper.optimizer.lr, untrained.param_scheduler) == (0.0, [])
