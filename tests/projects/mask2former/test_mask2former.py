"""Classes from annotations to targets, and from queries to panoptic and grey maps."""

import copy
import json

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from PIL import Image

import projects.mask2former  # noqa: F401
from projects.cropformer.corner_crop import CornerCropViews
from projects.mask2former.class_data import ClassImageDataset, PackClassViews
from tests.projects.conftest import MODELS_DIR
from workbench.errors import BadInput

THINGS, STUFF = 32, 14


@pytest.fixture
def manifest(tmp_path):
    """One picture of 12 x 16 with a thing (9), a stuff (2), a crowd (5) and a thing (3)."""
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "images/1.jpg")
    labels = np.zeros((12, 16, 3), np.uint8)
    for number in range(1, 5):
        labels[:, 4 * number - 4 : 4 * number, 0] = number
    Image.fromarray(labels).save(tmp_path / "masks/1.png")
    segments = [
        {"id": number, "category_id": category, "iscrowd": int(category == 5), "area": 48}
        for number, category in enumerate((9, 2, 5, 3), start=1)
    ]
    kinds = {2: 0, 3: 1, 5: 1, 7: 0, 9: 1}
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 12, "width": 16}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
        "categories": [{"id": n, "name": str(n), "isthing": kind} for n, kind in kinds.items()],
    }
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    split = {"annotations": "panoptic.json", "images": "images", "masks": "masks"}
    about = {"name": "x", "format": "coco_panoptic", "root": ".", "splits": {"train": split}}
    (tmp_path / "manifest.json").write_text(json.dumps(about))
    return tmp_path / "manifest.json"


LOADERS = [
    dict(type="LoadPhoto"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True, poly2mask=True),
]


def open_set(manifest, steps=(), things=3, stuff=2):
    import workbench.engine.transforms  # noqa: F401

    return ClassImageDataset(
        things, stuff, manifest=str(manifest), split="train", pipeline=[*LOADERS, *steps]
    )


def test_things_are_numbered_before_stuff(manifest) -> None:
    sample = open_set(manifest).load(0)
    # Things 3, 5, 9 are 0, 1, 2; stuff 2, 7 are 3, 4.
    assert sample["gt_bboxes_labels"].tolist() == [2, 3, 1, 0]


def test_packed_classes_are_those_of_the_entities_that_stay(manifest) -> None:
    views = dict(type="CornerCropViews", scale=(12, 16), crops="none")
    packed = open_set(manifest, [views, dict(type="PackClassViews")]).load(0)
    kept = packed["data_samples"].gt_instances
    assert kept.labels.tolist() == [2, 3, 0]  # without the crowd
    assert [int(mask[0, 0].argmax(-1)) for mask in kept.masks.byte()] == [0, 4, 12]


def test_an_entity_that_vanishes_takes_its_class_along(manifest) -> None:
    sample = open_set(manifest).load(0)
    results = CornerCropViews(scale=(12, 16), crops="none")(sample)
    results["view_masks"][0] = False
    assert PackClassViews()(results)["data_samples"].gt_instances.labels.tolist() == [3, 0]


