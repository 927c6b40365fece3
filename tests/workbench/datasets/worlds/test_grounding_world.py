"""The world with language: what a caption says is true of the masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from workbench.datasets.check import check_dataset
from workbench.datasets.narratives import context_phrases, load_narratives
from workbench.datasets.worlds import write_world
from workbench.datasets.worlds.narrative_spec import parse_narrative_spec
from workbench.errors import BadInput

SPLITS = ("train", "val", "captions")


@pytest.fixture(scope="module")
def png_world(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    """The smoke world with enough pictures for every kind of sentence."""
    out = tmp_path_factory.mktemp("worlds") / "png"
    splits = {"train": 240, "val": 30, "captions": 10}
    write_world("png", {**smoke_specs["png"], "splits": splits}, out)
    return out


def centre(image: Any, ids: tuple[int, ...]) -> tuple[float, float]:
    """Return (row, column) of the union of some segments."""
    codes = [image.masks[image.segment_ids.index(number)] for number in ids]
    rows, columns = np.nonzero(coco_mask.decode(coco_mask.merge(codes)))
    return float(rows.mean()), float(columns.mean())


def test_places_are_true(png_world: Path) -> None:
    sides = {"on the left side": (1, -1), "on the right side": (1, 1),
             "in the upper part": (0, -1), "in the lower part": (0, 1)}  # fmt: skip
    checked = 0
    for split in ("train", "val"):
        for narrative, image in load_narratives(png_world / "manifest.json", split):
            for phrase in narrative.phrases:
                rest = narrative.caption[phrase.end :].lstrip()
                for place, (axis, sign) in sides.items():
                    if phrase.grounded and rest.startswith(place):
                        assert sign * (centre(image, phrase.segment_ids)[axis] - 64) > 10
                        checked += 1
    assert checked > 30


def test_relations_are_true(png_world: Path) -> None:
    relations = {"is to the left of": (1, -1), "is to the right of": (1, 1),
                 "is above": (0, -1), "is below": (0, 1)}  # fmt: skip
    checked = 0
    for narrative, image in load_narratives(png_world / "manifest.json", "train"):
        for first, second in zip(narrative.phrases, narrative.phrases[1:], strict=False):
            between = narrative.caption[first.end : second.start]
            for words, (axis, sign) in relations.items():
                if words in between and "." not in between:
                    places = [centre(image, phrase.segment_ids)[axis] for phrase in (first, second)]
                    assert sign * (places[0] - places[1]) > 10
                    checked += 1
    assert checked > 8


def test_equal_phrases_are_told_apart_by_their_context(png_world: Path) -> None:
    found = 0
    for narrative, image in load_narratives(png_world / "manifest.json", "train"):
        marked = context_phrases(narrative)
        same = [p for p, mark in zip(narrative.phrases, marked, strict=True) if mark]
        for first, second in zip(same[::2], same[1::2], strict=True):
            assert first.text.lower() == second.text.lower()
            (row, column), (lower, right) = (
                centre(image, phrase.segment_ids) for phrase in (first, second)
            )
            assert max(abs(row - lower), abs(column - right)) > 10
            found += 1
    assert found > 8


def test_counts_are_those_of_the_segments(png_world: Path) -> None:
    words = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
    plurals = [
        phrase
        for split in ("train", "val")
        for narrative, _ in load_narratives(png_world / "manifest.json", split)
        for phrase in narrative.phrases
        if len(phrase.segment_ids) > 1
    ]
    assert len(plurals) > 20
    for phrase in plurals:
        count = phrase.text.lower().split()[0]
        assert words.get(count, len(phrase.segment_ids)) == len(phrase.segment_ids)


def test_extra_captions_ground_nothing(png_world: Path) -> None:
    phrases = [
        phrase
        for narrative, _ in load_narratives(png_world / "manifest.json", "captions")
        for phrase in narrative.phrases
    ]
    assert phrases and not any(phrase.grounded for phrase in phrases)


def test_the_schema_is_pngs_and_the_files_are_sound(png_world: Path) -> None:
    for split in SPLITS:
        records = json.loads((png_world / f"annotations/png_coco_{split}2017.json").read_text())
        for record in records:
            assert set(record) == {"image_id", "annotator_id", "caption", "segments"}
            assert isinstance(record["image_id"], str)
            for segment in record["segments"]:
                assert set(segment) == {"utterance", "segment_ids", "plural", "noun"}
                assert all(isinstance(number, str) for number in segment["segment_ids"])
                assert segment["plural"] or len(segment["segment_ids"]) <= 1
    assert check_dataset(png_world / "manifest.json") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", -1),
        ("radius", [9]),
        ("radius", [9, 3]),
        ("splits", {"test": 2}),
        ("twins_percent", 101),
        ("thing", 1),
    ],
)
def test_bad_fields_are_named(smoke_specs: dict[str, Any], field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=field):
        parse_narrative_spec("png", {**smoke_specs["png"], field: value})


def test_missing_field(smoke_specs: dict[str, Any]) -> None:
    raw = {name: value for name, value in smoke_specs["png"].items() if name != "blend"}
    with pytest.raises(BadInput, match=r"png\.blend.*missing"):
        parse_narrative_spec("png", raw)
