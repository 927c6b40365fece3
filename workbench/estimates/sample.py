"""What one sample of a training or a prediction costs, counted from the resolved config.

A model of MMDetection runs as a whole on one sample of the size that its pipeline makes; others are
counted in the parts that ``configs/paper/plan.py`` lists, of `workbench.costs.ledger.COMPONENTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from torch import nn

from workbench.costs.count import count_flops, count_parameters
from workbench.costs.ledger import COMPONENTS, registered
from workbench.engine.meta import build_on_meta, on_meta_device
from workbench.estimates.live_bytes import peak_bytes, saved_bytes
from workbench.estimates.work import Work

NUM_VIEWS = {"none": 1, "random": 2, "all": 5}
VIEWS = "CornerCropViews"
DIVISOR = 32


@dataclass(frozen=True)
class Part:
    """A module and what one sample does with it.

    Attributes:
        module: On the meta device.
        train: Runs it on a sample of the training.
        test: Runs it on a sample of a prediction.
        frozen: Whether it gets no gradients.
        share: Of the training's samples that use it.
        train_area: Mean area of the training's pictures over that of ``train``'s.
    """

    module: nn.Module
    train: Callable[[], Any]
    test: Callable[[], Any]
    frozen: bool = False
    share: float = 1.0
    train_area: float = 1.0


def count_work(
    config: Mapping[str, Any], assumed: Mapping[str, Any], weights: str | None, source: Path
) -> Work:
    """Count what a sample costs.

    Args:
        config: The config of a training.
        assumed: Content of ``configs/paper/plan.py``.
        weights: Folder of the language model's weights, for a model that has one.
        source: The file of ``assumed``, for errors.

    Raises:
        BadInput: A part whose type is not known.
    """
    for content in (config, assumed):
        import_modules_from_strings(**content["custom_imports"])
    with DefaultScope.overwrite_default_scope("mmdet"):
        entries = assumed["parts"].get(config["model"]["type"])
        if entries is None:
            return _count([_whole(config, assumed["aspect"])])
        changes = assumed["language"].get(weights, {})
        return _count([_part(entry, config, assumed, changes, source) for entry in entries])


def _count(parts: Sequence[Part]) -> Work:
    """Add parts up; memory is of a sample that uses them all, each part's peak at its own time."""
    parameters = [count_parameters(part.module) for part in parts]
    trained = [0 if part.frozen else n for part, n in zip(parts, parameters, strict=True)]
    saved = sum(saved_bytes([p.module], p.train) for p in parts if not p.frozen)
    train_flops = test_flops = 0.0
    for part in parts:
        part.module.requires_grad_(False)
        flops = count_flops(part.train) * part.share * part.train_area
        train_flops += flops * (1 if part.frozen else Work.BACKWARD)
        test_flops += count_flops(part.test)
    peak = max(peak_bytes([part.module], part.test) for part in parts)
    return Work(sum(parameters), sum(trained), train_flops, saved, test_flops, peak)


def _whole(config: Mapping[str, Any], aspect: float) -> Part:
    model = build_on_meta(ConfigDict(config["model"]))
    model.eval()  # some layers refuse to be trained on a single picture
    train, area = view_shape(config["train_pipeline"], aspect)
    test, _ = view_shape(config["test_pipeline"], aspect)

    def run(shape: tuple[int, ...]) -> Callable[[], Any]:
        return lambda: model(torch.empty(1, *shape), None, mode="tensor")

    return Part(model, run(train), run(test), train_area=area)


def view_shape(
    pipeline: Sequence[Mapping[str, Any]], aspect: float
) -> tuple[tuple[int, int, int, int], float]:
    """Return the shape (T, 3, h, w) of the largest input a pipeline makes, and the mean's share.

    Args:
        pipeline: With the transform ``CornerCropViews``.
        aspect: Width over height of the pictures, at least 1.

    Returns:
        The shape, height and width being multiples of 32; and the mean area over its area, of the
        scales that one is drawn from.
    """
    transform = next(each for each in pipeline if each["type"] == VIEWS)
    scale = transform["scale"]
    scales = [scale] if isinstance(scale[0], int) else scale
    sizes = [_fitted(each, aspect) for each in scales]
    areas = [height * width for height, width in sizes]
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    padded = (-(-side // DIVISOR) * DIVISOR for side in (height, width))
    shape = (NUM_VIEWS[transform.get("crops", "all")], 3, *padded)
    return shape, sum(areas) / len(areas) / max(areas)  # type: ignore[return-value]


def _fitted(scale: Sequence[int], aspect: float) -> tuple[int, int]:
    """Return (height, width) of a wide picture within (short, long) limits, in any order."""
    short, long = sorted(scale)
    height = min(short, long / aspect)
    return round(height), round(height * aspect)


def _part(
    entry: Mapping[str, Any],
    config: Mapping[str, Any],
    assumed: Mapping[str, Any],
    changes: Mapping[str, Mapping[str, Any]],
    source: Path,
) -> Part:
    own = dict(entry)
    name, frozen, task = own.pop("component"), own.pop("frozen", False), own.pop("share", None)
    fields = {key: _field(config["model"], place) for key, place in own.pop("fields", {}).items()}
    arguments = {**assumed["components"][name], **own, **fields, **changes.get(name, {})}
    build = registered(COMPONENTS, arguments.pop("type"), source, f"components.{name}")
    with on_meta_device():
        component = build(**arguments)
    ratios = config["train_dataloader"]["dataset"].get("ratios", {})
    share = ratios[task] / sum(ratios.values()) if task else 1.0
    return Part(component.module, component.run, component.run, frozen, share)


def _field(model: Mapping[str, Any], place: str) -> Any:
    """Return a field of a model's config by its dotted name."""
    value: Any = model
    for name in place.split("."):
        value = value[name]
    return value
