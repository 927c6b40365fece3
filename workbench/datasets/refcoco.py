"""Reads RefCOCO, RefCOCO+ and RefCOCOg: pickled expressions over a COCO-style instance file.

Source of the format: lichengunc/refer.
"""

from __future__ import annotations

import hashlib
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.datasets.instance_index import InstanceIndex
from workbench.datasets.plain_pickle import read_plain_pickle
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.referring import ReferringImage, ReferringReader
from workbench.datasets.rle import as_rle
from workbench.datasets.schema import RLE
from workbench.datasets.structure import UNIQUE, categories_of, number_fault
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file

SPLITS = ("train", "val", "test", "testA", "testB", "testC")
RELEASE = "use refs and instances of one release"
GET = "get RefCOCO's annotations"
PICTURES = "images/mscoco/images/train2014"
# Folder below refer_seg to the pickle of the division that the paper scores.
REFS = {
    "refcoco": "refs(unc).p",
    "refcoco+": "refs(unc).p",
    "refcocog": "refs(umd).p",
}


@dataclass(frozen=True)
class Annotation:
    """Where an annotation stands: its number in the file, its picture's, and whose it is."""

    number: int
    image_at: int
    image_id: int | str
    category_id: int


def in_split(tag: str, split: str) -> bool:
    """Tell whether a ref with a split tag belongs to a split.

    Source: ``getRefIds`` of refer: testA to testC go by the last letter, so that "testAB" is in
    both; "test" takes all test tags.
    """
    if split in ("testA", "testB", "testC"):
        return split[-1] in tag
    return "test" in tag if split == "test" else tag == split


