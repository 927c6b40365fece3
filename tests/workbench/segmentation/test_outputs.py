"""Names, label maps, overlays and records of photographs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.errors import BadInput
from workbench.segmentation import overlay
from workbench.segmentation.label_map import encode_label_map
from workbench.segmentation.outputs import plan_outputs, write_outputs
from workbench.segmentation.overlay import draw_overlay, entity_colours
from workbench.segmentation.segmenter import Entity

LABELS = np.array([[1, 1, 0, 2], [1, 1, 0, 2], [1, 1, 0, 2]], dtype=np.uint16)


def test_files_of_a_photograph(tmp_path: Path) -> None:
    left, right = encode_label_map(LABELS, 2)
    image = np.full((3, 4, 3), 100, dtype=np.uint8)
    photo = tmp_path / "a.jpg"
    outputs = plan_outputs([photo], tmp_path / "out")[photo]
    write_outputs(outputs, photo, image, [Entity(left, 0.9, 0.95), Entity(right, 0.5, 0.7)])
    record = json.loads(outputs.entities.read_text())
    assert (record["file_name"], record["height"], record["width"]) == ("a.jpg", 3, 4)
    assert [entity["id"] for entity in record["entities"]] == [1, 2]
    assert [entity["score"] for entity in record["entities"]] == [0.9, 0.5]
    assert record["entities"][0]["area"] == 6
    assert record["entities"][1]["bbox"] == [3, 0, 1, 3]
    labels = cv2.imread(str(outputs.labels), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16
    assert (labels == LABELS).all()
    for entity in record["entities"]:
        assert (mask_utils.decode(entity["segmentation"]) == (labels == entity["id"])).all()
    assert cv2.imread(str(outputs.overlay)).shape == (3, 4, 3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.json",
        "a_labels.png",
        "a_overlay.png",
    ]


def test_no_entity(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    outputs = plan_outputs([photo], tmp_path)[photo]
    image = np.full((3, 4, 3), 100, dtype=np.uint8)
    write_outputs(outputs, photo, image, [])
    assert json.loads(outputs.entities.read_text())["entities"] == []
    assert (cv2.imread(str(outputs.overlay)) == 100).all()


def names(photos: list[str], out: str = "/out") -> list[str]:
    planned = plan_outputs([Path(photo) for photo in photos], Path(out))
    return [planned[Path(photo)].entities.name for photo in photos]


def test_names_that_would_meet() -> None:
    assert names(["/x/a.jpg", "/x/b.jpg"]) == ["a.json", "b.json"]
    assert names(["/x/a.jpg", "/x/a.png"]) == ["a.jpg.json", "a.png.json"]
    assert names(["/x/a.jpg", "/y/a.jpg"]) == ["x_a.jpg.json", "y_a.jpg.json"]
    assert names(["/1/x/a.jpg", "/2/x/a.jpg"]) == ["x_a.jpg.json", "x_a.jpg-2.json"]
    assert names(["/x/a.jpg", "/x/A.png"]) == ["a.jpg.json", "A.png.json"]
    assert len(set(names(["/x/a.jpg", "/x/a.png", "/x/a.jpg.png"]))) == 3


def test_a_photograph_is_never_replaced() -> None:
    with pytest.raises(BadInput, match="a_overlay.png"):
        names(["/x/a.jpg", "/x/a_overlay.png"], "/x")


def test_overlay_tints_inside_only() -> None:
    labels = np.zeros((60, 60), dtype=np.uint16)
    labels[10:50, 10:50] = 1
    image = np.full((60, 60, 3), 200, dtype=np.uint8)
    drawn = draw_overlay(image, labels)
    assert (drawn[0] == 200).all()
    assert (drawn[30, 30] == 100 + (entity_colours(1)[1] // 2)).all()
    assert (drawn[10, 30] == 255).all()
    assert (image == 200).all()


def test_overlay_does_not_depend_on_the_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    labels = np.kron(generator.integers(0, 9, (6, 8)), np.ones((9, 9))).astype(np.uint16)
    image = generator.integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    whole = draw_overlay(image, labels)
    monkeypatch.setattr(overlay, "ROWS", 5)
    assert (draw_overlay(image, labels) == whole).all()


def test_overlay_of_another_size() -> None:
    with pytest.raises(ValueError, match="label map"):
        draw_overlay(np.zeros((3, 4, 3), dtype=np.uint8), np.zeros((4, 3), dtype=np.uint16))


def test_colours_differ() -> None:
    assert len({tuple(colour) for colour in entity_colours(100)}) == 101
