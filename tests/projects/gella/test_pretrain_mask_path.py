"""The mask path learns to segment by the colormap and to describe by the image, apart."""

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config

from projects.gella.gella import start_from
from projects.gella.pretrain import MaskPathPretraining
from projects.gella.pretrain.mask_path import contents

from .conftest import ROOT, SIZE


@pytest.fixture
def config(gella, model_config, world, pretrained, tmp_path, monkeypatch) -> Config:
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(str(ROOT / "configs/_base_/pretrain/mask_path_mini.py"))
    config.model.mask_decoder = model_config.mask_decoder
    config.model.image_channels = gella.image_encoder.channels
    config.train_dataloader.dataset.update(manifest=str(world), colormap_size=SIZE)
    config.train_dataloader.dataset.image_encoder.pretrained = pretrained["clip"]
    return config


@pytest.fixture
def path(config) -> MaskPathPretraining:
    torch.manual_seed(1)
    return MODELS.build(config.model)


@pytest.fixture
def batch(config):
    dataset = DATASETS.build(config.train_dataloader.dataset)
    draws = [dataset.load(index) for index in range(2)]
    return {key: [draw[key] for draw in draws] for key in draws[0]}


def test_gella_starts_as_the_pretrained_mask_path(gella, path, batch, tmp_path):
    path.export(tmp_path)
    content = [name for name in path.state_dict() if name.startswith("content")]
    assert start_from(gella, tmp_path) == len(path.state_dict()) - len(content)
    rebuilt = []
    for model in (gella.eval(), path.eval()):
        pyramid = model.colormap_encoder(torch.stack(batch["colormaps"]).float() / 127.5 - 1)
        blended = model.resoblend(torch.stack(batch["images"]), list(pyramid))
        rebuilt.append(model.mask_decoder.reconstruct(blended).mask_logits[-1])
    assert torch.equal(*rebuilt)


def test_losses_reach_every_parameter(path, batch):
    losses = path(**batch, mode="loss")
    assert {"loss_cls", "loss_mask", "loss_dice", "loss_content"} <= set(losses)
    sum(losses.values()).backward()
    assert [name for name, p in path.named_parameters() if p.grad is None] == []


def test_contents_are_the_mean_tokens_under_each_mask():
    """Left half of the picture 1, right half 3."""
    image = torch.ones(5, 2, 4)
    image[..., 2:] = 3
    masks = torch.zeros(3, 8, 16, dtype=torch.bool)
    masks[0, :, :8], masks[1, :, 4:12] = True, True
    assert contents(image, masks)[:, 0].tolist() == [1, 2, 0]  # the third mask is empty


def test_tokens_are_never_of_the_picture_itself(config):
    dataset = DATASETS.build(config.train_dataloader.dataset)
    own = torch.from_numpy(dataset.arrays["features"][0].astype("float32"))
    others = [dataset.load(0)["images"] for _ in range(20)]
    assert not any(torch.equal(own, tokens) for tokens in others)
    assert len({tokens.sum().item() for tokens in others}) > 1
