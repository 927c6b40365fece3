"""What each stage would take at paper scale, where nobody has recorded a run of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.datasets.catalogue import CATALOGUE
from workbench.errors import BadInput
from workbench.estimates.counted import Counted
from workbench.estimates.work import (
    GIB,
    HALF,
    Machine,
    TrainingRun,
    Work,
    checkpoint_gib,
    prediction_memory_gib,
)
from workbench.files import read_yaml
from workbench.launching import launch_of
from workbench.overrides import merge_overrides
from workbench.params import instance, stage_of
from workbench.paths import PAPER, Layout
from workbench.pipeline.records import COPIES
from workbench.stages.resolve import load_config

# Stages that train here (weights of the others are downloaded), and what a prediction is made of.
TRAINED = ("train", "transfer", "finetune")
ITEMS = {
    "segment": "images",
    "rebuild": "images",
    "paint": "images",
    "label": "images",
    "ground": "narratives",
    "refer": "sentences",
}


@dataclass(frozen=True)
class StageEstimate:
    """What a stage would take; None where it cannot be told.

    Attributes:
        gpu_hours: Of all seeds, summed over devices.
        memory_gib: Of each device.
        disk_gib: Of its outputs, in the workspace and in DVC's cache.
    """

    gpu_hours: float | None = None
    memory_gib: float | None = None
    disk_gib: float | None = None


class Estimates:
    """Estimates stages of the paper's scale.

    Args:
        root: The project.
        params: Content of ``params.yaml``.
        device: A device of ``configs/paper/plan.py``, by default the one that it names.

    Raises:
        BadInput: No such device, or a config that cannot be read.
    """

    def __init__(self, root: Path, params: Mapping[str, Any], device: str | None = None) -> None:
        self.root, self.params = root, dict(params)
        self.counted = Counted(root)
        self.assumed = self.counted.assumed
        self.machine = self._machine(device or self.assumed["device"])
        self.work, self.config = cache(self._work), cache(self._config)
        self.worlds = read_yaml(root / "configs" / PAPER / "worlds.yaml")

    def stage(self, name: str) -> StageEstimate:
        """Return what a stage would take."""
        kind, _, key = name.partition("@")
        if kind in TRAINED:
            return self._training(key)
        if kind in ITEMS:
            return self._prediction(kind, key)
        return StageEstimate()

    def run(self, key: str) -> TrainingRun:
        """Return a training's length, batch and precision as configured."""
        config = self.config(key)
        return TrainingRun(
            int(config["train_cfg"]["max_iters"]),
            int(config["train_dataloader"]["batch_size"]),
            HALF if config["optim_wrapper"]["type"] == "AmpOptimWrapper" else "float32",
        )

    def download_gib(self, dataset: str) -> tuple[str, float | None]:
        """Return the folder that a data set is downloaded to, and its size where that is known."""
        below = self.assumed["download_of"].get(dataset, dataset)
        folder = str((self.worlds.get(below) or {}).get("root", below))
        return folder, self.assumed["downloads_gib"].get(folder)

    def items(self, kind: str, item: Mapping[str, Any]) -> int | None:
        """Return how many pictures, captions or expressions a stage predicts; None if unknown."""
        unit, split = ITEMS[kind], item.get("split", "val")
        below = self.assumed["download_of"].get(item["dataset"])
        listed = [CATALOGUE[name] for name in (item["dataset"], below) if name in CATALOGUE]
        sizes = (size for source in listed for size in source.splits.get(split, ()))
        return next((size.most for size in sizes if size.unit == unit), None)

    def _training(self, key: str) -> StageEstimate:
        work, run = self.work(key), self.run(key)
        if work is None:
            return StageEstimate()
        seeds = len(self._item(key).get("seeds") or [0])
        hours = self.machine.hours(run.flops(work), run.precision) * seeds
        finished, resumable = checkpoint_gib(work)
        disk = (COPIES * finished + resumable) * seeds
        return StageEstimate(hours, run.memory_gib(work, self.machine.count), disk)

    def _prediction(self, kind: str, key: str) -> StageEstimate:
        item = instance(self.params, kind, key)
        trained = item["checkpoint"]
        work, count = self.work(trained), self.items(kind, item)
        if work is None:
            return StageEstimate()
        memory = prediction_memory_gib(work)
        if count is None:
            return StageEstimate(memory_gib=memory)
        seeds = len(self._item(trained).get("seeds") or [0])
        flops = count * seeds * work.test_flops
        masks = (self.config(trained)["model"].get("test_cfg") or {}).get("max_entities", 1)
        disk = COPIES * count * seeds * masks * self.assumed["mask_bytes"] / GIB
        return StageEstimate(self.machine.hours(flops, "float32"), memory, disk)

    def _item(self, key: str) -> dict[str, Any]:
        return instance(self.params, stage_of(self.params, key), key)

    def _config(self, key: str) -> dict[str, Any]:
        item = self._item(key)
        config = load_config(self.root / Layout(PAPER).source_config(str(item["config"])))
        field = f"{stage_of(self.params, key)}.{key}.overrides"
        merge_overrides(config, item.get("overrides") or {}, field)
        content: dict[str, Any] = config.to_dict()
        return content

    def _work(self, key: str) -> Work | None:
        language = (self._item(key).get("pretrained") or {}).get("llm")
        weights = None
        if language is not None:
            weights = instance(self.params, stage_of(self.params, language), language)["weights"]
        return self.counted.work(self.config(key), weights)

    def _machine(self, device: str) -> Machine:
        known = self.assumed["devices"]
        if device not in known:
            raise BadInput("--device", device, "unknown", f"use one of {', '.join(known)}")
        launch = launch_of(self.params)
        count = launch.processes if launch.distributed else self.assumed["num_devices"]
        peaks = {name: known[device][name] for name in ("float32", HALF)}
        memory, share = known[device]["memory_gib"], self.assumed["utilisation"]
        return Machine(device, count, memory, peaks, share)