def test_other_classes_than_the_models_are_refused(manifest) -> None:
    with pytest.raises(BadInput, match="3 things and 2 stuff; the config has 2 and 3"):
        open_set(manifest, things=2, stuff=3)
    content = json.loads((manifest.parent / "panoptic.json").read_text())
    content["annotations"][0]["segments_info"][0]["category_id"] = 8
    (manifest.parent / "panoptic.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="8 is no category"):
        open_set(manifest).load(0)


def with_classes(data):
    for sample in data["data_samples"]:
        sample.gt_instances.labels = torch.arange(len(sample.gt_instances.labels)) * 15
    return data


def test_classes_are_learned(build, batch, losses, without_gradient) -> None:
    model = build("mask2former_panoptic")
    assert without_gradient(model, with_classes(batch([3, 4], 1))) == []
    right = losses(model, with_classes(batch([3, 4], 1)))["loss_cls"]
    plain = batch([3, 4], 1)
    assert float(losses(model, plain)["loss_cls"]) != pytest.approx(float(right))


def told(model, classes: list[tuple[int, float]], masks, num_classes: int):
    """Let a model predict a class with a probability, and a mask, for each query."""
    probabilities = torch.full((len(masks), num_classes + 1), 1e-6)
    for query, (number, score) in enumerate(classes):
        probabilities[query, number] = score
        probabilities[query, -1] = max(1 - score, 1e-6)
    logits = torch.where(torch.tensor(masks) > 0, 9.0, -9.0)
    del model.head
    object.__setattr__(model, "head", model_head(num_classes))
    answer = probabilities.log()[None], logits[None, :, None]
    object.__setattr__(model, "predict_logits", lambda inputs: answer)
    return model.eval()


def model_head(num_classes: int):
    return Config(
        dict(num_things_classes=1, num_stuff_classes=0)
        if num_classes == 1
        else dict(num_things_classes=THINGS, num_stuff_classes=STUFF)
    )


STRIPES = np.array(
    [
        [[1, 1, 0, 0, 0, 0, 0, 0]],  # thing 5
        [[0, 0, 1, 1, 0, 0, 0, 0]],  # thing 5 again, another one
        [[0, 0, 0, 0, 1, 0, 0, 0]],  # stuff 32
        [[0, 0, 0, 0, 0, 1, 0, 0]],  # stuff 32 again, the same segment
        [[0, 0, 0, 0, 0, 0, 1, 0]],  # too unsure
    ]
)
SIZE = DetDataSample(
    metainfo={"batch_input_shape": (1, 8), "img_shape": (1, 8), "ori_shape": (1, 8),
              "view_shapes": [(1, 8)],
              "view_boxes": [(0, 0, 8, 1)]}
)  # fmt: skip
CLASSES = [(5, 0.99), (5, 0.98), (32, 0.97), (32, 0.96), (7, 0.6)]


def test_panoptic_map_of_drawn_queries(build) -> None:
    model = told(build("mask2former_panoptic"), CLASSES, STRIPES, THINGS + STUFF)
    model.fusion.test_cfg["object_mask_thr"] = 0.8
    ((labels, classes),) = model.panoptic_maps(torch.zeros(1, 1, 3, 32, 32), [SIZE])
    assert classes == [32, 5, 5]
    assert labels.tolist() == [[2, 2, 3, 3, 1, 1, 0, 0]]


def test_nothing_found_is_all_void(build) -> None:
    unsure = [(5, 0.1)] * len(STRIPES)
    model = told(build("mask2former_panoptic"), unsure, STRIPES, THINGS + STUFF)
    ((labels, classes),) = model.panoptic_maps(torch.zeros(1, 1, 3, 32, 32), [SIZE])
    assert classes == [] and not labels.any()


def test_entities_are_the_same_masks_without_classes(build) -> None:
    model = told(build("mask2former_panoptic"), CLASSES, STRIPES, THINGS + STUFF)
    (merged,) = model.segment(torch.zeros(1, 1, 3, 32, 32), [SIZE])
    assert merged.label_map.tolist() == [[1, 1, 2, 2, 3, 4, 5, 0]]
    assert merged.class_scores.tolist() == pytest.approx([0.99, 0.98, 0.97, 0.96, 0.6], abs=1e-3)


def test_grey_map_is_the_weighted_sum_of_masks(build) -> None:
    masks = np.array([[[1, 1, 1, 0]], [[0, 1, 0, 0]], [[0, 0, 0, 1]]])
    model = told(build("grey_map"), [(0, 0.6), (0, 0.5), (0, 0.2)], masks, 1)
    sample = DetDataSample(
        metainfo={"batch_input_shape": (1, 4), "img_shape": (1, 4), "ori_shape": (1, 4)}
    )
    (grey,) = model.grey_maps(torch.zeros(1, 1, 3, 32, 32), [sample])
    assert grey.dtype == torch.uint8
    # 0.6; 0.6 + 0.5, cut at 1; 0.6; 0.2
    assert grey.tolist() == [[153, 255, 153, 51]]


@pytest.mark.parametrize("name, method", [
    ("mask2former_panoptic", "panoptic_maps"), ("grey_map", "grey_maps"),
])  # fmt: skip
def test_maps_have_the_size_of_the_photograph(build, batch, name, method) -> None:
    model = build(name).eval()
    data = batch([2, 2], 1)
    for sample in data["data_samples"]:
        sample.set_metainfo({"ori_shape": (50, 30)})
    found = getattr(model, method)(**model.data_preprocessor(copy.deepcopy(data), False))
    maps = [each[0] if isinstance(each, tuple) else each for each in found]
    assert [tuple(each.shape) for each in maps] == [(50, 30)] * 2
    with pytest.raises(ValueError, match="2 views"):
        getattr(model, method)(**model.data_preprocessor(batch([2], 2), False))


def test_head_and_fusion_must_agree() -> None:
    config = Config.fromfile(str(MODELS_DIR / "mask2former_panoptic_mini.py")).model
    config.fusion.num_stuff_classes = 3
    with pytest.raises(ValueError, match="fusion has"):
        MODELS.build(config)


def test_grey_map_model_has_the_weights_of_a_segmenter(build) -> None:
    shapes = [
        {name: value.shape for name, value in build(model).state_dict().items()}
        for model in ("mask2former", "grey_map")
    ]
    assert shapes[0] == shapes[1]
