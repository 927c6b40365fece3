"""Every experiment builds at its scale; paper-scale models on the meta device."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

import projects.baselines
import projects.cropformer
import projects.mask2former  # noqa: F401
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


PANOPTIC = [
    path for path in EXPERIMENTS if path.stem.startswith(("coco_pan", "panoptic_"))
    and path.stem != "panoptic_fpn"
]  # fmt: skip


@pytest.mark.parametrize("path", PANOPTIC, ids=label)
def test_classes_are_the_same_in_data_and_model(path: Path) -> None:
    config = load(path)
    model, data = config.model, config.train_dataloader.dataset
    things, stuff = data.num_things, data.num_stuff
    for part in (model.head, model.fusion):
        assert (part.num_things_classes, part.num_stuff_classes) == (things, stuff)
    assert model.head.loss_cls.class_weight == [1.0] * (things + stuff) + [0.1]
    assert data.type == "ClassImageDataset" and data.pipeline[-1].type == "PackClassViews"
    assert (things, stuff) == ((80, 53) if "paper" in path.parts else worlds_classes())


def worlds_classes() -> tuple[int, int]:
    from workbench.datasets.worlds.vocabulary import STUFF, THINGS

    return len(THINGS), len(STUFF)


def test_panoptic_experiments_are_seen() -> None:
    assert len(PANOPTIC) == 18


@pytest.mark.parametrize("scale", ["mini", "paper", "smoke"])
def test_fine_tuning_fits_the_weights_that_it_starts_from(scale: str) -> None:
    folder = ROOT / "configs" / scale
    own, start = (
        {name: value.shape for name, value in build_on_meta(load(path).model).state_dict().items()}
        for path in (folder / "mask2former/dis5k.py", folder / "cropformer/mask2former_800.py")
    )
    assert own == start


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_table_viii_compares_training_sets_alone(scale: str) -> None:
    entity, panoptic, ours = (
        load(ROOT / "configs" / scale / f"mask2former/{name}.py")
        for name in ("coco_ent", "coco_pan", "entityseg_ent")
    )
    assert entity.model == ours.model
    assert entity.model.backbone == panoptic.model.backbone
    assert entity.test_pipeline == panoptic.test_pipeline == ours.test_pipeline
    assert entity.train_cfg == panoptic.train_cfg


def test_epochs_of_table_xiii_are_in_their_ratio() -> None:
    for scale in ("mini", "paper"):
        short, long = (
            load(ROOT / f"configs/{scale}/mask2former/panoptic_{epochs}e.py").max_iters
            for epochs in (12, 50)
        )
        assert short / long == pytest.approx(12 / 50, rel=1e-4)


def test_schedules_end_where_training_ends() -> None:
    for path in EXPERIMENTS:
        config = load(path)
        last = config.param_scheduler[-1]
        if last.type == "OneCycleLR":
            assert last.total_steps == config.train_cfg.max_iters, label(path)
        else:
            assert max(last.milestones) < config.train_cfg.max_iters, label(path)


def test_swin_large_is_the_released_one() -> None:
    config = load(ROOT / "configs/paper/mask2former/coco_ent.py").model
    assert (config.backbone.embed_dims, config.backbone.window_size) == (192, 12)
    # 197 million are published, with the classifier for 1,000 classes (1.5 million).
    assert 194e6 < count(build_on_meta(config).backbone) < 196e6


# Millions of weights that are published: Mask2Former's (facebookresearch/Mask2Former, for COCO's
# classes), MMDetection's Mask R-CNN and torchvision's DeepLabV3 for 80 and 21 classes.
PUBLISHED = {
    "coco_pan_r50": 44.0, "ent_r50": 44.0, "ins_r50": 44.0, "pan_r50": 44.0, "sem_r50": 44.0,
    "coco_pan_swin_t": 47.4, "ent_swin_t": 47.4, "ins_swin_t": 47.4, "pan_swin_t": 47.4,
    "sem_swin_t": 47.4,
    "coco_pan_swin_l": 215.5, "ent_swin_l": 215.5, "ins_swin_l": 215.5, "pan_swin_l": 215.5,
    "sem_swin_l": 215.5,
    "mask_rcnn_ent": 44.0, "mask_rcnn_ins": 45.1, "panoptic_fpn": 47.1, "deeplabv3": 39.7,
}  # fmt: skip
TABLE_IV = {name: ROOT / f"configs/paper/mask2former/{name}.py" for name in PUBLISHED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_of_table_iv_are_the_published_ones(name: str) -> None:
    weights = count(build_on_meta(load(TABLE_IV[name]).model))
    assert weights / 1e6 == pytest.approx(PUBLISHED[name], abs=0.1)


def test_classes_of_table_iv_are_the_released_ones() -> None:
    released = {"sem": (150, 0), "ins": (206, 0), "pan": (279, 71)}
    names = {"deeplabv3": "sem", "mask_rcnn_ins": "ins", "panoptic_fpn": "pan"}
    for name, path in TABLE_IV.items():
        task = names.get(name, name.split("_")[0])
        if task not in released:
            continue
        config = load(path)
        data = config.train_dataloader.dataset
        assert (data.num_things, data.num_stuff) == released[task], name
        assert build_on_meta(config.model).class_counts == released[task], name


def test_classes_of_table_iv_at_mini_scale_are_those_of_the_worlds() -> None:
    from workbench.datasets.worlds.entityseg_classes_layout import SEMANTIC

    things, stuff = worlds_classes()
    counts = {"sem": (len(SEMANTIC), 0), "ins": (things, 0), "pan": (things, stuff)}
    names = ("sem_r50", "ins_r50", "pan_r50", "deeplabv3", "mask_rcnn_ins", "panoptic_fpn")
    for name, task in zip(names, [*counts] * 2, strict=True):
        config = load(ROOT / f"configs/mini/mask2former/{name}.py")
        data = config.train_dataloader.dataset
        assert (data.num_things, data.num_stuff) == counts[task], name
        assert build_on_meta(config.model).class_counts == counts[task], name


@pytest.mark.parametrize("scale", ["mini", "paper"])
def test_tasks_with_classes_have_a_third_of_the_entity_schedule(scale: str) -> None:
    third, whole = (
        load(ROOT / f"configs/{scale}/mask2former/{name}_r50.py").max_iters
        for name in ("sem", "ent")
    )
    assert 3 * third == whole


@pytest.mark.parametrize("backbone", ["r50", "swin_t", "swin_l"])
@pytest.mark.parametrize("task", ["sem", "ins", "pan", "ent"])
def test_all_but_the_classes_fits_coco(backbone: str, task: str) -> None:
    for scale in ("mini", "paper", "smoke"):
        start, own = (
            build_on_meta(load(ROOT / f"configs/{scale}/mask2former/{name}_{backbone}.py").model)
            for name in ("coco_pan", task)
        )
        kept, given = (
            {
                n: w.shape
                for n, w in model.state_dict().items()
                if not n.startswith("head.cls_embed.")
            }
            for model in (own, start)
        )
        assert kept == given


def test_backbones_keep_their_order_of_sizes() -> None:
    for scale in ("mini", "paper"):
        sizes = [
            count(
                build_on_meta(load(ROOT / f"configs/{scale}/mask2former/ent_{b}.py").model.backbone)
            )
            for b in ("r50", "swin_t", "swin_l")
        ]
        assert sizes == sorted(sizes) and len(set(sizes)) == 3


def count(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
