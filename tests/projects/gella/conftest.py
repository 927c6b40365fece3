"""A tiny GELLA with random weights over the smoke world, in the real folders' formats."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

import projects.gella  # noqa: F401
from projects.gella.pretrain import ClipPretraining, LanguagePretraining
from workbench.datasets.worlds import load_specs, write_world

ROOT = Path(__file__).parents[3]
VOCABULARY = 400
SIZE = 64


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("png")
    spec = load_specs(ROOT / "configs/smoke/worlds.yaml")["png"]
    write_world("png", spec, folder / "png")
    return folder / "png" / "manifest.json"


@pytest.fixture(scope="session")
def pretrained(world, tmp_path_factory) -> dict[str, str]:
    """Random models with a trained tokenizer, as `save_pretrained` folders."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("pretrained")
    tokenizer = {"manifest": str(world), "splits": ["train"], "vocab_size": VOCABULARY}
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    llama = {**sizes, "num_hidden_layers": 2, "tie_word_embeddings": True}
    vision = {**sizes, "num_hidden_layers": 1, "image_size": 32, "patch_size": 8}
    text = {**sizes, "num_hidden_layers": 1}
    LanguagePretraining(llama, tokenizer).export(folder / "llm")
    ClipPretraining(vision, text, 16, tokenizer).export(folder / "clip")
    return {name: str(folder / name) for name in ("llm", "clip")}


@pytest.fixture(scope="session")
def model_config(pretrained) -> ConfigDict:
    config = Config.fromfile(str(ROOT / "configs/_base_/models/gella_mini.py")).model
    config.image_encoder.pretrained = pretrained["clip"]
    config.language.pretrained = pretrained["llm"]
    config.masks_pretrained = None
    config.colormap_size = SIZE
    config.mask_decoder.train_cfg.num_points = 64
    config.language.max_new_tokens = 12
    return config


@pytest.fixture
def gella(model_config):
    torch.manual_seed(0)
    return MODELS.build(model_config)


@pytest.fixture
def dataset(world, pretrained, model_config, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    monkeypatch.chdir(tmp_path)

    def build(**changes):
        encoder = {"type": "ClipImageEncoder", "pretrained": pretrained["clip"]}
        fields = {
            "type": "GroundingDataset",
            "manifest": str(world),
            "split": "train",
            "language": pretrained["llm"],
            "image_encoder": encoder,
            "colormap_size": SIZE,
        }
        return DATASETS.build(ConfigDict(fields | changes))

    return build
