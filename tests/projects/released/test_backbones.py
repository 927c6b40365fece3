"""ImageNet's weights of a backbone start a training: every value is where the release has it."""

import pickle
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

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


def torchvision_names(detectron: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
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
    return torchvision


def test_r50_of_torchvision_and_of_detectron2(tmp_path: Path) -> None:
    detectron = names.drawn(names.resnet50())
    torchvision = torchvision_names(detectron)
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


def test_r50_starts_a_backbone(tmp_path: Path) -> None:
    torchvision = torchvision_names(names.drawn(names.resnet50()))
    torch.save(torchvision, tmp_path / "resnet50.pth")
    convert("r50", tmp_path / "resnet50.pth", tmp_path / "ours.pth")
    config = Config.fromfile("configs/_base_/models/mask2former_r50.py").model.backbone
    checkpoint = str(tmp_path / "ours.pth")
    config.init_cfg = {"type": "Pretrained", "checkpoint": checkpoint, "prefix": "backbone."}
    guard_mmengine_loading()
    backbone = MODELS.build(config)
    backbone.init_weights()
    started = backbone.state_dict()
    counters = {name for name in started if name.endswith("num_batches_tracked")}
    assert started.keys() - counters == torchvision.keys()
    assert all(torch.equal(started[name], value) for name, value in torchvision.items())


def caffe() -> dict[str, torch.Tensor]:
    """Names of detectron2's MSRA weights."""
    names_ = ("conv1_w", "res_conv1_bn_s", "res_conv1_bn_b", "res2_0_branch2a_w")
    return {name: torch.ones(3) for name in (*names_, "res2_0_branch2a_bn_s")}


def swin_v2() -> dict[str, torch.Tensor]:
    tensors = imagenet_swin()
    for name in [name for name in tensors if name.endswith("bias_table")]:
        tensors[name.replace("relative_position_bias_table", "logit_scale")] = tensors.pop(name)
    return tensors


FAULTS = {
    "caffe": ("r50", caffe, "Caffe's names: weights for BGR pictures, with the stride in the 1x1"),
    "swin-v2": ("swin", swin_v2, "SwinV2 is not known"),
    "a-resnet": ("swin", lambda: names.drawn(names.resnet50()), "unknown tensors"),
    "odd-merging": (
        "swin",
        lambda: {**imagenet_swin(), "layers.0.downsample.reduction.weight": torch.ones(32, 63)},
        "downsample.reduction.weight: shape (32, 63)",
    ),
    "flat-table": (
        "swin",
        lambda: {
            **imagenet_swin(),
            "layers.0.blocks.0.attn.relative_position_bias_table": torch.ones(81),
        },
        "shape (81,), not of 2 axes",
    ),
}


@pytest.mark.parametrize("kind, tensors, said", FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line(tmp_path: Path, capsys, kind: str, tensors, said: str) -> None:
    torch.save({"model": tensors()}, tmp_path / "faulty.pth")
    assert main(["convert", kind, str(tmp_path / "faulty.pth"), str(tmp_path / "ours.pth")]) == 2
    error = capsys.readouterr().err
    assert "faulty.pth" in error and said in error and error.count("\n") == 1
    assert not (tmp_path / "ours.pth").exists()
