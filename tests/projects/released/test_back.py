"""What `--back` writes is what the released code reads, or it is refused or said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.projects.released import released_names as names
from workbench.cli.main import main
from workbench.engine.checkpoint import read_weights_only, save_final

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def converted(folder: Path, kind: str, shapes: names.Shapes, *options: str) -> dict[str, Tensor]:
    """Write ``ours.pth`` and return the released tensors that it was made of."""
    tensors = names.drawn(shapes)
    torch.save({"model": tensors}, folder / "released.pth")
    assert run(kind, folder / "released.pth", folder / "ours.pth", *options) == 0
    return tensors


def rewrite(path: Path, change: Callable[[dict[str, Tensor], dict], None]) -> None:
    content = read_weights_only(path)
    change(content["state_dict"], content["meta"])
    save_final(path, content["state_dict"], content["meta"])


class Renaming(nn.Module):
    """Renames tensors when it is loaded, unless the file says that their names are the second."""

    def __init__(self, renamed: Callable[[str, str], str]) -> None:
        super().__init__()
        self.renamed = renamed

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest) -> None:
        if (local_metadata.get("version") or 1) < 2:
            for name in list(state_dict):
                state_dict[self.renamed(name, prefix)] = state_dict.pop(name)


def with_pixel_decoder(name: str, prefix: str) -> str:
    """Do as facebookresearch/Mask2Former's head does."""
    if name.startswith(f"{prefix}predictor"):
        return name
    return name.replace(prefix, f"{prefix}pixel_decoder.")


def unchanged(name: str, prefix: str) -> str:
    """Do as qqlu/Entity's head does."""
    return name


def with_query_feat(name: str, prefix: str) -> str:
    """Do as the decoder of both does."""
    return name.replace("static_query", "query_feat")


def released_model(tensors: dict[str, Tensor], head: Callable[[str, str], str]) -> nn.Module:
    """Return a tree of modules for tensors, all zero, whose head and decoder rename."""
    root = nn.Module()
    root.sem_seg_head = Renaming(head)
    root.sem_seg_head.predictor = Renaming(with_query_feat)
    for name, value in tensors.items():
        *parts, leaf = name.split(".")
        module = root
        for part in parts:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module._modules[part]
        module.register_buffer(leaf, torch.zeros_like(value))
    return root


RELEASES = {
    "instance": ("mask2former", names.small(7), with_pixel_decoder),
    "panoptic": ("mask2former", names.small(133), with_pixel_decoder),
    "semantic": ("mask2former", names.small(5), with_pixel_decoder),
    "entity": ("mask2former", names.small(), unchanged),
    "cropformer": ("cropformer", names.small(views=True), unchanged),
}


@pytest.mark.parametrize("task", RELEASES)
def test_the_released_code_finds_every_tensor(tmp_path: Path, task: str, capsys) -> None:
    kind, shapes, head = RELEASES[task]
    options = ["--task", task] if kind == "mask2former" else []
    tensors = converted(tmp_path, kind, shapes, *options)
    capsys.readouterr()
    back = [tmp_path / "ours.pth", tmp_path / "back.pth", *options, "--back", "--json"]
    assert run(kind, *back) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == []

    model = released_model(tensors, head)
    read = torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    missing, unexpected = model.load_state_dict(read, strict=False)
    criteria = {name for name in tensors if name.startswith("criterion")}
    assert set(missing) == criteria and unexpected == []
    loaded = model.state_dict()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors.keys() - criteria)
    # And ours reads it as it reads the release.
    assert run(kind, tmp_path / "back.pth", tmp_path / "again.pth", *options) == 0
    first, second = (read_weights_only(tmp_path / f"{name}.pth") for name in ("ours", "again"))
    assert all(torch.equal(second["state_dict"][name], value)
               for name, value in first["state_dict"].items())  # fmt: skip


