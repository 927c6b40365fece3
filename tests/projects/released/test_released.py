"""Fabricated releases, named as the authors' modules name them, become checkpoints that run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from projects.released.backbones import from_unfold_order, to_unfold_order
from tests.projects.released import released_names as names
from workbench.cli.main import main
from workbench.conversion.kinds import KINDS, TASKED, open_kind
from workbench.conversion.release import translate
from workbench.engine.checkpoint import load_weights

ROOT = Path(__file__).parents[3]
TINY = names.swin(96, [2, 2, 6, 2], [3, 6, 12, 24], 7)
TINY_CHANNELS, LARGE_CHANNELS = [96, 192, 384, 768], [192, 384, 768, 1536]


def large(window: int) -> names.Shapes:
    return names.swin(192, [2, 2, 18, 2], [6, 12, 24, 48], window)


PAPER_SIZE = {
    "cropformer Swin-T": (
        "cropformer", None, names.model(TINY, TINY_CHANNELS, views=True), 499,
    ),
    "cropformer Swin-L": (
        "cropformer", None, names.model(large(7), LARGE_CHANNELS, views=True), 667,
    ),
    "entity Swin-T": ("mask2former", "entity", names.model(TINY, TINY_CHANNELS), 481),
    "panoptic Swin-L": (
        "mask2former", "panoptic", names.model(large(12), LARGE_CHANNELS, 133, queries=200), 649,
    ),
    "instance Swin-L": (
        "mask2former", "instance", names.model(large(12), LARGE_CHANNELS, 80, queries=200), 649,
    ),
    "panoptic R-50": (
        "mask2former", "panoptic", names.model(names.resnet50(), [256, 512, 1024, 2048], 133), 557,
    ),
    "semantic R-50": (
        "mask2former", "semantic", names.model(names.resnet50(), [256, 512, 1024, 2048], 150), 557,
    ),
}  # fmt: skip


def meta(shapes: names.Shapes) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


@pytest.fixture(autouse=True)
def in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def write(path: Path, shapes: names.Shapes, **beside: object) -> dict[str, torch.Tensor]:
    tensors = names.drawn(shapes)
    torch.save({"model": tensors, **beside}, path)
    return tensors


def run(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


@pytest.mark.parametrize("kind, task, shapes, count", PAPER_SIZE.values(), ids=PAPER_SIZE)
def test_every_tensor_of_a_paper_size_release_has_its_place(kind, task, shapes, count) -> None:
    release, config = open_kind(ROOT, kind, task)
    found = translate(release, config, meta(shapes), Path("released.pth"))
    criteria = [name for name in shapes if name.startswith("criterion")]
    assert found.unused == criteria and found.mapped == len(shapes) - len(criteria) == count
    assert all(name.endswith("num_batches_tracked") for name in found.missing)
    # And back: our own names lead to the released ones, all of them, one to one.
    back = {release.names.to_released(name, value)[0] for name, value in found.ours.items()
            if name not in found.missing}  # fmt: skip
    assert back == shapes.keys() - criteria


def test_swin_l_keeps_its_window(tmp_path: Path) -> None:
    """The released CropFormer has windows of 7, ImageNet's Swin-L at 384 pixels of 12."""
    for window in (7, 12):
        release, config = open_kind(ROOT, "cropformer", None)
        shapes = names.model(large(window), LARGE_CHANNELS, views=True)
        translate(release, config, meta(shapes), Path("released.pth"))
        assert config.model.backbone.window_size == window
        assert "init_cfg" not in config.model.backbone


