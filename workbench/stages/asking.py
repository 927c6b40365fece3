"""What the stages ``refer`` and ``label`` share: one job a seed, one folder written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.grounding.asked import AskJob
from workbench.jobs import run_job
from workbench.launching import launch_of
from workbench.params import instance, load_params
from workbench.paths import Layout, store_root
from workbench.scoring.records import read_json, runs_of
from workbench.stages.segment import finished_checkpoints

MANIFEST = "manifest.json"


def ask_with_every_seed(stage: str, key: str, modes: tuple[str, ...], suffix: str) -> Path:
    """Run ``workbench.grounding.STAGE`` with the checkpoint of every seed.

    Args:
        stage: "refer" or "label"; also the map of ``params.yaml`` and the name of the record.
        key: Instance in that map.
        modes: Allowed values of its ``mode``.
        suffix: What ``seed-<s>`` is followed by in a job's ``output``.

    Returns:
        The folder written: predictions, and ``STAGE.json`` with what each seed took.

    Raises:
        BadInput: Unknown key, or a checkpoint, data set or field that cannot be used.
        MissingInput: An earlier stage has not run.
        EsgError: A seed's process failed; it has said why.
    """
    params = load_params()
    item = instance(params, stage, key)
    check_instance(f"{stage}.{key}", item, modes)
    layout, launch = Layout(params["scale"]), launch_of(params)
    manifest = layout.manifest(item["dataset"])
    if not manifest.is_file():
        raise MissingInput(manifest, f"dvc repro prep@{item['dataset']}")
    runs: list[dict[str, Any]] = []
    journals: list[Path] = []
    target = {"refer": layout.referrings, "label": layout.labels}[stage](key)
    with atomic_folder(target) as aside:
        for seed, checkpoint in finished_checkpoints(layout, item["checkpoint"], "finetune"):
            entities = entities_of_seed(layout, item["masks"], seed)
            job = AskJob(
                title=f"{key} seed {seed}",
                checkpoint=str(checkpoint),
                manifest=str(manifest),
                split=item["split"],
                entities=None if entities is None else str(entities),
                mode=item["mode"],
                threshold=float(item["threshold"]),
                overrides=item.get("overrides") or {},
                field=f"{stage}.{key}.overrides",
                work_dir=str(store_root() / "work_dirs" / stage),
                output=str(aside / f"seed-{seed}{suffix}"),
                asked=item.get("asked"),
            )
            measured = run_job(f"workbench.grounding.{stage}", job, launch)
            journals += [Path(name) for name in measured.pop("journals")]
            runs.append({"seed": seed, **made_with(entities), **measured})
        about = {name: item[name] for name in ("dataset", "split", "masks", "mode", "threshold")}
        content = {"key": key, "scale": layout.scale, **about, "runs": runs}
        write_json(aside / f"{stage}.json", content)
    for journal in journals:
        journal.unlink(missing_ok=True)
    return target


def check_instance(field: str, item: dict[str, Any], modes: tuple[str, ...]) -> None:
    """Refuse an instance with a field missing or out of range.

    Raises:
        BadInput: Which one.
    """
    for name in ("checkpoint", "dataset", "split", "masks", "mode", "threshold"):
        if name not in item:
            raise BadInput("params.yaml", f"{field}.{name}", "missing", "add it")
    if item["mode"] not in modes:
        fix = f"use one of: {', '.join(modes)}"
        raise BadInput("params.yaml", f"{field}.mode", repr(item["mode"]), fix)
    check_masks(field, item)
    check_threshold(field, item["threshold"])


def check_masks(field: str, item: dict[str, Any]) -> None:
    """Refuse masks that are neither the data set's own nor of the segment stage.

    Raises:
        BadInput: They are not.
    """
    masks, annotated = item["masks"], f"data/{item['dataset']}/{MANIFEST}"
    if masks != annotated and not str(masks).startswith("entities/"):
        fix = f"use {annotated} (the annotated masks) or entities/<key of segment>"
        raise BadInput("params.yaml", f"{field}.masks", repr(masks), fix)


def check_threshold(field: str, threshold: Any) -> None:
    """Refuse a threshold that is no number from 0 to 1.

    Raises:
        BadInput: It is not.
    """
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not number or not 0 <= threshold <= 1:
        raise BadInput("params.yaml", f"{field}.threshold", repr(threshold), "give 0 to 1")


def entities_of_seed(layout: Layout, masks: str, seed: int) -> Path | None:
    """Return the entities file of the same seed, or the first; None: annotated masks.

    Raises:
        MissingInput: The segment stage has not run.
    """
    if masks.endswith(MANIFEST):
        return None
    folder = layout.artifacts / masks
    same = folder / f"seed-{seed}.jsonl"
    found = sorted(folder.glob("seed-*.jsonl"))
    if not found:
        raise MissingInput(same, f"dvc repro segment@{folder.name}")
    return same if same.is_file() else found[0]


def made_with(entities: Path | None) -> dict[str, str]:
    """Return whose masks an entities file holds, for the record of what was made with them.

    Returns:
        ``masks_checkpoint_sha256`` of the model of the segment stage; nothing for annotated masks.

    Raises:
        BadInput, MissingInput: The segment stage's own record is missing or cannot be read.
    """
    if entities is None:
        return {}
    path = entities.parent / "segment.json"
    fix = f"dvc repro segment@{entities.parent.name}"
    for run in runs_of(read_json(path, fix), path, fix):
        if entities.name == f"seed-{run['seed']}.jsonl":
            return {"masks_checkpoint_sha256": str(run.get("checkpoint_sha256"))}
    raise BadInput(path, "runs", f"none made {entities.name}", fix)