def read_refs(path: Path) -> list[Any]:
    """Read a ``refs(...).p``; its records are not checked yet.

    Raises:
        BadInput: Not a plain pickle of a list.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, GET)
    state = path.stat()
    content = _read_once(path, state.st_mtime_ns, state.st_size)
    if not isinstance(content, list):
        problem = f"{type(content).__name__}, not a list"
        raise BadInput(path, "top level", problem, "get the release's file")
    return content


@lru_cache(maxsize=1)
def _read_once(path: Path, changed: int, size: int) -> Any:
    """Read a pickle, once for all splits: a real one takes seconds."""
    return read_plain_pickle(path)


def refs_faults(
    refs: list[Any], annotations: Mapping[int, Annotation], file: Path
) -> Iterator[BadInput]:
    """Yield all faults of the refs.

    Args:
        refs: Content of the pickle.
        annotations: Annotations of the instance file by id.
        file: The pickle.
    """
    seen: dict[str, dict[int, str]] = {"ref_id": {}, "sent_id": {}}
    if not refs:
        yield BadInput(file, "refs", "empty", "get the release's file")
    for at, ref in enumerate(refs):
        path = f"refs[{at}]"
        if not isinstance(ref, dict):
            yield BadInput(file, path, f"{reprlib.repr(ref)} is not a dict", RELEASE)
            continue
        yield from _id_fault(ref, "ref_id", file, path, seen)
        yield from _owner_faults(ref, annotations, file, path)
        tag = ref.get("split")
        if not isinstance(tag, str) or not any(in_split(tag, split) for split in SPLITS):
            fix = f"use one of: {', '.join(SPLITS)}"
            yield BadInput(file, f"{path}.split", reprlib.repr(tag), fix)
        yield from _sentence_faults(ref, file, path, seen)


def _id_fault(
    record: dict[str, Any], key: str, file: Path, path: str, seen: dict[str, dict[int, str]]
) -> Iterator[BadInput]:
    """Yield a fault unless an id is a number that no other record of its kind has."""
    faults = list(number_fault(record, key, file, path))
    yield from faults
    if faults:
        return
    other = seen[key].setdefault(record[key], path)
    if other != path:
        yield BadInput(file, f"{path}.{key}", f"{record[key]} is also {other}'s", UNIQUE)


def _owner_faults(
    ref: dict[str, Any], annotations: Mapping[int, Annotation], file: Path, path: str
) -> Iterator[BadInput]:
    """Yield where a ref's annotation is missing or is another picture's."""
    number = ref.get("ann_id")
    found = annotations.get(number) if isinstance(number, int) else None
    if found is None:
        problem = f"no annotation has id {reprlib.repr(number)}"
        yield BadInput(file, f"{path}.ann_id", problem, RELEASE)
        return
    for key, value in (("image_id", found.image_id), ("category_id", found.category_id)):
        if ref.get(key) != value:
            problem = f"{reprlib.repr(ref.get(key))} but annotation {number} has {value!r}"
            yield BadInput(file, f"{path}.{key}", problem, RELEASE)


def _sentence_faults(
    ref: dict[str, Any], file: Path, path: str, seen: dict[str, dict[int, str]]
) -> Iterator[BadInput]:
    sentences = ref.get("sentences")
    if not isinstance(sentences, list | tuple) or not sentences:
        problem = f"{reprlib.repr(sentences)} is no list of sentences"
        yield BadInput(file, f"{path}.sentences", problem, RELEASE)
        return
    for at, sentence in enumerate(sentences):
        where = f"{path}.sentences[{at}]"
        if not isinstance(sentence, dict):
            yield BadInput(file, where, f"{reprlib.repr(sentence)} is not a dict", RELEASE)
            continue
        yield from _id_fault(sentence, "sent_id", file, where, seen)
        text = sentence.get("sent")
        if not isinstance(text, str):
            yield BadInput(file, f"{where}.sent", reprlib.repr(text), "give the expression")
    listed = ref.get("sent_ids")
    given = [s.get("sent_id") for s in sentences if isinstance(s, dict)]
    numbers = listed if isinstance(listed, list | tuple) else []
    if len(numbers) != len(given) or any(number not in numbers for number in given):
        problem = f"{reprlib.repr(listed)} are not the sentences' ids"
        yield BadInput(file, f"{path}.sent_ids", problem, RELEASE)


class RefcocoReader(ReferringReader):
    """Makes records of one split, one a ref; the pickle is the entry's ``refs``.

    Source: lichengunc/refer; pictures are COCO train2014's.
    """

    needs = ("annotations", "images", "refs")

    def __init__(self, files: SplitFiles) -> None:
        self.where, self._folder = files.file(), files.folder()
        self._index = InstanceIndex(self.where, GET)
        for fault in _faults(files, self._index):
            raise fault
        self._images: list[dict[str, Any]] = self._index.images
        self._annotations = annotations_of(self._index)
        self._refs = _refs_of(files)
        self.categories = categories_of(self._index.categories)

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        try:
            yield from _faults(files, InstanceIndex(files.file(), GET))
        except (BadInput, MissingInput) as fault:
            yield fault

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        refs = _refs_of(files)
        if not files.file().is_file():
            raise MissingInput(files.file(), GET)
        hashes = "".join(sha256_file(files.file(key)) for key in ("annotations", "refs"))
        return {
            "num_images": len({str(ref.get("image_id")) for ref in refs}),
            "num_entities": len(refs),
            "sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        }

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        for folder, refs in REFS.items():
            if (root / folder / refs).is_file():
                return {
                    "annotations": f"{folder}/instances.json",
                    "images": PICTURES,
                    "refs": f"{folder}/{refs}",
                }
        folder, refs = next(iter(REFS.items()))
        raise MissingInput(root / folder / refs, "nor another of refer's pickles; get RefCOCO")

    def __len__(self) -> int:
        return len(self._refs)

    def units(self) -> dict[str, int]:
        sentences = sum(len(ref["sentences"]) for ref in self._refs)
        return {"refs": len(self), "sentences": sentences}

    def notes(self) -> Iterator[Fault]:
        said = [one for ref in self._refs for one in ref["sentences"]]
        blank = [one["sent_id"] for one in said if not one["sent"].strip()]
        if blank:
            problem = f"{len(blank)} of {len(said)} are blank, the first has id {blank[0]}"
            yield BadInput(self.where, "sentences", problem, "they are scored all the same")

    def __call__(self, index: int) -> ReferringImage:
        ref, image = self._refs[index], self._image(index)
        return ReferringImage(
            key=str(ref["ref_id"]),
            image_id=ref["image_id"],
            file=self._picture(index),
            file_name=image["file_name"],
            height=image["height"],
            width=image["width"],
            expressions=tuple(sentence["sent"] for sentence in ref["sentences"]),
            expression_ids=tuple(sentence["sent_id"] for sentence in ref["sentences"]),
            num_scored=len(ref["sentences"]),
            target=self._mask(index),
            category_id=ref["category_id"],
        )

    def faults(self, index: int) -> Iterator[Fault]:
        for read in (self._picture, self._mask):
            try:
                read(index)
            except (BadInput, MissingInput) as fault:
                yield fault

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        at, image = self._image_at(index), self._image(index)
        yield self._picture(index), (image["height"], image["width"]), f"images[{at}]"

    def _image_at(self, index: int) -> int:
        return self._annotations[self._refs[index]["ann_id"]].image_at

    def _image(self, index: int) -> dict[str, Any]:
        return self._images[self._image_at(index)]

    def _picture(self, index: int) -> Path:
        # A ref's own file_name carries the annotation's id as well and names no file.
        name, at = self._image(index)["file_name"], self._image_at(index)
        return self._folder.find(name, self.where, f"images[{at}].file_name")

    def _mask(self, index: int) -> RLE:
        number = self._annotations[self._refs[index]["ann_id"]].number
        ((at, item),) = self._index.read([number])
        size = (self._image(index)["height"], self._image(index)["width"])
        field = f"annotations[{at}].segmentation"
        return as_rle(item.get("segmentation"), size, self.where, field)


def _faults(files: SplitFiles, index: InstanceIndex) -> Iterator[BadInput]:
    """Yield all faults of instances and refs that show without masks and pictures."""
    yield from index.faults
    refs = read_refs(files.file("refs"))
    if index.faults:
        return
    found = list(refs_faults(refs, annotations_of(index), files.file("refs")))
    yield from found
    if not found and not _refs_of(files):
        tags = ", ".join(sorted({ref["split"] for ref in refs}))
        problem = f"no ref is of {files.split}"
        yield BadInput(files.file("refs"), "split", problem, f"use one of: {tags}")


def annotations_of(index: InstanceIndex) -> dict[int, Annotation]:
    """Return the annotations of a sound instance file by id."""
    return {
        int(index.ids[number]): Annotation(
            int(number), at, image["id"], int(index.category_ids[number])
        )
        for at, image in enumerate(index.images)
        for number in index.of_image(at)
    }


def _refs_of(files: SplitFiles) -> list[dict[str, Any]]:
    """Return the refs of a split among those that may not have been checked yet."""
    found = []
    for ref in read_refs(files.file("refs")):
        tag = ref.get("split") if isinstance(ref, dict) else None
        if isinstance(tag, str) and in_split(tag, files.split):
            found.append(ref)
    return found
