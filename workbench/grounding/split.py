"""Groundings of a whole split by one checkpoint, with times; a process of its own.

Run as ``python -m workbench.grounding.split REQUEST``, where REQUEST is a JSON file with the fields
of `GroundJob`; the measurements go to the same path with the suffix ``.result.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.files import atomic_path, sha256_file
from workbench.grounding.given import decode_masks, encode_mask, in_batches, read_entities_file
from workbench.grounding.grounder import Grounder
from workbench.grounding.records import grounding_record
from workbench.grounding.schema import GroundingAnswer, GroundingRequest
from workbench.jobs import answer_job
from workbench.photos import read_photo
from workbench.shards import Shard, in_turns

if TYPE_CHECKING:
    from workbench.datasets import EntityImage
    from workbench.datasets.narratives import Narrative

PROGRESS_INTERVAL_S = 30
BATCH = 16


@dataclass(frozen=True)
class GroundJob:
    """What to ground with what.

    Attributes:
        title: For progress lines, e.g. ``gella-7b seed 0``.
        checkpoint: File of the finetune stage.
        manifest: File of the prep stage.
        split: Name of a split in the manifest.
        entities: Entities file of the segment stage; None for the annotated masks.
        teacher_forced: Whether the nouns are given.
        withheld: What is hidden from the model, see `workbench.grounding.schema.WITHHELD`.
        threshold: Probability above which a noun means an entity.
        overrides: Nested values merged into the checkpoint's config.
        field: Where in ``params.yaml`` the overrides are, for errors.
        output: JSON lines to write.
    """

    title: str
    checkpoint: str
    manifest: str
    split: str
    entities: str | None
    teacher_forced: bool
    withheld: str | None
    threshold: float
    overrides: dict[str, Any]
    field: str
    output: str


@dataclass(frozen=True)
class _Item:
    """A narrative to ground, with the masks that are given to the model."""

    index: int
    narrative: Narrative
    image: EntityImage
    request: GroundingRequest
    ids: list[int]


def ground_split(job: GroundJob, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a record for each grounded narrative of a split.

    Returns:
        Measurements: ``num_narratives``; ``infer_time_ms`` a narrative, in batches of ``BATCH``;
        ``component_times_ms`` likewise; ``reconstruction_miou`` over all masks and
        ``reconstruction_ap``, class-agnostic AP with the model's entityness as score, both against
        the masks given; hashes and device. Times and qualities are None where no picture of the
        split has a mask in ``entities``: then the file is empty.

    Raises:
        BadInput, MissingInput: Checkpoint, data or a photograph cannot be used.
    """
    import torch

    from workbench.engine.session import limit_threads

    threads = limit_threads()
    shard = Shard()
    device = shard.device()
    grounder = Grounder.from_checkpoint(Path(job.checkpoint), device, job.overrides, job.field)
    totals = _Totals()
    output = shard.part(Path(job.output))
    told = time.perf_counter()
    with atomic_path(output) as aside, aside.open("w", encoding="utf-8") as stream:
        for batch in shard.of(in_batches(_items(job), BATCH)):
            begin = time.perf_counter()
            answers = grounder.ground([item.request for item in batch], job.withheld)
            totals.seconds += time.perf_counter() - begin
            for item, answer in zip(batch, answers, strict=True):
                stream.write(json.dumps(_record(job, item, answer), allow_nan=False) + "\n")
                totals.add(item, answer)
            if time.perf_counter() - told > PROGRESS_INTERVAL_S:
                told = time.perf_counter()
                say(f"{job.title}: {totals.count} narratives")
    gathered = shard.gather((totals, grounder.model.component_times()))
    if not gathered:
        return {}
    shard.join(Path(job.output), BATCH)
    totals = _Totals.joined([each for each, _ in gathered])
    components = sum((Counter(times) for _, times in gathered), Counter())
    if totals.count == 0 and job.entities is None:
        raise BadInput(job.manifest, f"splits.{job.split}", "no grounded narrative", "run prep")
    return {
        "num_narratives": totals.count,
        **totals.times(components),
        **totals.reconstruction(),
        "checkpoint_sha256": sha256_file(Path(job.checkpoint)),
        "data_sha256": sha256_file(Path(job.manifest)),
        "device": f"cpu, {threads} threads" if device == "cpu" else torch.cuda.get_device_name(),
    }


@dataclass(frozen=True)
class _Rebuilt:
    """Masks of a picture as given and as rebuilt.

    Attributes:
        size: (height, width).
        ious: One a mask.
        given: COCO's RLE and area of each.
        found: COCO's RLE of each and the model's entityness.
    """

    size: tuple[int, int]
    ious: list[float]
    given: list[dict[str, Any]]
    found: list[dict[str, Any]]


