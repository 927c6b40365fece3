"""Reads ReasonSeg: a picture and a JSON of queries and polygons each.

Source of the format and of the drawing rules: dvlab-research/LISA ``utils/data_processing.py``.
Polygons are drawn by OpenCV, as there, so that every pixel agrees: each is outlined by a line of
one pixel and filled, largest first, and later ones overwrite.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.pictures import upright_size
from workbench.datasets.reader import Fault, SplitFiles
from workbench.datasets.referring import ReferringImage, ReferringReader
from workbench.datasets.rle import label_masks
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_tree

TARGET, IGNORE = 1, 255
FIX = "get ReasonSeg's file again"
PICTURES = (".JPG", ".jpeg", ".jpg")
MOST_COORDINATE = 1_000_000


class ReasonsegReader(ReferringReader):
    """Makes records of one split, one a picture, in the order of their names.

    The split's folder holds a picture and a JSON of the same stem for each.
    """

    needs = ("images",)

    def __init__(self, files: SplitFiles) -> None:
        for fault in self.structure_faults(files):
            raise fault
        self.where = files.file("images")
        self._names = _stems(self.where)

    @classmethod
    def structure_faults(cls, files: SplitFiles) -> Iterator[Fault]:
        folder = files.file("images")
        if not folder.is_dir():
            yield MissingInput(folder, f"folder of split {files.split}; get ReasonSeg")
        elif not _stems(folder):
            yield BadInput(folder, "pictures", "there is none", "get ReasonSeg")

    @classmethod
    def counts(cls, files: SplitFiles) -> dict[str, Any]:
        count = len(_stems(files.file("images")))
        digest = sha256_tree(files.file("images"), "*.json")
        return {"num_images": count, "num_entities": count, "sha256": digest}

    @classmethod
    def place(cls, root: Path, split: str) -> dict[str, Any]:
        for folder in (f"ReasonSeg/{split}", split):
            if (root / folder).is_dir():
                return {"images": folder}
        raise MissingInput(root / f"ReasonSeg/{split}", "get ReasonSeg")

    def __len__(self) -> int:
        return len(self._names)

    def __call__(self, index: int) -> ReferringImage:
        picture, where = self._picture(index), self._json(index)
        content = read_record(where)
        for fault in record_faults(content, where):
            raise fault
        size = upright_size(picture)
        regions = draw_regions(content["shapes"], size)
        target, ignore = label_masks(regions, [TARGET, IGNORE])
        return ReferringImage(
            key=picture.stem,
            image_id=picture.stem,
            file=picture,
            file_name=picture.name,
            height=size[0],
            width=size[1],
            expressions=tuple(content["text"]),
            expression_ids=tuple(range(len(content["text"]))),
            num_scored=1,
            target=target,
            ignore=ignore if (regions == IGNORE).any() else None,
            is_sentence=bool(content["is_sentence"]),
        )

    def faults(self, index: int) -> Iterator[Fault]:
        where, size = self._json(index), None
        try:
            size = upright_size(self._picture(index))
        except (BadInput, MissingInput) as fault:
            yield fault
        try:
            content = read_record(where)
        except (BadInput, MissingInput) as fault:
            yield fault
            return
        broken = list(record_faults(content, where))
        yield from broken
        if size and not broken and not (draw_regions(content["shapes"], size) == TARGET).any():
            fix = "draw a polygon labelled target"
            yield BadInput(where, "shapes", "no pixel of the picture is target", fix)

    def pictures(self, index: int) -> Iterator[tuple[Path, tuple[int, int], str]]:
        path = self._picture(index)
        yield path, upright_size(path), path.name

    def _json(self, index: int) -> Path:
        return self.where / f"{self._names[index]}.json"

    def _picture(self, index: int) -> Path:
        for suffix in PICTURES:
            path = self.where / f"{self._names[index]}{suffix}"
            if path.is_file():
                return path
        raise MissingInput(path, f"{self._json(index).name} is there; {FIX}")


def _stems(folder: Path) -> list[str]:
    """Return the names of which a split's folder has a picture or a JSON."""
    known = {".json", *PICTURES}
    return sorted({path.stem for path in folder.glob("*") if path.suffix in known})


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON object in UTF-8 or, where it is not, in cp1252.

    Raises:
        BadInput: In neither, or not a JSON object.
        MissingInput: No such file.
    """
    if not path.is_file():
        raise MissingInput(path, FIX)
    data = path.read_bytes()
    try:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252")
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, "JSON", str(error) or "empty", FIX) from error
    if not isinstance(content, dict):
        raise BadInput(path, "top level", f"{type(content).__name__}, not an object", FIX)
    return content


def record_faults(content: dict[str, Any], file: Path) -> Iterator[BadInput]:
    """Yield all faults of a record's queries and polygons."""
    texts = content.get("text")
    if not isinstance(texts, list) or not texts:
        yield BadInput(file, "text", reprlib.repr(texts), "give a list of queries")
    for at, text in enumerate(texts if isinstance(texts, list) else []):
        if not isinstance(text, str) or not text.strip():
            yield BadInput(file, f"text[{at}]", reprlib.repr(text), "give the query")
    if content.get("is_sentence") not in (True, False):
        found = reprlib.repr(content.get("is_sentence"))
        yield BadInput(file, "is_sentence", found, "use true or false")
    shapes = content.get("shapes")
    if not isinstance(shapes, list):
        yield BadInput(file, "shapes", reprlib.repr(shapes), "give a list of polygons")
        return
    for at, shape in enumerate(shapes):
        path = f"shapes[{at}]"
        if not isinstance(shape, dict) or not isinstance(shape.get("label"), str):
            yield BadInput(file, f"{path}.label", reprlib.repr(shape), "use target, ignore or flag")
        elif not is_polygon(shape.get("points")):
            found = reprlib.repr(shape.get("points"))
            yield BadInput(file, f"{path}.points", found, "use a list of [x, y] in pixels")


def is_polygon(points: Any) -> bool:
    """Tell whether a value is a list of [x, y] that can be drawn."""
    if not isinstance(points, list) or not points:
        return False
    return all(
        isinstance(point, list)
        and len(point) == 2
        and all(
            isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < MOST_COORDINATE
            for at in point
        )
        for point in points
    )


def draw_regions(shapes: list[dict[str, Any]], size: tuple[int, int]) -> NDArray[np.int32]:
    """Draw checked polygons.

    Args:
        shapes: Each with ``label`` and ``points``; coordinates are cut to whole pixels. Labels
            that contain "ignore" are ignored regions, "flag" is skipped, all others are target.
        size: (height, width) of the picture.

    Returns:
        (height, width) int32: ``TARGET``, ``IGNORE`` or 0.
    """
    kept = [shape for shape in shapes if shape["label"].lower() != "flag"]
    areas = [int(_drawn(np.zeros(size, np.uint8), shape, 1).sum()) for shape in kept]
    regions = np.zeros(size, np.uint8)
    # LISA sorts by rising area and reverses: of two polygons of one area the later comes first.
    for at in np.argsort(areas, kind="stable")[::-1].tolist():
        value = IGNORE if "ignore" in kept[at]["label"].lower() else TARGET
        _drawn(regions, kept[at], value)
    return regions.astype(np.int32)


def _drawn(canvas: NDArray[np.uint8], shape: dict[str, Any], value: int) -> NDArray[np.uint8]:
    """Outline and fill a polygon, in place."""
    import cv2

    points = [np.array(shape["points"]).astype(np.int32)]
    cv2.polylines(canvas, points, True, value, 1)
    cv2.fillPoly(canvas, points, value)
    return canvas
