"""A class for each entity of a split, by a prompt of all class names; a process of its own.

Run as ``python -m workbench.grounding.label REQUEST``, where REQUEST is a JSON file with the fields
of `workbench.grounding.asked.AskJob`.

The sentence is the paper's (5.3.3): "There might exist a person, dog, cat, ... and window."; the
names, as the annotations have them (*assumed*), are the nouns, and each entity takes the class that
it is associated with most. Entities at or below the threshold are dropped. ``asked`` leaves out the
names of classes that no picture of a split has: all 133 of COCO occur, of a generated world's few.

Modes: ``panoptic`` writes COCO's panoptic form, stuff of one class merged, as ``OUTPUT.json`` and
PNGs in ``OUTPUT/``. ``instances`` writes COCO results with the association as score, as
``OUTPUT.json`` or, of SGinW, ``OUTPUT/SET.json``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.grounding.asked import AskJob, Say, ask_all
from workbench.grounding.given import RLE, decode_masks, read_entities_file
from workbench.grounding.grounder import Grounder
from workbench.grounding.labelled import write_instances, write_panoptic
from workbench.grounding.schema import GroundingAnswer, GroundingRequest, category_sentence
from workbench.jobs import answer_job
from workbench.photos import read_photo
from workbench.segmentation.split import set_image_id, sets_of

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset
    from workbench.datasets.schema import Category

MODES = ("panoptic", "instances")
DECIMALS = 5


@dataclass(frozen=True)
class Picture:
    """A picture whose entities are to be labelled.

    Attributes:
        group: Set of SGinW that it is of; "" elsewhere.
        image_id: As in the annotations.
        size: (height, width).
        file: The photograph.
        codes: Masks of its entities, best first; may be empty.
        categories: Classes to choose from.
    """

    group: str
    image_id: int | str
    size: tuple[int, int]
    file: Path
    codes: Sequence[RLE]
    categories: tuple[Category, ...]


def label_split(job: AskJob, say: Say) -> dict[str, Any]:
    """Write the labelled entities of a split.

    Returns:
        Measurements of `workbench.grounding.asked`; ``num_entities``, ``num_dropped`` at or below
        the threshold, ``num_without_entity`` pictures; ``prompts``: into how many prompts the names
        had to be split for the model's context (of SGinW by set), 1 where none was needed.

    Raises:
        BadInput, MissingInput: Checkpoint, data, entities or a photograph cannot be used; a single
            name is longer than the context.
    """
    groups = _groups(job)
    labeller = _Labeller()
    asked, output = ask_all(job, _pictures(job, groups), labeller.answer, say), Path(job.output)
    if asked is None:
        return {}
    if job.mode == "panoptic":
        counts, prompts = write_panoptic(
            asked.results(), output, groups[""].categories, job.threshold
        )
    else:
        counts, prompts = write_instances(asked.results(), output, list(groups), job.threshold)
    about = {f"num_{name}": counts[name] for name in ("entities", "dropped", "without_entity")}
    return {**asked.measured, **about, "prompts": prompts if groups.keys() != {""} else prompts[""]}


def in_parts(names: Sequence[str], count: int) -> list[Sequence[str]]:
    """Cut names into ``count`` runs whose lengths differ by one at most."""
    edges = [round(at * len(names) / count) for at in range(count + 1)]
    return [names[begin:end] for begin, end in zip(edges[:-1], edges[1:], strict=True)]


class _Labeller:
    """Asks for classes, in as few prompts as the context of the model allows."""

    def __init__(self) -> None:
        self._prompts: dict[tuple[str, ...], int] = {}

    def answer(self, grounder: Grounder, batch: list[Picture]) -> list[dict[str, Any]]:
        """Return a record of each picture: the best class and its score of every entity."""
        records = {id(each): _record(each) for each in batch}
        vocabularies: dict[tuple[str, ...], list[Picture]] = {}
        for each in batch:
            if each.codes:
                names = tuple(category.name for category in each.categories)
                vocabularies.setdefault(names, []).append(each)
        for names, pictures in vocabularies.items():
            found = self._scores(grounder, pictures, names)
            for each, scores in zip(pictures, found, strict=True):
                best = scores.argmax(axis=0)
                entities = [
                    {
                        "segmentation": code,
                        "category_id": each.categories[place].category_id,
                        "score": round(float(scores[place, at]), DECIMALS),
                    }
                    for at, (code, place) in enumerate(zip(each.codes, best.tolist(), strict=True))
                ]
                prompts = self._prompts[names]
                records[id(each)] |= {"entities": entities, "prompts": prompts}
        return list(records.values())

    def _scores(
        self, grounder: Grounder, pictures: list[Picture], names: tuple[str, ...]
    ) -> list[NDArray[np.float32]]:
        """Return (C, N) associations of all names with the entities of each picture.

        The number of prompts grows until every one fits; it then stays for these names.
        """
        photos = [(read_photo(each.file), decode_masks(each.codes)) for each in pictures]
        for count in range(self._prompts.get(names, 1), len(names) + 1):
            try:
                parts = [_asked(grounder, photos, part) for part in in_parts(names, count)]
            except BadInput as error:
                # How a grounding model refuses what its context does not hold.
                if error.field != "length" or count == len(names):
                    raise
                continue
            self._prompts[names] = count
            return [
                np.concatenate([answer.probabilities for answer in answers])
                for answers in zip(*parts, strict=True)
            ]
        raise AssertionError("no name to ask for")


def _asked(
    grounder: Grounder,
    photos: list[tuple[NDArray[np.uint8], NDArray[np.bool_]]],
    names: Sequence[str],
) -> list[GroundingAnswer]:
    """Ask for some names in pictures of any number."""
    sentence = category_sentence(names)
    return grounder.ground(
        [GroundingRequest(photo, masks, sentence, tuple(names)) for photo, masks in photos]
    )


def _record(picture: Picture) -> dict[str, Any]:
    identity = {"group": picture.group, "image_id": picture.image_id, "size": list(picture.size)}
    return {**identity, "entities": [], "prompts": 0}


def _groups(job: AskJob) -> dict[str, EntityDataset]:
    """Return the split's data, of SGinW by set: its splits are named SET_FOLDER.

    Raises:
        BadInput: No such split, classes without names, or several sets as panoptic.
    """
    from workbench.datasets import load_entities
    from workbench.datasets.load import read_manifest

    manifest = Path(job.manifest)
    names = sets_of(read_manifest(manifest)["splits"], job.split)
    if not names:
        names = {"": job.split}
    elif job.mode == "panoptic":
        problem = f"{len(names)} sets of instances"
        raise BadInput(manifest, f"splits.{job.split}", problem, "use the mode instances")
    groups = {name: load_entities(manifest, split) for name, split in names.items()}
    for name, dataset in groups.items():
        if not dataset.categories:
            fix = "give annotations with categories"
            raise BadInput(manifest, f"splits.{names[name]}", "no category to ask for", fix)
        for category in dataset.categories:
            if not category.name.strip():
                field = f"splits.{names[name]}: category {category.category_id}"
                raise BadInput(manifest, field, "has no name", "name it: it is the prompt")
    return groups


def _asked_for(job: AskJob, groups: Mapping[str, EntityDataset]) -> tuple[Category, ...]:
    """Return the classes of the split ``asked``; nothing where all are asked for.

    Raises:
        BadInput: It has none, or classes that the labelled split does not list.
    """
    from workbench.datasets import load_entities

    if job.asked is None:
        return ()
    seen, field = load_entities(Path(job.manifest), job.asked).seen_categories(), "label: asked"
    if not seen:
        raise BadInput(job.manifest, field, f"split {job.asked} has no class", "name another")
    for group, dataset in groups.items():
        if not set(seen) <= set(dataset.categories):
            problem = f"classes of split {job.asked} are not all of {group or job.split}'s"
            raise BadInput(job.manifest, field, problem, "leave it out: all classes are asked for")
    return seen


def _pictures(job: AskJob, groups: Mapping[str, EntityDataset]) -> Iterator[Picture]:
    """Yield the pictures of all groups, with given entities or the annotated ones.

    Raises:
        BadInput: Given entities of no picture or of another size, or an unknown category.
    """
    given = None if job.entities is None else read_entities_file(Path(job.entities))
    matched, asked = given is None, _asked_for(job, groups)
    for group, dataset in groups.items():
        known = {category.category_id for category in dataset.categories}
        for image in dataset:
            key = set_image_id(group, image.image_id) if group else image.image_id
            codes: Sequence[RLE] = image.masks if given is None else given.get(key, ())
            matched = matched or bool(codes)
            unknown = set(image.category_ids) - known
            if unknown:
                field = f"image {image.image_id!r}: category_id"
                problem = f"{min(unknown)} is no category of the file"
                raise BadInput(job.manifest, field, problem, "use a file with all its categories")
            size = (image.height, image.width)
            for at, code in enumerate(codes):
                if tuple(code["size"]) != size:
                    field = f"image {key!r}: entities[{at}].segmentation.size"
                    problem = f"{code['size']}, not {list(size)}"
                    raise BadInput(job.entities or job.manifest, field, problem, "use its entities")
            categories = asked or dataset.categories
            yield Picture(group, image.image_id, size, image.file, codes, categories)
    if not matched:
        problem = f"no entity in any picture of split {job.split}"
        fix = f"segment the pictures of split {job.split}"
        raise BadInput(str(job.entities), "entities", problem, fix)


if __name__ == "__main__":
    raise SystemExit(answer_job(sys.argv[1:], AskJob, label_split))
