"""Asking a grounding model about every item of a split: what `refer` and `label` have in common."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file
from workbench.grounding.given import in_batches
from workbench.grounding.grounder import Grounder
from workbench.grounding.journal import Journal

PROGRESS_INTERVAL_S = 30
BATCH = 16

Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class AskJob:
    """What to ask about with what.

    Attributes:
        title: For progress lines, e.g. ``gella-7b seed 0``.
        checkpoint: File of the finetune stage.
        manifest: File of the prep stage.
        split: Name of a split in the manifest, or of SGinW's sets its ending ("valid").
        entities: Entities file of the segment stage; None for the annotated masks.
        mode: How is asked: one of the stage's modes.
        threshold: Probability above which an answer counts.
        overrides: Nested values merged into the checkpoint's config.
        field: Where in ``params.yaml`` the overrides are, for errors.
        work_dir: Folder of unfinished work.
        output: What is written: a file, or a path beside it, see the stages.
        asked: Split whose pictures' classes `label` asks for; None for all that the annotations
            list.
    """

    title: str
    checkpoint: str
    manifest: str
    split: str
    entities: str | None
    mode: str
    threshold: float
    overrides: dict[str, Any]
    field: str
    work_dir: str
    output: str
    asked: str | None = None


@dataclass(frozen=True)
class Asked:
    """A finished round through a split.

    Attributes:
        journal: All results.
        measured: ``num_asked`` items; ``infer_time_ms`` an item in batches of ``BATCH``, reading
            photographs and making masks included; ``num_resumed`` items that an earlier, killed
            process had done; hashes, device, and ``journal``, the file to delete when the
            predictions are where they belong.
    """

    journal: Journal
    measured: dict[str, Any]


def ask_all(
    job: AskJob,
    items: Iterable[T],
    answer: Callable[[Grounder, list[T]], list[dict[str, Any]]],
    say: Say,
) -> Asked:
    """Answer every item, from where an earlier process with equal inputs was stopped.

    Args:
        job: What is asked.
        items: Cheap to make, in an order that depends on the data alone.
        answer: From a batch to one result an item, of what fits into JSON.
        say: Takes progress lines.

    Raises:
        BadInput, MissingInput: Checkpoint, data or a photograph cannot be used; no item.
    """
    import torch

    from workbench.engine.session import limit_threads

    threads = limit_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    grounder = Grounder.from_checkpoint(Path(job.checkpoint), device, job.overrides, job.field)
    hashes = _hashes(job)
    journal = Journal(Path(job.work_dir) / f"{_fingerprint(job, hashes, grounder)[:16]}.jsonl")
    resumed, told = journal.num_done, time.perf_counter()
    if resumed:
        say(f"{job.title}: goes on after {resumed}")
    for batch in in_batches(islice(items, resumed, None), BATCH):
        begin = time.perf_counter()
        journal.append(answer(grounder, batch), time.perf_counter() - begin)
        if time.perf_counter() - told > PROGRESS_INTERVAL_S:
            told = time.perf_counter()
            say(f"{job.title}: {journal.num_done} done")
    if journal.num_done == 0:
        raise BadInput(job.manifest, f"splits.{job.split}", "nothing to ask about", "run prep")
    measured = {
        "num_asked": journal.num_done,
        "num_resumed": resumed,
        "infer_time_ms": 1000 * journal.seconds / journal.num_done,
        **hashes,
        "journal": str(journal.path),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }
    return Asked(journal, measured)


def _hashes(job: AskJob) -> dict[str, str | None]:
    """Return the hashes of what is read; photographs go by the manifest's."""
    needed = {job.manifest: "run the stage prep"}
    if job.entities:
        needed[job.entities] = f"dvc repro segment@{Path(job.entities).parent.name}"
    for name, fix in needed.items():
        if not Path(name).is_file():
            raise MissingInput(name, fix)
    entities = sha256_file(Path(job.entities)) if job.entities else None
    return {
        "checkpoint_sha256": sha256_file(Path(job.checkpoint)),
        "data_sha256": sha256_file(Path(job.manifest)),
        "entities_sha256": entities,
    }


def _fingerprint(job: AskJob, hashes: dict[str, str | None], grounder: Grounder) -> str:
    """Return a SHA-256 over inputs, parameters and code, wherever the files lie."""
    from workbench.engine.fingerprint import code_hashes

    places = ("title", "checkpoint", "manifest", "entities", "field", "work_dir", "output")
    asked = {name: value for name, value in asdict(job).items() if name not in places}
    modules = ["workbench.grounding", type(grounder.model).__module__]
    parts = {**asked, **hashes, "code": code_hashes(modules), "batch": BATCH}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
