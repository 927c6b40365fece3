"""A mask for each referring expression of a split; a process of its own.

Run as ``python -m workbench.grounding.refer REQUEST``, where REQUEST is a JSON file with the fields
of `workbench.grounding.asked.AskJob`.

Modes: ``generated`` is the paper's (5.3.1): the expression is the sentence whose nouns the model
extracts; nouns that only describe get low associations, so (*assumed*) an entity counts by its
highest association with any of them. ``first`` (*assumed*): by that with the first noun, the head
of most expressions. ``whole`` (*assumed*): the expression itself is the one noun.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.files import atomic_path
from workbench.grounding.asked import Asked, AskJob, Say, ask_all
from workbench.grounding.given import RLE, decode_masks, encode_mask, read_entities_file
from workbench.grounding.grounder import Grounder
from workbench.grounding.schema import GroundingRequest
from workbench.jobs import answer_job
from workbench.photos import read_photo

if TYPE_CHECKING:
    from workbench.datasets import ReferringImage

MODES = ("generated", "first", "whole")
# How the mask of an expression came about.
OUTCOMES = ("above_threshold", "best_one", "without_noun", "without_entity")


@dataclass(frozen=True)
class Expression:
    """An expression to be answered.

    Attributes:
        key: As the prediction file calls it.
        text: What the model is asked.
        file: The photograph.
        codes: Masks of its entities, best first; may be empty.
    """

    key: str
    text: str
    file: Path
    codes: Sequence[RLE]


def refer_split(job: AskJob, say: Say) -> dict[str, Any]:
    """Write masks by expression, ``{key: RLE or null}``, to ``job.output``.

    Returns:
        Measurements of `workbench.grounding.asked`, and how many expressions ended in each of
        ``OUTCOMES``.

    Raises:
        BadInput, MissingInput: Checkpoint, data, entities or a photograph cannot be used.
    """
    asked = ask_all(job, _expressions(job), lambda g, batch: _answer(g, batch, job), say)
    if asked is None:
        return {}
    outcomes = _write(asked, Path(job.output))
    return {**asked.measured, **{f"num_{name}": outcomes[name] for name in OUTCOMES}}


def chosen_entities(probabilities: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Return the entities that an expression means.

    Args:
        probabilities: (V, N) in [0, 1], V >= 1 nouns with N >= 1 entities.
        threshold: An entity counts if its highest probability is above it.

    Returns:
        Their positions, rising; where none is above, the likeliest one.
    """
    highest = probabilities.max(axis=0)
    above = np.flatnonzero(highest > threshold)
    return above if len(above) else np.array([int(highest.argmax())])


def _answer(grounder: Grounder, batch: list[Expression], job: AskJob) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = [
        {"key": each.key, "mask": None, "outcome": "without_entity"} for each in batch
    ]
    asked = [at for at, each in enumerate(batch) if each.codes]
    photos = {batch[at].file: read_photo(batch[at].file) for at in asked}
    requests = [
        GroundingRequest(
            photos[batch[at].file],
            decode_masks(batch[at].codes),
            batch[at].text,
            (batch[at].text,) if job.mode == "whole" else None,
        )
        for at in asked
    ]
    answers = grounder.ground(requests) if requests else []
    for at, request, answer in zip(asked, requests, answers, strict=True):
        if len(answer.probabilities) == 0:
            results[at]["outcome"] = "without_noun"
            continue
        nouns = slice(1) if job.mode == "first" else slice(None)
        probabilities = answer.probabilities[nouns]
        chosen = chosen_entities(probabilities, job.threshold)
        above = probabilities[:, chosen].max() > job.threshold
        results[at]["outcome"] = "above_threshold" if above else "best_one"
        results[at]["mask"] = encode_mask(np.logical_or.reduce(request.masks[chosen]))
    return results


def _expressions(job: AskJob) -> Iterator[Expression]:
    """Yield the expressions that are scored, in the order of the data set."""
    from workbench.datasets import load_referring
    from workbench.datasets.referring import prompt_of

    manifest = Path(job.manifest)
    dataset = load_referring(manifest, job.split)
    given = _given_masks(job, {image.image_id for image in dataset})
    for image in dataset:
        numbered = image.is_sentence is None
        scored = list(zip(image.expression_ids, image.expressions, strict=True))
        for number, text in scored[: image.num_scored]:
            key = str(number) if numbered else image.key
            if not text.strip():
                fix = "give the expression"
                raise BadInput(manifest, f"expression {key}", "is empty", fix)
            asked = text.strip() if image.is_sentence else prompt_of(text)
            yield Expression(key, asked, image.file, _sized(job, image, given))


def _given_masks(job: AskJob, wanted: set[int | str]) -> Mapping[Any, Sequence[RLE]]:
    """Return the entities by picture, given or annotated.

    Raises:
        BadInput: None of the split's pictures has any.
    """
    if job.entities:
        given: Mapping[Any, Sequence[RLE]] = read_entities_file(Path(job.entities))
        source, fix = job.entities, f"segment the pictures of split {job.split}"
    else:
        given = _annotated(job, wanted)
        source, fix = job.manifest, "use entities of the stage segment"
    if not any(given.get(picture) for picture in wanted):
        problem = f"no entity in any picture of split {job.split}"
        raise BadInput(source, "entities", problem, fix)
    return given


def _annotated(job: AskJob, wanted: set[int | str]) -> dict[Any, Sequence[RLE]]:
    """Return all annotated instances of the pictures, of which expressions mean only some."""
    from workbench.datasets.instances import InstanceReader
    from workbench.datasets.load import read_manifest, split_files

    manifest = Path(job.manifest)
    files = split_files(read_manifest(manifest), manifest, job.split)
    if not isinstance(files.entry.get("annotations"), str):
        problem = "has no annotated entities but the targets themselves"
        fix = "name entities/<key of segment> as masks"
        raise BadInput(manifest, f"splits.{job.split}", problem, fix)
    reader = InstanceReader(files)
    places = enumerate(reader.image_ids())
    return {number: reader(at).masks for at, number in places if number in wanted}


def _sized(job: AskJob, image: ReferringImage, given: Mapping[Any, Sequence[RLE]]) -> Sequence[RLE]:
    """Return a picture's masks, all of its size."""
    codes, size = given.get(image.image_id, ()), [image.height, image.width]
    for at, code in enumerate(codes):
        if code.get("size") != size:
            field = f"image {image.image_id!r}: entities[{at}].segmentation.size"
            fix = "use the entities of this picture"
            raise BadInput(
                job.entities or job.manifest, field, f"{code.get('size')}, not {size}", fix
            )
    return codes


def _write(asked: Asked, output: Path) -> Counter[str]:
    """Write the JSON object, a result at a time, and count the outcomes."""
    outcomes: Counter[str] = Counter()
    with atomic_path(output) as aside, aside.open("w", encoding="utf-8") as stream:
        for at, result in enumerate(asked.results()):
            outcomes[result["outcome"]] += 1
            member = f"{json.dumps(result['key'])}: {json.dumps(result['mask'])}"
            stream.write(f"{',' if at else '{'}\n{member}")
        stream.write("\n}\n")
    return outcomes


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], AskJob, refer_split))
