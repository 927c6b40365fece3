"""Forms of painted predictions: how a model is asked for them and how they are written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput
from workbench.files import atomic_path, write_json, write_text
from workbench.segmentation.label_map import encode_masks

if TYPE_CHECKING:
    from workbench.datasets import EntityDataset, EntityImage


class Form(Protocol):
    """Writer of one seed's maps.

    Attributes:
        method: Of the model: from a preprocessed batch to one map an image.
        empty: Pictures in which nothing was found, so far.
        records: Of each picture so far, what is to be said of it in the end.
    """

    method: str
    empty: int
    records: list[Any]

    def add(self, place: int, image: EntityImage, painted: Any) -> None:
        """Write the map of the picture that is at a place of the data set."""

    def close(self, records: list[Any]) -> None:
        """Write what is about all pictures, of which other processes may have painted some."""


class Panoptic:
    """COCO's panoptic form: ``OUTPUT.json`` and PNGs in ``OUTPUT/``; see docs/predictions.md.

    Args:
        output: Path without suffix.
        dataset: What is painted; its classes must be those that the model was trained with.
        model: With ``class_counts``, its numbers of things and stuff, and ``panoptic_maps``: (H, W)
            segment ids from 1, 0 for void, and the class of each segment; classes count things
            first, then stuff, each by ascending category id.

    Raises:
        BadInput: The data set has other numbers of classes.
    """

    method = "panoptic_maps"

    def __init__(self, output: Path, dataset: EntityDataset, model: Any) -> None:
        self.output, self.empty = output, 0
        self._category_ids = categories_by_class(dataset, model)
        self.records: list[dict[str, Any]] = []

    def add(self, place: int, image: EntityImage, painted: Any) -> None:
        labels, classes = painted
        ids = labels.cpu().numpy()
        name = f"{place:012d}.png"
        rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
        write_picture(self.output / name, rgb)
        segments = [
            {"id": number, "category_id": self._category_ids[place]}
            for number, place in enumerate(classes, start=1)
        ]
        self.empty += not segments
        self.records.append(
            {"image_id": image.image_id, "file_name": name, "segments_info": segments}
        )

    def close(self, records: list[Any]) -> None:
        write_json(self.output.with_suffix(".json"), {"annotations": records})


class Semantic:
    """PNGs of a category id a pixel in ``OUTPUT/``, named as the pictures are, in their folders.

    Args:
        output: Folder.
        dataset: What is painted; its classes must be those that the model was trained with.
        model: With ``class_counts`` and ``semantic_maps``: (H, W) class numbers.

    Raises:
        BadInput: The data set has other numbers of classes, or ids that 16 bits do not hold.
    """

    method = "semantic_maps"

    def __init__(self, output: Path, dataset: EntityDataset, model: Any) -> None:
        self.output, self.empty = output, 0
        ids = categories_by_class(dataset, model)
        if max(ids) >= 1 << 16:
            fix = "use a data set with ids below 65,536"
            raise BadInput(dataset.name, "categories", f"id {max(ids)}", fix)
        self._values = np.array(ids, np.uint8 if max(ids) < 1 << 8 else np.uint16)
        self.records: list[str] = []

    def add(self, place: int, image: EntityImage, painted: Any) -> None:
        name = PurePosixPath(image.file_name).with_suffix(".png")
        self.records.append(name.as_posix())
        write_picture(self.output / name, self._values[painted.cpu().numpy()])

    def close(self, records: list[Any]) -> None:
        """Refuse pictures of one name, of which the last has replaced the others' maps."""
        refuse_doubles(self.output, records)


class Instances:
    """``OUTPUT.jsonl``, one line an image: instances with category and score; they may overlap.

    Args:
        output: Path without suffix.
        dataset: What is painted; its classes must be those that the model was trained with.
        model: With ``class_counts`` and ``instances``: (K, H, W) masks, class numbers and scores.

    Raises:
        BadInput: The data set has other numbers of classes.
    """

    method = "instances"

    def __init__(self, output: Path, dataset: EntityDataset, model: Any) -> None:
        self.output, self.empty = output, 0
        self._category_ids = categories_by_class(dataset, model)
        self.records: list[dict[str, Any]] = []

    def add(self, place: int, image: EntityImage, painted: Any) -> None:
        masks = painted.masks.cpu().numpy()
        seen = masks.any(axis=(1, 2))
        found = zip(
            encode_masks(masks[seen]),
            painted.labels.cpu().numpy()[seen].tolist(),
            painted.scores.cpu().numpy()[seen].tolist(),
            strict=True,
        )
        instances = [
            {"category_id": self._category_ids[label], "segmentation": mask, "score": score}
            for mask, label, score in found
        ]
        self.empty += not instances
        self.records.append({"image_id": image.image_id, "entities": instances})

    def close(self, records: list[Any]) -> None:
        lines = (json.dumps(record, allow_nan=False) + "\n" for record in records)
        write_text(self.output.with_suffix(".jsonl"), "".join(lines))


class Grey:
    """Grey PNGs in ``OUTPUT/``, named as the pictures are.

    Args:
        output: Folder.
        dataset: What is painted.
        model: With ``grey_maps``: (H, W) uint8, 255 for foreground.
    """

    method = "grey_maps"
    FOREGROUND = 128

    def __init__(self, output: Path, dataset: EntityDataset, model: Any) -> None:
        self.output, self.empty = output, 0
        self.records: list[str] = []

    def add(self, place: int, image: EntityImage, painted: Any) -> None:
        name = PurePosixPath(image.file_name).with_suffix(".png").name
        self.records.append(name)
        grey = painted.cpu().numpy()
        self.empty += not (grey > self.FOREGROUND).any()
        write_picture(self.output / name, grey)

    def close(self, records: list[Any]) -> None:
        """Refuse pictures of one name, of which the last has replaced the others' maps."""
        refuse_doubles(self.output, records)


FORMS: dict[str, type[Panoptic] | type[Semantic] | type[Instances] | type[Grey]] = {
    "panoptic": Panoptic,
    "semantic": Semantic,
    "instances": Instances,
    "grey": Grey,
}


def categories_by_class(dataset: EntityDataset, model: Any) -> list[int]:
    """Return the category id of each class number: things, then stuff, each by ascending id.

    Raises:
        BadInput: The data set has other numbers of classes than the model's ``class_counts``.
    """
    things = [each.category_id for each in dataset.categories if each.isthing]
    stuff = [each.category_id for each in dataset.categories if not each.isthing]
    if (len(things), len(stuff)) != model.class_counts:
        own = "{} things and {} stuff".format(*model.class_counts)
        problem = f"{len(things)} things and {len(stuff)} stuff, the model has {own}"
        fix = "use a data set with the classes that it was trained with"
        raise BadInput(dataset.name, "categories", problem, fix)
    return [*sorted(things), *sorted(stuff)]


def refuse_doubles(folder: Path, names: list[str]) -> None:
    """Refuse maps of one name.

    Raises:
        BadInput: Two pictures have it.
    """
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        fix = "use a data set whose pictures have names of their own"
        raise BadInput(folder, "file_name", f"{count} pictures of the name {name}", fix)


def write_picture(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write (H, W) grey, of 8 or 16 bits, or (H, W, 3) RGB pixels as a PNG, whole."""
    from PIL import Image

    with atomic_path(path) as aside:
        Image.fromarray(pixels).save(aside, "PNG")
