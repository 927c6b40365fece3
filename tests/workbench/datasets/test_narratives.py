"""PNG files: spans, ids, and what is wrong with broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workbench import narrated
from workbench.datasets.narratives import context_phrases, load_narratives, read_narratives
from workbench.errors import BadInput, MissingInput


def record(caption: str, *segments: tuple[str, list[Any] | None]) -> dict[str, Any]:
    return {
        "image_id": "1",
        "annotator_id": 3,
        "caption": caption,
        "segments": [
            {"utterance": text, "segment_ids": ids or [], "plural": False, "noun": ids is not None}
            for text, ids in segments
        ],
    }


def read(folder: Path, content: Any) -> Any:
    path = folder / "png.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_narratives(path)


def test_spans_whatever_case_spacing_and_punctuation(tmp_path: Path) -> None:
    said = record(
        "The  Dog, isn't near\n2 cats.",
        ("the", None), ("dog", ["7"]), ("is n ' t near", None), ("2 CATS", ["8", "9"]),
    )  # fmt: skip
    (narrative,) = read(tmp_path, [said])
    assert [phrase.text for phrase in narrative.phrases] == ["Dog", "2 cats"]
    assert [phrase.segment_ids for phrase in narrative.phrases] == [(7,), (8, 9)]
    assert [phrase.plural for phrase in narrative.phrases] == [False, True]
    for phrase in narrative.phrases:
        assert narrative.caption[phrase.start : phrase.end] == phrase.text


def test_nouns_without_segments_stay_and_are_not_grounded(tmp_path: Path) -> None:
    (narrative,) = read(tmp_path, [record("Calm day", ("Calm", None), ("day", []))])
    assert [phrase.grounded for phrase in narrative.phrases] == [False]


def test_narratives_come_with_their_pictures(tmp_path: Path) -> None:
    found = load_narratives(narrated.write_world(tmp_path / "world"), "val")
    assert [found.picture_index(at) for at in range(len(found))] == [0, 1, 1]
    narrative, image = found[1]
    assert set(narrative.phrases[0].segment_ids) <= set(image.segment_ids)
    assert context_phrases(found.narratives[0]) == (True, True, False)
    grounded = load_narratives(tmp_path / "world" / "manifest.json", "val", only_grounded=True)
    assert len(grounded) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "JSON"),
        ("{}", "not a list"),
        ("[1]", r"\[0\].*not an object"),
        ([{"image_id": "1", "caption": " ", "segments": []}], "caption"),
        ([{"image_id": "1", "caption": "A dog"}], "segments"),
        ([{"image_id": "x", "caption": "A dog", "segments": []}], "image_id"),
        ([record("A dog", ("cat", ["1"]))], "does not follow"),
        ([record("A dog", ("a dog runs", ["1"]))], "does not follow"),
        ([record("A dog", ("a dog", ["1.5"]))], "segment_ids"),
        ([record("A dog", ("a dog", [True]))], "segment_ids"),
        ([{**record("A dog"), "segments": ["dog"]}], "utterance"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(BadInput, match=problem) as caught:
        read(tmp_path, content)
    assert "png.json" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.json"):
        read_narratives(tmp_path / "none.json")


def test_segments_and_pictures_must_be_those_of_the_masks(tmp_path: Path) -> None:
    manifest = narrated.write_world(tmp_path / "world")
    path = manifest.with_name("png.json")
    records = narrated.narratives()
    records[0]["segments"][1]["segment_ids"] = ["99"]
    path.write_text(json.dumps(records))
    with pytest.raises(BadInput, match="99 is no segment of image 1"):
        load_narratives(manifest, "val")[0]
    records[0]["image_id"] = "77"
    path.write_text(json.dumps(records))
    with pytest.raises(BadInput, match="77 is no picture"):
        load_narratives(manifest, "val")


def test_a_split_without_narratives(coco_world: Path) -> None:
    with pytest.raises(BadInput, match=r"splits\.val\.narratives"):
        load_narratives(coco_world / "manifest.json", "val")