def test_a_release_becomes_a_segmenter_and_comes_back(tmp_path: Path, capsys) -> None:
    source, ours = tmp_path / "released.pth", tmp_path / "ours.pth"
    tensors = write(source, names.small(views=True), iteration=3, optimizer={"state": {}})
    assert run("cropformer", source, ours, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["mapped"] == len(tensors) - 2 and said["missing"] == []
    assert said["unused"] == ["criterion_2d.empty_weight", "criterion_3d.empty_weight"]
    assert said["beside"] == ["iteration", "optimizer"]

    photo = np.random.default_rng(0).integers(0, 255, (40, 61, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    photos = [tmp_path / "photo.png", "--out", tmp_path / "out", "--score-threshold", 0]
    assert main(["segment", *map(str, photos), "--checkpoint", str(ours)]) == 0
    assert (tmp_path / "out" / "photo_labels.png").is_file()

    assert run("cropformer", ours, tmp_path / "back.pth", "--back") == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    assert back.keys() == tensors.keys() - set(said["unused"])
    assert all(torch.equal(back[name], tensors[name]) for name in back)


@pytest.mark.parametrize("task, classes", [("panoptic", 133), ("instance", 7), ("semantic", 5)])
def test_mask2former_of_every_task_runs(tmp_path: Path, task: str, classes: int) -> None:
    from workbench.segmentation.segmenter import Segmenter

    source, ours = tmp_path / "released.pth", tmp_path / "ours.pth"
    write(source, names.small(classes))
    assert run("mask2former", source, ours, "--task", task) == 0
    segmenter = Segmenter.from_checkpoint(ours)
    segmenter.segment(np.zeros((33, 47, 3), np.uint8))
    things = 80 if task == "panoptic" else classes
    assert segmenter.model.class_counts == (things, classes - things)


def test_semantic_models_see_photographs_at_the_size_of_their_release(tmp_path: Path) -> None:
    from workbench.segmentation.segmenter import Segmenter

    write(tmp_path / "released.pth", names.small(5))
    assert (
        run("mask2former", tmp_path / "released.pth", tmp_path / "ours.pth", "--task", "semantic")
        == 0
    )
    photo = np.zeros((100, 150, 3), np.uint8)
    segmenter = Segmenter.from_checkpoint(tmp_path / "ours.pth")
    assert segmenter.prepare(photo)["inputs"][0].shape == (1, 3, 512, 768)
    other = {"val_dataloader": {"dataset": {"pipeline": {"1": {"scale": [1024, 2048]}}}}}
    segmenter = Segmenter.from_checkpoint(tmp_path / "ours.pth", overrides=other)
    assert segmenter.prepare(photo)["inputs"][0].shape == (1, 3, 1024, 1536)


def test_names_of_older_releases(tmp_path: Path) -> None:
    """Queries were ``static_query``; the pixel decoder had no part of its own, or had it twice."""
    shapes = names.small()
    modern = write(tmp_path / "modern.pth", shapes)
    assert run("mask2former", tmp_path / "modern.pth", tmp_path / "expected.pth") == 0
    expected = load_weights(tmp_path / "expected.pth")
    pixels = "sem_seg_head.pixel_decoder."
    for part in ("sem_seg_head.", pixels + "pixel_decoder."):
        old = {
            name.replace(pixels, part).replace("query_feat", "static_query"): value
            for name, value in modern.items()
        }
        torch.save({"model": old}, tmp_path / "old.pth")
        assert run("mask2former", tmp_path / "old.pth", tmp_path / "new.pth") == 0
        found = load_weights(tmp_path / "new.pth")
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)


LEVEL = "sem_seg_head.predictor.level_embed.weight"
FAULTS = {
    "missing": (lambda t: t.pop(LEVEL), f"missing: {LEVEL}"),
    "shape": (lambda t: t.update({LEVEL: torch.ones(4, 32)}), f"{LEVEL} (4, 32), not (3, 32)"),
    "unknown": (lambda t: t.update({"backbone.absolute_pos_embed": torch.ones(1)}), "unknown"),
    "twice": (
        lambda t: t.update({"sem_seg_head.predictor.static_query.weight": torch.ones(12, 32)}),
        "old and a new name",
    ),
    "classes": (
        lambda t: t.update({"sem_seg_head.predictor.class_embed.bias": torch.ones(81)}),
        "--task",
    ),
    "flat-queries": (
        lambda t: t.update({"sem_seg_head.predictor.query_feat.weight": torch.ones(384)}),
        "query_feat.weight: shape (384,), not of 2 axes",
    ),
    "bgr": (
        lambda t: t.update({"pixel_mean": torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1)}),
        "pixel_mean: [103.53, 116.28, 123.675], not [123.675, 116.28, 103.53]; only models of RGB",
    ),
    "not-scaled": (lambda t: t.update({"pixel_std": torch.ones(3)}), "pixel_std: [1.0, 1.0, 1.0]"),
    "no-bias-table": (
        lambda t: t.pop("backbone.layers.1.blocks.0.attn.relative_position_bias_table"),
        "no Swin of the first version",
    ),
    "odd-merging": (
        lambda t: t.update({"backbone.layers.0.downsample.norm.bias": torch.ones(63)}),
        "downsample.norm.bias: shape (63,)",
    ),
    "odd-width": (
        lambda t: t.update({"sem_seg_head.predictor.query_feat.weight": torch.ones(12, 30)}),
        "no model has these sizes",
    ),
    "no-head": (
        lambda t: [t.pop(name) for name in list(t) if "pixel_decoder" in name],
        "no Mask2Former",
    ),
    "no-backbone": (
        lambda t: [t.pop(name) for name in list(t) if "backbone" in name],
        "neither patch_embed.proj",
    ),
}


@pytest.mark.parametrize("change, said", FAULTS.values(), ids=FAULTS)
def test_faults_are_one_line_with_the_name(tmp_path: Path, capsys, change, said: str) -> None:
    tensors = names.drawn(names.small())
    change(tensors)
    torch.save({"model": tensors}, tmp_path / "faulty.pth")
    assert run("mask2former", tmp_path / "faulty.pth", tmp_path / "ours.pth") == 2
    error = capsys.readouterr().err
    assert "faulty.pth" in error and said in error and error.count("\n") == 1
    assert not (tmp_path / "ours.pth").exists()


def test_normalisation_of_pixels_is_left_out_where_it_is_ours(tmp_path: Path, capsys) -> None:
    tensors = names.drawn(names.small())
    tensors["pixel_mean"] = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    tensors["pixel_std"] = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    torch.save({"model": tensors}, tmp_path / "released.pth")
    assert run("mask2former", tmp_path / "released.pth", tmp_path / "ours.pth", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["unused"] == ["criterion.empty_weight", "pixel_mean", "pixel_std"]


def test_only_mask2former_has_tasks(tmp_path: Path, capsys) -> None:
    write(tmp_path / "views.pth", names.small(views=True))
    files = tmp_path / "views.pth", tmp_path / "ours.pth"
    assert run("cropformer", *files, "--task", "entity") == 2
    assert "--task: entity: cropformer has no tasks" in capsys.readouterr().err
    assert run("cropformer", *files, "--json") == 0
    assert json.loads(capsys.readouterr().out)["task"] is None


def test_kinds_are_not_mixed_up(tmp_path: Path, capsys) -> None:
    write(tmp_path / "single.pth", names.small())
    write(tmp_path / "views.pth", names.small(views=True))
    assert run("cropformer", tmp_path / "single.pth", tmp_path / "ours.pth") == 2
    assert "esg convert mask2former" in capsys.readouterr().err
    assert run("mask2former", tmp_path / "views.pth", tmp_path / "ours.pth") == 2
    assert "make_3d" in capsys.readouterr().err
    assert run("mask2former", tmp_path / "single.pth", tmp_path / "ours.pth") == 0
    assert run("mask2former", tmp_path / "ours.pth", tmp_path / "again.pth") == 2
    assert "converted already" in capsys.readouterr().err
    assert run("cropformer", tmp_path / "single.pth", tmp_path / "back.pth", "--back") == 2
    assert run("mask2former", tmp_path / "single.pth", tmp_path) == 2
    assert run("mask2former", tmp_path / "none.pth", tmp_path / "ours.pth") == 4


def test_patch_merging_is_reordered() -> None:
    """Channels a, b at offsets (0, 0), (1, 0), (0, 1), (1, 1) against offsets in reading order."""
    released = ["a00", "b00", "a10", "b10", "a01", "b01", "a11", "b11"]
    ours = ["a00", "a01", "a10", "a11", "b00", "b01", "b10", "b11"]
    order = to_unfold_order(torch.arange(8))
    assert [released[place] for place in order.tolist()] == ours
    weights = torch.randn(6, 12)
    assert torch.equal(from_unfold_order(to_unfold_order(weights)), weights)


def test_every_kind_has_its_config() -> None:
    for kind in KINDS:
        release, config = open_kind(ROOT, kind, "entity" if kind == TASKED else None)
        assert "release" not in config and release.has_config == (kind in KINDS[:2])


def test_a_training_starts_from_a_released_model(tmp_path: Path) -> None:
    """All that both have is taken over; the view association starts by itself."""
    from mmdet.registry import MODELS

    from workbench.engine.checkpoint import guard_mmengine_loading
    from workbench.overrides import merge_overrides

    write(tmp_path / "released.pth", names.small())
    assert run("mask2former", tmp_path / "released.pth", tmp_path / "start.pth") == 0
    start = load_weights(tmp_path / "start.pth")
    release, config = open_kind(ROOT, "cropformer", None)
    translate(release, config, names.drawn(names.small(views=True)), tmp_path / "views.pth")
    pretrained = {"type": "Pretrained", "checkpoint": str(tmp_path / "start.pth")}
    merge_overrides(config, {"model": {"init_cfg": {"_delete_": True, **pretrained}}}, "overrides")
    guard_mmengine_loading()
    model = MODELS.build(config.model)
    model.init_weights()
    weights = model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in start.items())
    assert {name.split(".")[1] for name in weights.keys() - start.keys()} == {"association"}
