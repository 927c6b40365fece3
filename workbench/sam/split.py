"""SAM's masks of a whole split, with time and memory; a process of its own.

Run as ``python -m workbench.sam.split REQUEST``, where REQUEST is a JSON file with the fields of
`SamJob`; the measurements go to the same path with the suffix ``.result.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from workbench.errors import BadInput
from workbench.files import atomic_path, sha256_file, sha256_tree
from workbench.jobs import answer_job
from workbench.sam.masks import AutomaticMasks
from workbench.segmentation.split import pictures_of
from workbench.shards import Shard, in_turns

PROGRESS_INTERVAL_S = 30


@dataclass(frozen=True)
class SamJob:
    """What to segment with which weights.

    Attributes:
        title: For progress lines.
        weights: Folder of the model.
        manifest: File of the prep stage.
        split: Name of a split in the manifest.
        output: JSON lines to write.
    """

    title: str
    weights: str
    manifest: str
    split: str
    output: str


def segment_with_sam(job: SamJob, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a record of scored entities for each image of a split.

    Returns:
        Measurements as those of the segment stage; ``infer_time_ms`` is from the photograph in
        memory to encoded masks. ``checkpoint_sha256`` is the weights folder's.

    Raises:
        BadInput, MissingInput: Weights, data or a photograph cannot be used.
    """
    import torch

    from workbench.engine.memory import PeakMemory
    from workbench.engine.session import limit_threads

    threads = limit_threads()
    shard = Shard()
    device = shard.device()
    images = pictures_of(Path(job.manifest), job.split)
    if len(images) == 0:
        raise BadInput(job.manifest, f"splits.{job.split}", "no images", "make the data set again")
    memory, started = PeakMemory(device), time.perf_counter()
    times = _write_records(AutomaticMasks(Path(job.weights), device), images, job, shard, say)
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
        "checkpoint_sha256": sha256_tree(Path(job.weights)),
        "data_sha256": sha256_file(Path(job.manifest)),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }


def _write_records(
    model: AutomaticMasks, images: Any, job: SamJob, shard: Shard, say: Callable[[str], None]
) -> list[float]:
    """Write this process's JSON lines and return the seconds that each image took."""
    from workbench.engine.transforms import LoadPhoto

    loader, told = LoadPhoto(), time.perf_counter()
    times: list[float] = []
    output = shard.part(Path(job.output))
    with atomic_path(output) as aside, aside.open("w", encoding="utf-8") as stream:
        for place in shard.of(range(len(images))):
            image = images[place]
            size = {"height": image.height, "width": image.width}
            pixels = loader({"img_path": str(image.file), **size})["img"]
            begin = time.perf_counter()
            entities = model.segment(pixels)
            times.append(time.perf_counter() - begin)
            record = {"image_id": image.image_id, "file_name": image.file_name, **size}
            record["entities"] = [entity.record() for entity in entities]
            stream.write(json.dumps(record, allow_nan=False) + "\n")
            if time.perf_counter() - told > PROGRESS_INTERVAL_S:
                told = time.perf_counter()
                say(f"{job.title}: {place + 1} of {len(images)} images")
    return times


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], SamJob, segment_with_sam))
