"""What is known of earlier runs of the stages: how long they took, how much memory and disk.

A recorded run, on this machine or in outputs that were pulled, comes first, scaled to what would be
run now: iterations of a training, pictures of a split, and a run for each seed. Then comes the
reference in ``configs/<scale>/expected_times.yaml``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from workbench.errors import EsgError
from workbench.files import read_yaml
from workbench.params import TRAININGS
from workbench.paths import Layout

GIB = 2**30
# DVC keeps each output twice where the file system cannot link: in its place and in the cache.
COPIES = 2
RECORDED, REFERENCE, UNKNOWN = "recorded", "reference", "unknown"
# Stages that run a training's checkpoints, once a seed.
USES_CHECKPOINT = ("segment", "rebuild", "ground", "refer", "label", "paint")
# Items of a run that its record counts but gives no wall time for, only the time of each.
ITEMS = ("num_narratives", "num_asked")


@dataclass(frozen=True)
class Expected:
    """What a stage is expected to take.

    Attributes:
        seconds: Wall time of all its seeds, None if unknown.
        source: Where the time comes from: ``recorded``, ``reference`` or ``unknown``.
        disk_gib: Size of its outputs at their last run (workspace and cache), None if unknown.
        memory_gib: Peak memory, None if unknown.
    """

    seconds: float | None
    source: str
    disk_gib: float | None
    memory_gib: float | None


class Records:
    """Recorded runs and reference times of one scale.

    Args:
        root: The project.
        params: Content of ``params.yaml``.
        locked: The stages in ``dvc.lock``.
    """

    def __init__(
        self, root: Path, params: Mapping[str, Any], locked: Mapping[str, Any] | None = None
    ) -> None:
        self.root, self.params, self.locked = root, params, locked or {}
        self.layout = Layout(params["scale"])
        reference = root / "configs" / self.layout.scale / "expected_times.yaml"
        self.reference = read_yaml(reference) if reference.is_file() else {}
        self._config_iterations = cache(self._read_iterations)

    def expected(self, name: str) -> Expected:
        """Return what a stage is expected to take."""
        kind, _, key = name.partition("@")
        runs = self._runs(kind, key)
        recorded = known(self._scaled_seconds(kind, key, run) for run in runs)
        reference = _look_up(self.reference.get("seconds"), kind, key)
        seconds, source = None, UNKNOWN
        if recorded:
            seconds, source = fmean(recorded), RECORDED
        elif reference is not None:
            seconds, source = reference * self._scale_of_reference(kind, key), REFERENCE
        if seconds is not None:
            seconds *= self._num_seeds(kind, key)
        memory = max(known(run.get("peak_memory_gib") for run in runs), default=None)
        if memory is None:
            memory = _look_up(self.reference.get("memory_gib"), kind, key)
        return Expected(seconds, source, self._disk_gib(name), memory)

    def _runs(self, kind: str, key: str) -> list[dict[str, Any]]:
        """Return the records of a stage's last run, one a seed."""
        layout = self.layout
        places: dict[str, Callable[[], Path]] = {
            **dict.fromkeys(
                ("train", "finetune", "transfer"), lambda: layout.checkpoints(key) / "train.json"
            ),
            **dict.fromkeys(
                ("pretrain", "pretrain_joint"), lambda: layout.pretrained(key) / "pretrain.json"
            ),
            **dict.fromkeys(
                ("segment", "rebuild", "sam"), lambda: layout.entities(key) / "segment.json"
            ),
            "ground": lambda: layout.groundings(key) / "groundings.json",
            "refer": lambda: layout.referrings(key) / "refer.json",
            "label": lambda: layout.labels(key) / "label.json",
            "paint": lambda: layout.maps(key) / "paint.json",
        }
        if kind not in places:
            return []
        try:
            return list(_read_json(self.root / places[kind]())["runs"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _scaled_seconds(self, kind: str, key: str, run: Mapping[str, Any]) -> float | None:
        """Return what a recorded run would take as it is configured now."""
        if run.get("wall_time_s") is None:
            items = next((run[name] for name in ITEMS if run.get(name)), None)
            each = run.get("infer_time_ms")
            return items * each / 1000 if items and each else None
        seconds = float(run["wall_time_s"])
        if kind in TRAININGS:
            return seconds * _ratio(self._iterations(kind, key), run.get("iterations"))
        return seconds * _ratio(self._num_pictures(kind, key), run.get("num_images"))

    def _scale_of_reference(self, kind: str, key: str) -> float:
        """Return by how much the user's overrides lengthen a training."""
        if kind not in TRAININGS or self._overridden_iterations(kind, key) is None:
            return 1.0
        config = str(self._instance(kind, key).get("config"))
        return _ratio(self._overridden_iterations(kind, key), self._config_iterations(config))

    def _iterations(self, kind: str, key: str) -> float | None:
        """Return the iterations that a training would have now; None if that cannot be told."""
        asked = self._overridden_iterations(kind, key)
        return asked or self._config_iterations(str(self._instance(kind, key).get("config")))

    def _overridden_iterations(self, kind: str, key: str) -> float | None:
        overrides = self._instance(kind, key).get("overrides") or {}
        return _number((overrides.get("train_cfg") or {}).get("max_iters"))

    def _read_iterations(self, config: str) -> float | None:
        from workbench.stages.resolve import load_config

        try:
            content = load_config(self.root / self.layout.source_config(config))
        except EsgError:  # the stage resolve will say what is wrong with it
            return None
        return _number((content.get("train_cfg") or {}).get("max_iters"))

    def _num_pictures(self, kind: str, key: str) -> float | None:
        """Return the pictures of a stage's split, if its data set is there."""
        item = self._instance(kind, key)
        manifest = self.root / self.layout.manifest(str(item.get("dataset")))
        try:
            split = _read_json(manifest)["splits"][item.get("split", "val")]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return _number(split.get("num_images"))

    def _num_seeds(self, kind: str, key: str) -> int:
        """Return the runs of a stage: its seeds, or those of the training that it uses."""
        if kind in TRAININGS:
            kinds: tuple[str, ...] = (kind,)
        elif kind in USES_CHECKPOINT:
            kinds, key = TRAININGS, self._instance(kind, key).get("checkpoint", key)
        else:
            return 1
        return max(len(self._instance(each, key).get("seeds", [0])) for each in kinds)

    def _instance(self, kind: str, key: str) -> dict[str, Any]:
        return (self.params.get(kind) or {}).get(key) or {}

    def _disk_gib(self, name: str) -> float | None:
        outputs = self.locked.get(name, {}).get("outs", [])
        ours = [out for out in outputs if f"/{self.layout.scale}/" in out["path"]]
        return total(COPIES * out.get("size", 0) / GIB for out in ours)


def known(values: Iterable[float | None]) -> list[float]:
    """Return the values that are known."""
    return [value for value in values if value is not None]


def total(values: Iterable[float | None]) -> float | None:
    """Return the sum of the values that are known; None if none is."""
    found = known(values)
    return sum(found) if found else None


def _ratio(planned: float | None, recorded: Any) -> float:
    """Return planned over recorded work; 1 where either is not known."""
    before = _number(recorded)
    return planned / before if planned and before else 1.0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _look_up(table: Any, kind: str, key: str) -> float | None:
    """Return a reference value: a map by stage of one number or of a map by instance."""
    value = (table or {}).get(kind)
    return _number(value.get(key) if isinstance(value, dict) else value)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