def test_another_kind_is_not_written_back(tmp_path: Path, capsys) -> None:
    converted(tmp_path, "mask2former", names.small())
    assert run("cropformer", tmp_path / "ours.pth", tmp_path / "back.pth", "--back") == 2
    assert "make_3d: missing: no CropFormer" in capsys.readouterr().err
    back = [tmp_path / "ours.pth", tmp_path / "back.pth", "--task", "panoptic", "--back"]
    assert run("mask2former", *back) == 2
    assert "1 classes, not the 133" in capsys.readouterr().err
    assert not (tmp_path / "back.pth").exists()


LEVEL = "sem_seg_head.predictor.level_embed.weight"
MERGING = "backbone.stages.0.downsample.norm.bias"
FAULTS = {
    "missing": (lambda weights, meta: weights.pop("head.level_embed.weight"), f"missing: {LEVEL}"),
    "shape": (
        lambda weights, meta: weights.update({"head.level_embed.weight": torch.ones(4, 32)}),
        f"{LEVEL} (4, 32), not (3, 32)",
    ),
    "order": (lambda weights, meta: weights.update({MERGING: torch.ones(63)}), f"{MERGING}: shape"),
    "unknown": (
        lambda weights, meta: weights.update(other=torch.ones(1)),
        "unknown tensors: other",
    ),
    "no-config": (lambda weights, meta: meta.pop("config"), "no config inside"),
}


@pytest.mark.parametrize("change, said", FAULTS.values(), ids=FAULTS)
def test_incomplete_files_are_not_written_back(tmp_path: Path, capsys, change, said: str) -> None:
    converted(tmp_path, "mask2former", names.small())
    rewrite(tmp_path / "ours.pth", change)
    capsys.readouterr()
    assert run("mask2former", tmp_path / "ours.pth", tmp_path / "back.pth", "--back") == 2
    error = capsys.readouterr().err
    assert "ours.pth" in error and said in error and error.count("\n") == 1
    assert not (tmp_path / "back.pth").exists()


def test_settings_that_cannot_travel_are_named(tmp_path: Path, capsys) -> None:
    def change(weights: dict[str, Tensor], meta: dict) -> None:
        for old, new in {
            "view_encoding='index'": "view_encoding='role'",
            "num_groups=32": "num_groups=8",
            "num_layers=1,": "num_layers=1, start='identity',",
            "drop_path_rate=0.3": "drop_path_rate=0.1",
        }.items():
            assert old in meta["config"]
            meta["config"] = meta["config"].replace(old, new)

    converted(tmp_path, "cropformer", names.small(views=True))
    rewrite(tmp_path / "ours.pth", change)
    capsys.readouterr()
    assert run("cropformer", tmp_path / "ours.pth", tmp_path / "back.pth", "--back") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "settings that the file does not carry (2): "
        "model.head.pixel_decoder.norm_cfg.num_groups 8, not 32, "
        "model.head.view_encoding 'role', not 'index'"
    ]


def test_panoptic_models_with_other_classes_are_written_back(tmp_path: Path, capsys) -> None:
    def change(weights: dict[str, Tensor], meta: dict) -> None:
        text = meta["config"].replace("InstanceSegmentor", "PanopticSegmentor")
        text = text.replace("num_things_classes=10", "num_things_classes=7")
        meta["config"] = text.replace("num_stuff_classes=0", "num_stuff_classes=3")

    converted(tmp_path, "mask2former", names.small(10), "--task", "instance")
    rewrite(tmp_path / "ours.pth", change)
    capsys.readouterr()
    back = [tmp_path / "ours.pth", tmp_path / "back.pth", "--task", "panoptic", "--back", "--json"]
    assert run("mask2former", *back) == 0
    assert not any("classes" in text for text in json.loads(capsys.readouterr().out)["settings"])


def test_backbones_are_not_written_back(tmp_path: Path, capsys) -> None:
    tensors = names.drawn(names.resnet50())
    torch.save(tensors, tmp_path / "released.pth")
    assert run("r50", tmp_path / "released.pth", tmp_path / "ours.pth") == 0
    capsys.readouterr()
    for kind in ("r50", "swin"):
        assert run(kind, tmp_path / "ours.pth", tmp_path / "back.pth", "--back") == 2
        error = capsys.readouterr().err
        assert "only whole models are written back" in error and error.count("\n") == 1
    assert not (tmp_path / "back.pth").exists()
