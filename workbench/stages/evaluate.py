"""Score one row of a table: entities against annotations, with costs and provenance.

    python -m workbench.stages.evaluate VI__cropformer

Reads ``params.yaml`` and, of the scale named there, the data set's manifest, the entities of every
seed and what the train and segment stages recorded about them; writes
``artifacts/<scale>/scores/<table>/<row>.json``. Values are fractions, seconds, milliseconds, GiB.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, write_json
from workbench.metrics import entity_ap
from workbench.metrics.predictions import read_predictions
from workbench.params import instance, load_params
from workbench.paths import Layout, project_root
from workbench.stages.cli import run_stage

COSTS = ("mem_train_GB", "mem_infer_GB", "train_time_s", "train_device_s", "infer_time_ms")
# What ``esg evaluate --metric`` accepts: the whole family, or one number of it.
METRIC_NAMES = ("entity_ap", *entity_ap.METRICS)

_FROM_TRAIN = ("run_id", "git_commit", "git_dirty", "config_sha256", "data_sha256", "code_sha256")


@dataclass(frozen=True)
class SeedScore:
    """Numbers of one seed: metric values (NaN where undefined), provenance, remarks."""

    values: dict[str, float]
    provenance: dict[str, Any]
    remarks: list[str]


def evaluate(key: str) -> Path:
    """Score one row and return the file it is in.

    Raises:
        BadInput: Unknown key, faulty annotations or predictions, or entities made with another
            checkpoint than the one there now.
        MissingInput: An earlier stage has not run.
    """
    params = load_params()
    item = instance(params, "evaluate", key)
    for field in ("table", "row", "entities", "dataset"):
        if field not in item:
            raise BadInput("params.yaml", f"evaluate.{key}.{field}", "missing", "name it")
    layout = Layout(params["scale"])
    dataset, split = item["dataset"], item.get("split", "val")
    ground_truth = load_split(layout.manifest(dataset), split, f"dvc repro prep@{dataset}")
    entities = item["entities"]
    segmented, score_kind = _segment_runs(layout, entities)
    trained = _train_runs(layout, params, entities, [run["seed"] for run in segmented])
    folder = layout.entities(entities)
    seeds = [_score_seed(folder, run, trained[run["seed"]], ground_truth) for run in segmented]
    target = layout.score(item["table"], item["row"])
    row = {"table": item["table"], "row": item["row"], "scale": layout.scale}
    counts = {
        "num_images": len(ground_truth["images"]),
        "num_entities": sum(not a.get("iscrowd", 0) for a in ground_truth["annotations"]),
    }
    write_json(target, {**row, **_aggregate(seeds), "score": score_kind, **counts})
    return target


def evaluate_predictions(
    predictions: Path, dataset: str, metric: str = "entity_ap", split: str = "val"
) -> dict[str, Any]:
    """Score one predictions file, of the segment stage or of any other tool.

    Args:
        predictions: Entities file (``.jsonl``) or COCO results list (``.json``).
        dataset: A data set of ``params.yaml``, a path to a manifest, or a path to a COCO
            annotation file.
        metric: One of ``METRIC_NAMES``.
        split: Split of the data set; not used with an annotation file.

    Returns:
        ``metrics`` by name (fractions, None where undefined), counts and remarks.
    """
    if metric not in METRIC_NAMES:
        raise BadInput("--metric", metric, "unknown", f"use one of {', '.join(METRIC_NAMES)}")
    ground_truth = _named_ground_truth(dataset, split)
    values, counts, remarks = _score_file(predictions, ground_truth)
    chosen = entity_ap.METRICS if metric == "entity_ap" else (metric,)
    return {
        "predictions": str(predictions),
        "dataset": dataset,
        "metrics": {name: _or_none(values[name]) for name in chosen},
        **counts,
        "remarks": remarks,
    }


def load_split(manifest: Path, split: str, fix: str) -> dict[str, Any]:
    """Return one split as class-agnostic COCO ground truth, read by the data set's own adapter."""
    from workbench.datasets import load_entities

    if not manifest.is_file():
        raise MissingInput(manifest, fix)
    return load_entities(manifest, split).to_coco()


def _named_ground_truth(dataset: str, split: str) -> dict[str, Any]:
    path = Path(dataset)
    if path.suffix != ".json":
        manifest = project_root() / Layout(load_params()["scale"]).manifest(dataset)
        fix = f"run `dvc repro prep@{dataset}`, or give a manifest or an annotation file"
        return load_split(manifest, split, fix)
    content = read_json(path, "give a manifest or a COCO annotation file")
    if "splits" in content:
        return load_split(path, split, "give a manifest")
    return entity_ap.load_ground_truth(path)


