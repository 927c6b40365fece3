"""Rebuilt entities of a whole split by one checkpoint, with time and memory; its own process.

Run as ``python -m workbench.rebuilding.split REQUEST``, where REQUEST is a JSON file with the
fields of `workbench.segmentation.split.SplitJob`; the measurements go to the same path with the
suffix ``.result.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.files import atomic_path, sha256_file
from workbench.jobs import answer_job
from workbench.rebuilding.rebuilder import Rebuilder, Source
from workbench.segmentation.split import PROGRESS_INTERVAL_S, SplitJob
from workbench.shards import Shard, in_turns

if TYPE_CHECKING:
    from workbench.datasets import EntityImage


def rebuild_split(job: SplitJob, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a record of rebuilt entities for each picture of a split.

    Returns:
        Measurements as those of the segment stage; ``infer_time_ms`` is from the colormap in memory
        to encoded masks at the photograph's size, of which there is no ``score``.

    Raises:
        BadInput, MissingInput: Checkpoint or data cannot be used.
    """
    import torch

    from workbench.datasets import load_entities
    from workbench.engine.memory import PeakMemory
    from workbench.engine.session import limit_threads

    threads = limit_threads()
    shard = Shard()
    device = shard.device()
    source = Source(Path(job.manifest), job.split)
    images = load_entities(*source)
    if len(images) == 0:
        raise BadInput(job.manifest, f"splits.{job.split}", "no images", "make the data set again")
    memory, started = PeakMemory(device), time.perf_counter()
    checkpoint = Path(job.checkpoint)
    rebuilder = Rebuilder.from_checkpoint(checkpoint, source, device, job.overrides, job.field)
    if len(rebuilder) != len(images):
        problem = f"reads {len(rebuilder)} of {len(images)} pictures"
        raise BadInput(checkpoint, "val_dataloader.dataset", problem, "let it read all")
    times = _write_records(rebuilder, images, job, shard, say)
    gathered = shard.gather((times, memory.read()))
    if not gathered:
        return {}
    shard.join(Path(job.output))
    times = list(in_turns(part for part, _ in gathered))
    return {
        "num_images": len(times),
        "infer_time_ms": 1000 * median(times),
        "wall_time_s": time.perf_counter() - started,
        "peak_memory_gib": max(peak for _, peak in gathered),
        "checkpoint_sha256": sha256_file(checkpoint),
        "data_sha256": sha256_file(source.manifest),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }


def _write_records(
    rebuilder: Rebuilder,
    images: Sequence[EntityImage],
    job: SplitJob,
    shard: Shard,
    say: Callable[[str], None],
) -> list[float]:
    """Write this process's JSON lines and return the seconds that each picture took the model."""
    times: list[float] = []
    told = time.perf_counter()
    output = shard.part(Path(job.output))
    with atomic_path(output) as aside, aside.open("w", encoding="utf-8") as stream:
        for place in shard.of(range(len(images))):
            image = images[place]
            batch = rebuilder.paint(place, image.image_id)
            if not times:
                rebuilder.rebuild(batch)
            begin = time.perf_counter()
            entities = rebuilder.rebuild(batch)
            times.append(time.perf_counter() - begin)
            record = {
                "image_id": image.image_id,
                "file_name": image.file_name,
                "height": image.height,
                "width": image.width,
                "entities": entities,
            }
            stream.write(json.dumps(record, allow_nan=False) + "\n")
            if time.perf_counter() - told > PROGRESS_INTERVAL_S:
                told = time.perf_counter()
                say(f"{job.title}: {place + 1} of {len(images)} pictures")
    return times


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], SplitJob, rebuild_split))
