"""Entities of a whole split by one checkpoint, with time and memory; a process of its own.

A process per checkpoint gives each its own peak memory. Run as
``python -m workbench.segmentation.split REQUEST``, where REQUEST is a JSON file with the fields of
`SplitJob`; the measurements go to the same path with the suffix ``.result.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.files import atomic_path, sha256_file
from workbench.jobs import answer_job
from workbench.photos import read_photo
from workbench.segmentation.segmenter import Segmenter
from workbench.shards import Shard, in_turns

if TYPE_CHECKING:
    from workbench.datasets import EntityImage

PROGRESS_INTERVAL_S = 30


@dataclass(frozen=True)
class SplitJob:
    """What to segment with what.

    Attributes:
        title: For progress lines, e.g. ``cropformer seed 0``.
        checkpoint: File of the train stage.
        manifest: File of the prep stage.
        split: Name of a split in the manifest, or of SGinW's sets its ending ("valid").
        overrides: Nested values merged into the checkpoint's config.
        field: Where in ``params.yaml`` the overrides are, for errors.
        output: JSON lines to write.
    """

    title: str
    checkpoint: str
    manifest: str
    split: str
    overrides: dict[str, Any]
    field: str
    output: str


def segment_split(job: SplitJob, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a record of scored entities for each image of a split.

    Returns:
        Measurements: ``num_images``; ``infer_time_ms``, the median over images, at batch size 1
        and after one warm-up image, from resized 8-bit views in memory to encoded masks at the
        photograph's size (reading and resizing the photograph is left out); ``wall_time_s`` of the
        whole; ``peak_memory_gib`` above the level before the model was built, on CUDA the device's;
        ``score``, ``checkpoint_sha256``, ``data_sha256``, ``device``.

    Raises:
        BadInput, MissingInput: Checkpoint, data or a photograph cannot be used.
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
    memory = PeakMemory(device)
    started = time.perf_counter()
    segmenter = Segmenter.from_checkpoint(Path(job.checkpoint), device, job.overrides, job.field)
    times = _write_records(segmenter, images, job, shard, say)
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
        "score": segmenter.score,
        "checkpoint_sha256": sha256_file(Path(job.checkpoint)),
        "data_sha256": sha256_file(Path(job.manifest)),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }


def pictures_of(manifest: Path, split: str) -> Sequence[EntityImage]:
    """Return the pictures of a split; of referring expressions each once, without masks.

    Of SGinW's sets, which number their pictures alike, an id is ``SET/ID``.

    Raises:
        BadInput, MissingInput: The data set cannot be used.
    """
    from workbench.datasets import EntityImage, load_entities, load_referring
    from workbench.datasets.load import open_reader, read_manifest
    from workbench.datasets.referring import ReferringReader

    content = read_manifest(manifest)
    sets = sets_of(content["splits"], split)
    if sets:
        return [
            replace(image, image_id=set_image_id(name, image.image_id))
            for name, part in sets.items()
            for image in load_entities(manifest, part)
        ]
    if not isinstance(open_reader(content, manifest, split), ReferringReader):
        return load_entities(manifest, split)
    found = {
        image.image_id: EntityImage(
            image.image_id, image.file, image.file_name, image.height, image.width, (), (), (), ()
        )
        for image in load_referring(manifest, split)
    }
    return list(found.values())


def sets_of(splits: Collection[str], ending: str) -> dict[str, str]:
    """Return the splits of SGinW's sets that end so, by set; none where a split is called so."""
    from workbench.datasets.sginw import SETS

    if ending in splits:
        return {}
    return {name: f"{name}_{ending}" for name in SETS if f"{name}_{ending}" in splits}


def set_image_id(name: str, image_id: int | str) -> str:
    """Return the id of a picture among those of all of SGinW's sets."""
    return f"{name}/{image_id}"


def _write_records(
    segmenter: Segmenter,
    images: Sequence[EntityImage],
    job: SplitJob,
    shard: Shard,
    say: Callable[[str], None],
) -> list[float]:
    """Write this process's JSON lines and return the seconds that each image took the model."""
    output = shard.part(Path(job.output))
    times: list[float] = []
    told = time.perf_counter()
    with atomic_path(output) as aside, aside.open("w", encoding="utf-8") as stream:
        for place in shard.of(range(len(images))):
            image = images[place]
            batch = segmenter.prepare(_read(image), str(image.file))
            if not times:
                segmenter.predict(batch)
            begin = time.perf_counter()
            entities = segmenter.predict(batch)
            times.append(time.perf_counter() - begin)
            record = {
                "image_id": image.image_id,
                "file_name": image.file_name,
                "height": image.height,
                "width": image.width,
                "entities": [entity.record() for entity in entities],
            }
            stream.write(json.dumps(record, allow_nan=False) + "\n")
            if time.perf_counter() - told > PROGRESS_INTERVAL_S:
                told = time.perf_counter()
                say(f"{job.title}: {place + 1} of {len(images)} images")
    return times


def _read(image: EntityImage) -> Any:
    """Read an image of a data set, (H, W, 3) uint8 BGR, at its annotated size."""
    pixels = read_photo(image.file)
    if pixels.shape[:2] != (image.height, image.width):
        problem = f"{pixels.shape[0]} x {pixels.shape[1]} upright, annotated as "
        problem += f"{image.height} x {image.width}"
        fix = "annotate the upright photograph, or remove its EXIF orientation"
        raise BadInput(image.file, "height, width", problem, fix)
    return pixels


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], SplitJob, segment_split))