def read_json(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object written by an earlier stage.

    Raises:
        MissingInput: No such file.
        BadInput: Not a JSON object.
    """
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", fix) from error
    if not isinstance(value, dict):
        raise BadInput(path, "top level", "not an object", fix)
    return value


def _segment_runs(layout: Layout, key: str) -> tuple[list[dict[str, Any]], str | None]:
    path, fix = layout.entities(key) / "segment.json", f"dvc repro segment@{key}"
    record = read_json(path, fix)
    return _runs(record, path, fix), record.get("score")


def _train_runs(
    layout: Layout, params: dict[str, Any], key: str, seeds: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return what training recorded, by seed; empty for entities that another tool wrote."""
    checkpoint = instance(params, "segment", key).get("checkpoint")
    if checkpoint is None:
        return {seed: {} for seed in seeds}
    path, fix = layout.checkpoints(checkpoint) / "train.json", f"dvc repro segment@{key}"
    runs = {run["seed"]: run for run in _runs(read_json(path, fix), path, fix)}
    for seed in seeds:
        if seed not in runs:
            raise BadInput(path, "runs", f"no seed {seed}, of which there are entities", fix)
    return runs


def _runs(record: Mapping[str, Any], path: Path, fix: str) -> list[dict[str, Any]]:
    runs = record.get("runs")
    if not isinstance(runs, list) or not runs:
        raise BadInput(path, "runs", "no run", fix)
    for index, run in enumerate(runs):
        if not isinstance(run, dict) or not isinstance(run.get("seed"), int):
            raise BadInput(path, f"runs[{index}].seed", "missing", fix)
    return runs


def _score_seed(
    folder: Path,
    segmented: Mapping[str, Any],
    trained: Mapping[str, Any],
    ground_truth: Mapping[str, Any],
) -> SeedScore:
    seed = segmented["seed"]
    _check_same_checkpoint(folder, segmented, trained)
    path = folder / f"seed-{seed}.jsonl"
    values, counts, remarks = _score_file(path, ground_truth)
    wall_time, devices = trained.get("wall_time_s"), trained.get("num_devices", 1)
    costs = {
        "mem_train_GB": trained.get("peak_memory_gib"),
        "mem_infer_GB": segmented.get("peak_memory_gib"),
        "train_time_s": wall_time,
        "train_device_s": None if wall_time is None else wall_time * devices,
        "infer_time_ms": segmented.get("infer_time_ms"),
    }
    provenance = {
        "seed": seed,
        **{name: trained.get(name) for name in _FROM_TRAIN},
        "checkpoint_sha256": segmented.get("checkpoint_sha256"),
        "entities_sha256": sha256_file(path),
        "eval_data_sha256": segmented.get("data_sha256"),
        "wall_time_s": wall_time,
        "peak_memory_gib": trained.get("peak_memory_gib"),
        "device": trained.get("device") or segmented.get("device"),
        **counts,
    }
    numbers = {name: math.nan if cost is None else float(cost) for name, cost in costs.items()}
    return SeedScore({**values, **numbers}, provenance, remarks)


def _check_same_checkpoint(
    folder: Path, segmented: Mapping[str, Any], trained: Mapping[str, Any]
) -> None:
    used, made = segmented.get("checkpoint_sha256"), trained.get("checkpoint_sha256")
    if used and made and used != made:
        raise BadInput(
            folder / "segment.json",
            f"seed {segmented['seed']}: checkpoint_sha256",
            f"{used[:12]} is not the trained checkpoint {made[:12]}",
            f"dvc repro segment@{folder.name}",
        )


def _score_file(
    path: Path, ground_truth: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, int], list[str]]:
    sizes = entity_ap.image_sizes(ground_truth)
    predictions = read_predictions(path, sizes)
    scores = entity_ap.score_entities(ground_truth, predictions.results)
    counts = {
        "num_images": scores.num_images,
        "num_entities": scores.num_entities,
        "num_predictions": scores.num_predictions,
        "images_without_prediction": len(sizes) - len(predictions.image_ids),
        "entities_with_id_zero": scores.num_id_zero,
    }
    remarks = scores.remarks()
    if counts["images_without_prediction"]:
        remarks.append(
            f"{counts['images_without_prediction']} of {len(sizes)} images have no prediction "
            "record; their entities count as missed."
        )
    return scores.metrics, counts, remarks


def _aggregate(seeds: Sequence[SeedScore]) -> dict[str, Any]:
    metrics = {
        name: summary([seed.values[name] for seed in seeds])
        for name in (*entity_ap.METRICS, *COSTS)
    }
    remarks = sorted({remark for seed in seeds for remark in seed.remarks})
    return {
        "metrics": metrics,
        "provenance": [seed.provenance for seed in seeds],
        "remarks": remarks,
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Return per-seed values, mean, sample standard deviation and their number.

    A value that is undefined in one seed makes the mean undefined: leaving it out would flatter a
    row whose seeds fail. The deviation is None with one seed.
    """
    defined = all(math.isfinite(value) for value in values) and bool(values)
    several = defined and len(values) > 1
    return {
        "values": [_or_none(value) for value in values],
        "mean": statistics.fmean(values) if defined else None,
        "std": statistics.stdev(values) if several else None,
        "n": len(values),
    }


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    os.chdir(project_root())
    sys.exit(run_stage(evaluate, sys.argv))
