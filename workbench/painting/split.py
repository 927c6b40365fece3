"""Maps of a whole split by one checkpoint, with time and memory; a process of its own.

Run as ``python -m workbench.painting.split REQUEST``, where REQUEST is a JSON file with the fields
of `PaintJob`; the measurements go to the same path with the suffix ``.result.json``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.files import sha256_file
from workbench.jobs import answer_job
from workbench.painting.forms import FORMS, Form
from workbench.segmentation.segmenter import Segmenter
from workbench.shards import Shard, in_turns

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset

PROGRESS_INTERVAL_S = 30


@dataclass(frozen=True)
class PaintJob:
    """What to paint with what.

    Attributes:
        title: For progress lines, e.g. ``mask2former-12ep seed 0``.
        checkpoint: File of a training stage.
        manifest: File of the prep stage.
        split: Name of a split in the manifest.
        form: A key of ``FORMS``.
        overrides: Nested values merged into the checkpoint's config.
        field: Where in ``params.yaml`` the overrides are, for errors.
        output: Path without suffix, see the form.
    """

    title: str
    checkpoint: str
    manifest: str
    split: str
    form: str
    overrides: dict[str, Any]
    field: str
    output: str


def paint_split(job: PaintJob, say: Callable[[str], None]) -> dict[str, Any]:
    """Write the map of each image of a split.

    Returns:
        Measurements: ``num_images``, ``num_empty`` in which nothing was found; ``infer_time_ms``,
        the median over images, at batch size 1 and after one warm-up image, from resized 8-bit
        views in memory to the map at the photograph's size; ``wall_time_s`` of the whole;
        ``peak_memory_gib`` above the level before the model was built, on CUDA the device's;
        ``checkpoint_sha256``, ``data_sha256``, ``device``.

    Raises:
        BadInput, MissingInput: Checkpoint, data or a photograph cannot be used, or the model has
            no maps of this form.
    """
    import torch

    from workbench.datasets import load_entities
    from workbench.engine.memory import PeakMemory
    from workbench.engine.session import limit_threads

    threads = limit_threads()
    shard = Shard()
    device = shard.device()
    dataset = load_entities(Path(job.manifest), job.split)
    if len(dataset) == 0:
        raise BadInput(job.manifest, f"splits.{job.split}", "no images", "make the data set again")
    memory = PeakMemory(device)
    started = time.perf_counter()
    segmenter = Segmenter.from_checkpoint(Path(job.checkpoint), device, job.overrides, job.field)
    kind = FORMS[job.form]
    if not hasattr(segmenter.model, kind.method):
        problem = f"{type(segmenter.model).__name__} has no {kind.method}"
        fix = f"use a model that gives {job.form} maps"
        raise BadInput(job.checkpoint, "model.type", problem, fix)
    form = kind(Path(job.output), dataset, segmenter.model)
    times = _paint(segmenter, dataset, form, shard, job.title, say)
    gathered = shard.gather((times, form.records, form.empty, memory.read()))
    if not gathered:
        return {}
    all_times, records, empty, peaks = zip(*gathered, strict=True)
    form.close(list(in_turns(records)))
    times = list(in_turns(all_times))
    return {
        "num_images": len(times),
        "num_empty": sum(empty),
        "infer_time_ms": 1000 * median(times),
        "wall_time_s": time.perf_counter() - started,
        "peak_memory_gib": max(peaks),
        "checkpoint_sha256": sha256_file(Path(job.checkpoint)),
        "data_sha256": sha256_file(Path(job.manifest)),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }


def _paint(
    segmenter: Segmenter,
    dataset: EntityDataset,
    form: Form,
    shard: Shard,
    title: str,
    say: Callable[[str], None],
) -> list[float]:
    """Write this process's maps and return the seconds that each image took the model."""
    from workbench.engine.transforms import LoadPhoto

    loader = LoadPhoto()
    times: list[float] = []
    told = time.perf_counter()
    for place in shard.of(range(len(dataset))):
        image = dataset[place]
        found = {"img_path": str(image.file), "height": image.height, "width": image.width}
        batch = segmenter.prepare(loader(found)["img"], str(image.file))
        if not times:
            maps_of(segmenter.model, form.method, batch)
        begin = time.perf_counter()
        painted = maps_of(segmenter.model, form.method, batch)[0]
        times.append(time.perf_counter() - begin)
        form.add(place, image, painted)
        if time.perf_counter() - told > PROGRESS_INTERVAL_S:
            told = time.perf_counter()
            say(f"{title}: {place + 1} of {len(dataset)} images")
    return times


def maps_of(model: Any, method: str, batch: dict[str, Any]) -> list[Any]:
    """Return a model's maps of a batch, made on its device."""
    import torch

    with torch.inference_mode():
        found: list[Any] = getattr(model, method)(**model.data_preprocessor(batch, False))
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return found


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], PaintJob, paint_split))