class _Totals:
    """What is measured over a split."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.rebuilt: list[_Rebuilt] = []

    @classmethod
    def joined(cls, parts: Sequence[_Totals]) -> _Totals:
        """Return the totals of all processes."""
        whole = cls()
        whole.seconds = sum(part.seconds for part in parts)
        whole.rebuilt = list(in_turns([part.rebuilt for part in parts], BATCH))
        return whole

    @property
    def count(self) -> int:
        return len(self.rebuilt)

    def add(self, item: _Item, answer: GroundingAnswer) -> None:
        """Compare the masks as rebuilt with those given."""
        given, rebuilt = item.request.masks, answer.reconstructed
        height, width = given.shape[1:]
        wanted = [{"segmentation": encode_mask(mask), "area": int(mask.sum())} for mask in given]
        found = [
            {"segmentation": encode_mask(mask), "score": float(score)}
            for mask, score in zip(rebuilt, answer.entityness, strict=True)
        ]
        self.rebuilt.append(_Rebuilt((height, width), mask_ious(given, rebuilt), wanted, found))

    def times(self, components: Mapping[str, float]) -> dict[str, Any]:
        """Return ms a narrative, in all and by component."""
        if not self.count:
            return {"infer_time_ms": None, "component_times_ms": {}}
        each = {name: 1000 * seconds / self.count for name, seconds in components.items()}
        return {"infer_time_ms": 1000 * self.seconds / self.count, "component_times_ms": each}

    def reconstruction(self) -> dict[str, float | None]:
        """Return mean IoU and AP of the rebuilt masks."""
        if not self.count:
            return {"reconstruction_miou": None, "reconstruction_ap": None}
        from workbench.metrics.entity_ap import score_entities

        images: list[dict[str, Any]] = []
        truth: list[dict[str, Any]] = []
        found: list[dict[str, Any]] = []
        for number, each in enumerate(self.rebuilt, start=1):
            height, width = each.size
            images.append({"id": number, "height": height, "width": width})
            place = {"image_id": number, "category_id": 1}
            for code in each.given:
                identity = {"id": len(truth) + 1, "iscrowd": 0, "bbox": [0, 0, 1, 1]}
                truth.append({**identity, **place, **code})
            found += [{**place, **code} for code in each.found]
        categories = [{"id": 1, "name": "entity"}]
        annotated = {"images": images, "annotations": truth, "categories": categories}
        return {
            "reconstruction_miou": float(np.mean([i for each in self.rebuilt for i in each.ious])),
            "reconstruction_ap": float(score_entities(annotated, found).metrics["APe"]),
        }


def mask_ious(given: NDArray[np.bool_], rebuilt: NDArray[np.bool_]) -> list[float]:
    """Return the IoUs of N masks with their counterparts, (N, H, W) each; 1 if both are empty."""
    found = []
    for first, second in zip(given, rebuilt, strict=True):
        union = int((first | second).sum())
        found.append(float((first & second).sum()) / union if union else 1.0)
    return found


def _items(job: GroundJob) -> Iterator[_Item]:
    """Yield the split's grounded narratives; pictures without a mask are left out."""
    from workbench.datasets.narratives import load_narratives

    narratives = load_narratives(Path(job.manifest), job.split)
    given = read_entities_file(Path(job.entities)) if job.entities else None
    for index, (narrative, image) in enumerate(narratives):
        if not any(phrase.grounded for phrase in narrative.phrases):
            continue
        codes, ids = list(image.masks), list(image.segment_ids)
        if given is not None:
            codes = given.get(image.image_id, [])
            ids = list(range(1, len(codes) + 1))
        if not codes:
            continue
        nouns = tuple(phrase.text for phrase in narrative.phrases) if job.teacher_forced else None
        photo = read_photo(image.file)
        request = GroundingRequest(photo, decode_masks(codes), narrative.caption, nouns)
        yield _Item(index, narrative, image, request, ids)


def _record(job: GroundJob, item: _Item, answer: GroundingAnswer) -> dict[str, Any]:
    """Return a narrative's record with each noun paired to the annotated phrase that it is."""
    from workbench.metrics.noun_recall import align

    wanted = [phrase.text for phrase in item.narrative.phrases]
    truth: list[int | None] = [None] * len(answer.nouns)
    pairs = (
        [(at, at) for at in range(len(wanted))]
        if job.teacher_forced
        else align(answer.nouns, wanted)
    )
    for noun, phrase in pairs:
        truth[noun] = phrase
    return {
        "image_id": item.image.image_id,
        "narrative": item.index,
        "mode": "teacher-forced" if job.teacher_forced else "generated",
        **grounding_record(answer, item.ids, job.threshold, truth),
    }


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], GroundJob, ground_split))
