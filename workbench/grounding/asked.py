"""Asking a grounding model about every item of a split: what `refer` and `label` have in common."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file
from workbench.grounding.given import in_batches
from workbench.grounding.grounder import Grounder
from workbench.grounding.journal import Journal
from workbench.shards import Shard, in_turns

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
        results: Yields the result of every item, in order.
        measured: ``num_asked`` items; ``infer_time_ms`` an item in batches of ``BATCH``, reading
            photographs and making masks included; ``num_resumed`` items that an earlier, killed
            process had done; hashes, device, and ``journals``, the files to delete when the
            predictions are where they belong.
    """

    results: Callable[[], Iterator[dict[str, Any]]]
    measured: dict[str, Any]


def ask_all(
    job: AskJob,
    items: Iterable[T],
    answer: Callable[[Grounder, list[T]], list[dict[str, Any]]],
    say: Say,
) -> Asked | None:
    """Answer every item, from where an earlier process with equal inputs was stopped.

    Of several processes each answers its batches, and the first returns all results.

    Args:
        job: What is asked.
        items: Cheap to make, in an order that depends on the data alone.
        answer: From a batch to one result an item, of what fits into JSON.
        say: Takes progress lines.

    Returns:
        None in the other processes.

    Raises:
        BadInput, MissingInput: Checkpoint, data or a photograph cannot be used; no item.
    """
    import torch

    from workbench.engine.session import limit_threads

    threads = limit_threads()
    shard = Shard()
    device = shard.device()
    grounder = Grounder.from_checkpoint(Path(job.checkpoint), device, job.overrides, job.field)
    hashes = _hashes(job)
    name = _fingerprint(job, hashes, grounder, shard.count)[:16]
    paths = [Path(job.work_dir) / f"{name}-{rank}.jsonl" for rank in range(shard.count)]
    journal = Journal(paths[shard.rank])
    resumed, told = journal.num_done, time.perf_counter()
    if resumed:
        say(f"{job.title}: goes on after {resumed}")
    done = -(-resumed // BATCH)
    for batch in islice(shard.of(in_batches(items, BATCH)), done, None):
        begin = time.perf_counter()
        journal.append(answer(grounder, batch), time.perf_counter() - begin)
        if time.perf_counter() - told > PROGRESS_INTERVAL_S:
            told = time.perf_counter()
            say(f"{job.title}: {journal.num_done} done")
    gathered = shard.gather((journal.num_done, resumed, journal.seconds))
    if not gathered:
        return None
    num_asked, num_resumed, seconds = map(sum, zip(*gathered, strict=True))
    if num_asked == 0:
        raise BadInput(job.manifest, f"splits.{job.split}", "nothing to ask about", "run prep")
    measured = {
        "num_asked": num_asked,
        "num_resumed": num_resumed,
        "infer_time_ms": 1000 * seconds / num_asked,
        **hashes,
        "journals": [str(path) for path in paths],
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }
    journals = [Journal(path) for path in paths]
    return Asked(lambda: in_turns([each.results() for each in journals], BATCH), measured)


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


def _fingerprint(
    job: AskJob, hashes: dict[str, str | None], grounder: Grounder, processes: int
) -> str:
    """Return a SHA-256 over inputs, parameters and code, wherever the files lie."""
    from workbench.engine.fingerprint import code_hashes

    places = ("title", "checkpoint", "manifest", "entities", "field", "work_dir", "output")
    asked = {name: value for name, value in asdict(job).items() if name not in places}
    modules = ["workbench.grounding", type(grounder.model).__module__]
    parts = {
        **asked,
        **hashes,
        "code": code_hashes(modules),
        "batch": BATCH,
        "processes": processes,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
