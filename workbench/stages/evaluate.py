"""Score one row of a table: predictions against annotations, with costs and provenance.

    python -m workbench.stages.evaluate VI__cropformer

Reads ``params.yaml`` and, of the scale named there, the data set's manifest, the predictions of
every seed and what the stages recorded about them; writes
``artifacts/<scale>/scores/<table>/<row>.json`` or, of one part of a row, ``<row>.<part>.json``.
Values are fractions, seconds, milliseconds, GiB, or in the units of ``metric``, a family of
docs/predictions.md.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, sha256_tree, write_json
from workbench.launching import Launch, launch_of
from workbench.metrics.coco_truth import CocoTruthFile
from workbench.params import instance, load_params, predicting_stage, scored
from workbench.paths import Layout, project_root
from workbench.scoring.families import FILE_METRICS, check_needed
from workbench.scoring.kinds import KINDS, Kind
from workbench.scoring.records import number, or_none, read_json, runs_of, summary
from workbench.scoring.split import ScoreJob, kind_of, score
from workbench.stages.cli import run_stage

COSTS = ("mem_train_GB", "mem_infer_GB", "train_time_s", "train_device_s", "infer_time_ms")
# What ``esg evaluate --metric`` accepts: a family of each kind of predictions, or one number of it.
FAMILIES = {"entity_ap": "entities", "grounding_recall": "groundings"}
METRIC_NAMES = (*FAMILIES, *FILE_METRICS, *(n for kind in KINDS.values() for n in kind.metrics))

_FROM_TRAIN = ("run_id", "git_commit", "git_dirty", "config_sha256", "data_sha256", "code_sha256")


@dataclass(frozen=True)
class SeedScore:
    """Numbers of one seed: metric values (NaN where undefined), provenance, remarks, sizes."""

    values: dict[str, float]
    provenance: dict[str, Any]
    remarks: list[str]
    sizes: dict[str, int]


@dataclass(frozen=True)
class _Source:
    """The predictions of a row: their kind, their folder, its record, the stage that made them."""

    kind: Kind
    folder: Path
    record: dict[str, Any]
    stage: str | None

    @property
    def fix(self) -> str:
        return _made_by(self.kind, self.folder, self.stage)

    def runs(self) -> list[dict[str, Any]]:
        return runs_of(self.record, self.folder / self.kind.record, self.fix)


def evaluate(key: str) -> Path:
    """Score one row and return the file it is in; predictions that wait give a score that does.

    Raises:
        BadInput: Unknown key, faulty annotations or predictions, or predictions made with another
            checkpoint than the one there now.
        MissingInput: An earlier stage has not run.
    """
    params = load_params()
    item = scored(params, key)
    for field in ("table", "row", "predictions", "dataset"):
        if field not in item:
            raise BadInput("params.yaml", f"evaluate.{key}.{field}", "missing", "name it")
    layout = Layout(params["scale"])
    dataset, split = item["dataset"], item.get("split", "val")
    kind = _kind(key, str(item["predictions"]), item.get("metric"))
    source = _source(layout, params, kind, item["predictions"])
    target = layout.score(item["table"], item["row"])
    own = {"table": item["table"], "row": item["row"], "scale": layout.scale}
    if "waits" in source.record:
        write_json(target, {**own, "waits": source.record["waits"]})
        return target
    job = ScoreJob(
        title=key,
        folder=source.folder.parent.name,
        metric=item.get("metric"),
        path="",
        manifest=str(layout.manifest(dataset)),
        split=split,
        fix=f"dvc repro prep@{dataset}",
        about=source.record,
    )
    trained, launch = _train_runs(layout, params, source, item), launch_of(params)
    seeds = [_score_seed(source, run, trained[run["seed"]], job, launch) for run in source.runs()]
    content = {
        **own,
        **_aggregate(kind, seeds),
        "score": source.record.get("score"),
        **seeds[0].sizes,
    }
    write_json(target, content)
    return target


def _kind(key: str, predictions: str, metric: str | None) -> Kind:
    folder, _, name = predictions.partition("/")
    where = f"evaluate.{key}.predictions"
    if metric in FILE_METRICS:
        if not folder or not name or ".." in predictions.split("/"):
            raise BadInput("params.yaml", where, repr(predictions), "use <folder>/<key>")
        return kind_of(folder, metric)
    if folder not in KINDS or not name:
        known = ", ".join(f"{name}/<key of {kind.stage}>" for name, kind in KINDS.items())
        fix = f"use one of: {known}; or give evaluate.{key}.metric"
        raise BadInput("params.yaml", where, repr(predictions), fix)
    if metric is not None and FAMILIES.get(metric) != folder:
        own = next(name for name, kind in FAMILIES.items() if kind == folder)
        fix = f"use one of {', '.join((own, *FILE_METRICS))}"
        raise BadInput("params.yaml", f"evaluate.{key}.metric", repr(metric), fix)
    return kind_of(folder, metric)


def _source(layout: Layout, params: dict[str, Any], kind: Kind, predictions: str) -> _Source:
    folder = layout.artifacts / predictions
    stage = predicting_stage(params, predictions)
    record = read_json(folder / kind.record, _made_by(kind, folder, stage))
    return _Source(kind, folder, record, stage)


def _made_by(kind: Kind, folder: Path, stage: str | None) -> str:
    if stage is None:
        return f"write {folder / kind.record}, see workbench/scoring/rows.py"
    return f"dvc repro {stage}@{folder.name}"


def evaluate_predictions(
    predictions: Path | None,
    dataset: str,
    metric: str = "entity_ap",
    split: str = "val",
    threshold: float = 0.5,
) -> dict[str, Any]:
    """Score one predictions file, of a stage or of any other tool.

    Args:
        predictions: Entities file (``.jsonl``), COCO results list (``.json``) or, for metrics of
            groundings, a groundings file (``.jsonl``; masks that are not the annotated ones in
            ``NAME.entities.jsonl`` beside it); for the other families see docs/predictions.md.
            None for ``shape_statistics`` of a data set itself.
        dataset: A data set of ``params.yaml``, a path to a manifest, or, for entities and the
            families scored from files, to an annotation file or folder.
        metric: One of ``METRIC_NAMES``.
        split: Split of the data set; not used with an annotation file.
        threshold: Probability above which a plural phrase means an entity; for groundings.

    Returns:
        ``metrics`` by name (fractions, None where undefined; ``units`` names those that are
        something else), counts and remarks.

    Raises:
        BadInput, MissingInput: Unknown metric, or files that cannot be used.
    """
    if metric not in METRIC_NAMES:
        raise BadInput("--metric", metric, "unknown", f"use one of {', '.join(METRIC_NAMES)}")
    check_needed(predictions, metric)
    if metric in FILE_METRICS:
        return _evaluate_files(predictions, dataset, metric, split)
    assert predictions is not None
    name = FAMILIES.get(metric) or next(n for n, k in KINDS.items() if metric in k.metrics)
    kind = KINDS[name]
    truth = _named_truth(kind, dataset, split)
    scores = kind.score(predictions, truth, {"threshold": threshold})
    chosen = kind.metrics if metric in FAMILIES else (metric,)
    return {
        "predictions": str(predictions),
        "dataset": dataset,
        "metrics": {name: or_none(scores.values[name]) for name in chosen},
        **scores.counts,
        "remarks": scores.remarks,
    }


def _evaluate_files(
    predictions: Path | None, dataset: str, metric: str, split: str
) -> dict[str, Any]:
    family, path = FILE_METRICS[metric], Path(dataset)
    if path.suffix != ".json" and not path.is_dir():
        path = project_root() / Layout(load_params()["scale"]).manifest(dataset)
        if not path.is_file():
            raise MissingInput(path, f"run `dvc repro prep@{dataset}`, or give a path")
    scores = family.score(predictions, path, split)
    return {
        "predictions": None if predictions is None else str(predictions),
        "dataset": dataset,
        "split": split,
        "metrics": {name: or_none(value) for name, value in scores.values.items()},
        "units": dict(family.units),
        **scores.counts,
        "remarks": scores.remarks,
    }


def _named_truth(kind: Kind, dataset: str, split: str) -> Any:
    """Return the annotations that ``--dataset`` names."""
    path = Path(dataset)
    if path.suffix != ".json":
        manifest = project_root() / Layout(load_params()["scale"]).manifest(dataset)
        fix = f"run `dvc repro prep@{dataset}`, or give a manifest or an annotation file"
        return kind.truth(manifest, split, fix)
    content = read_json(path, "give a manifest or a COCO annotation file")
    if "splits" in content or kind is not KINDS["entities"]:
        return kind.truth(path, split, "give a manifest")
    return CocoTruthFile(path)


def _train_runs(
    layout: Layout, params: dict[str, Any], source: _Source, item: Mapping[str, Any]
) -> dict[int, dict[str, Any]]:
    """Return what training recorded, by seed; empty for predictions that another tool wrote."""
    seeds = [run["seed"] for run in source.runs()]
    made = item
    if source.stage is not None:
        made = instance(params, source.stage, source.folder.name)
    checkpoint = made.get("checkpoint")
    if checkpoint is None:
        return {seed: {} for seed in seeds}
    path = layout.checkpoints(checkpoint) / "train.json"
    runs = {run["seed"]: run for run in runs_of(read_json(path, source.fix), path, source.fix)}
    for seed in seeds:
        if seed not in runs:
            problem = f"no seed {seed}, of which there are {source.folder.parent.name}"
            raise BadInput(path, "runs", problem, source.fix)
    return runs


def _score_seed(
    source: _Source,
    made: Mapping[str, Any],
    trained: Mapping[str, Any],
    job: ScoreJob,
    launch: Launch,
) -> SeedScore:
    seed = made["seed"]
    _check_same_checkpoint(source, made, trained)
    path = source.kind.file(source.folder, seed)
    job = replace(job, title=f"{job.title} seed {seed}", path=str(path))
    scores, sizes = score(job, launch)
    wall_time, devices = trained.get("wall_time_s"), trained.get("num_devices", 1)
    costs = {
        "mem_train_GB": number(trained.get("peak_memory_gib")),
        "mem_infer_GB": number(made.get("peak_memory_gib")),
        "train_time_s": number(wall_time),
        "train_device_s": number(wall_time) * devices,
        "infer_time_ms": number(made.get("infer_time_ms")),
    }
    provenance = {
        "seed": seed,
        **{name: trained.get(name) for name in _FROM_TRAIN},
        "checkpoint_sha256": made.get("checkpoint_sha256"),
        **{name: made[name] for name in ("masks_checkpoint_sha256",) if name in made},
        "predictions_sha256": _sha256(path),
        "eval_data_sha256": made.get("data_sha256"),
        "wall_time_s": wall_time,
        "peak_memory_gib": trained.get("peak_memory_gib"),
        "device": trained.get("device") or made.get("device"),
        **scores.counts,
    }
    values = {**scores.values, **source.kind.measurements(made), **costs}
    return SeedScore(values, provenance, scores.remarks, sizes)


def _sha256(path: Path) -> str:
    """Hash predictions: a file, a folder, or a file with its pictures in the folder beside it."""
    folder = path.with_suffix("")
    if not folder.is_dir():
        return sha256_file(path)
    own = sha256_file(path) if path.is_file() else ""
    return hashlib.sha256((own + sha256_tree(folder)).encode()).hexdigest()


def _check_same_checkpoint(
    source: _Source, made: Mapping[str, Any], trained: Mapping[str, Any]
) -> None:
    used, there = made.get("checkpoint_sha256"), trained.get("checkpoint_sha256")
    if used and there and used != there:
        raise BadInput(
            source.folder / source.kind.record,
            f"seed {made['seed']}: checkpoint_sha256",
            f"{used[:12]} is not the trained checkpoint {there[:12]}",
            source.fix,
        )


def _aggregate(kind: Kind, seeds: Sequence[SeedScore]) -> dict[str, Any]:
    names = (*kind.metrics, *kind.measured, *COSTS)
    metrics = {name: summary([seed.values[name] for seed in seeds]) for name in names}
    remarks = sorted({remark for seed in seeds for remark in seed.remarks})
    return {
        "metrics": metrics,
        "provenance": [seed.provenance for seed in seeds],
        "remarks": remarks,
    }


if __name__ == "__main__":
    sys.exit(run_stage(evaluate, sys.argv))
