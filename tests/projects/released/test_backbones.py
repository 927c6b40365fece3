"""ImageNet's weights of a backbone start a training: every value is where the release has it."""

import pickle
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

from tests.projects.released import released_names as names
from workbench.cli.main import main
from workbench.engine.checkpoint import guard_mmengine_loading, load_weights

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def convert(kind: str, source: Path, target: Path) -> dict[str, torch.Tensor]:
    assert main(["convert", kind, str(source), str(target)]) == 0
    return load_weights(target)


def imagenet_swin() -> dict[str, torch.Tensor]:
    """Microsoft's file: no norm on the stages' outputs, one at the end, masks, a classifier."""
    shapes = {
        name: shape
        for name, shape in names.swin(16, [2, 2, 2, 2], [2, 2, 4, 4], 5).items()
        if not name.startswith("norm")
    }
    shapes |= names.linear("head", 128, 10) | names.norm("norm", 128)
    shapes["layers.0.blocks.1.attn_mask"] = (4, 25, 25)
    return names.drawn(shapes)


def test_swin_starts_a_backbone(tmp_path: Path, capsys) -> None:
    released = imagenet_swin()
    torch.save({"model": released}, tmp_path / "swin.pth")
    ours = convert("swin", tmp_path / "swin.pth", tmp_path / "ours.pth")
    said = capsys.readouterr().out
    for name in ("head.weight", "norm.bias", "attn_mask"):
        assert name in said.splitlines()[1]
    assert "norm3.weight" in said.splitlines()[2]

    config = ConfigDict(
        type="SwinTransformer",
        embed_dims=16,
        depths=[2, 2, 2, 2],
        num_heads=[2, 2, 4, 4],
        window_size=5,
        convert_weights=False,
        init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "ours.pth")},
    )
    guard_mmengine_loading()
    backbone = MODELS.build(config)
    backbone.init_weights()
    started = backbone.state_dict()
    for name, value in ours.items():
        assert torch.equal(started[name.removeprefix("backbone.")], value), name
    # MMDetection's own conversion of the same file agrees.
    config.update(convert_weights=True)
    config.init_cfg.checkpoint = str(tmp_path / "swin.pth")
    theirs = MODELS.build(config)
    theirs.init_weights()
    for name, value in theirs.state_dict().items():
        assert torch.equal(started[name], value), name


def test_r50_of_torchvision_and_of_detectron2(tmp_path: Path) -> None:
    detectron = names.drawn(names.resnet50())
    torchvision = {}
    for name, value in detectron.items():
        parts = name.removeprefix("stem.").split(".")
        if parts[0].startswith("res"):
            parts[0] = f"layer{int(parts[0][3:]) - 1}"
        if "norm" in parts:
            place = parts.index("norm")
            conv = parts[place - 1]
            norm = ["downsample", "1"] if conv == "shortcut" else [conv.replace("conv", "bn")]
            parts[place - 1 : place + 1] = norm
        elif "shortcut" in parts:
            place = parts.index("shortcut")
            parts[place : place + 1] = ["downsample", "0"]
        torchvision[".".join(parts)] = value
    classifier = {"fc.weight": torch.ones(5, 2048), "fc.bias": torch.ones(5)}
    torch.save({**torchvision, **classifier}, tmp_path / "resnet50.pth")
    arrays = {name: value.numpy() for name, value in detectron.items()}
    content = {"model": arrays, "__author__": "torchvision", "matching_heuristics": True}
    (tmp_path / "R-50.pkl").write_bytes(pickle.dumps(content))
    first = convert("r50", tmp_path / "resnet50.pth", tmp_path / "first.pth")
    second = convert("r50", tmp_path / "R-50.pkl", tmp_path / "second.pth")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["backbone.layer4.0.downsample.1.running_var"],
                       detectron["res5.0.shortcut.norm.running_var"])  # fmt: skip
