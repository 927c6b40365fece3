"""Captions with spans become PNG's records, which their own reader reads back."""

import json
from pathlib import Path

import pytest

from workbench.conversion.narratives import convert_narratives
from workbench.datasets.narratives import read_narratives
from workbench.errors import BadInput, MissingInput

CAPTION = "Here is the sky, two cars and something."
PHRASES = [
    {"text": "the sky", "start": 8, "end": 15, "plural": False, "segment_ids": [1]},
    {"start": 17, "end": 25, "plural": True, "segment_ids": [7, 9]},
    {"start": 30, "end": 39, "segment_ids": []},
]
SHARED = Path(__file__).parents[4] / "shared/data/camvid-coco/annotations"


def write(folder, records):
    path = folder / "spans.json"
    path.write_text(records if isinstance(records, str) else json.dumps(records))
    return path


def record(**changes):
    return {"image_id": 3, "caption": CAPTION, "phrases": PHRASES, **changes}


def test_round_trip(tmp_path):
    target = tmp_path / "png.json"
    assert convert_narratives(write(tmp_path, [record(), record(phrases=[])]), target) == 2
    first, second = read_narratives(target)
    assert (first.image_id, first.caption) == (3, CAPTION)
    found = [(p.text, p.start, p.end, p.segment_ids, p.plural) for p in first.phrases]
    assert found == [
        ("the sky", 8, 15, (1,), False),
        ("two cars", 17, 25, (7, 9), True),
        ("something", 30, 39, (), False),
    ]
    assert second.phrases == ()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"image_id": "3"}, "image_id"),
        ({"caption": " "}, "caption"),
        ({"phrases": None}, "phrases"),
        ({"phrases": [3]}, r"phrases\[0\]"),
        ({"phrases": PHRASES[::-1]}, r"phrases\[1\]\.start"),
        ({"phrases": [{**PHRASES[0], "end": 99}]}, r"phrases\[0\]\.start"),
        ({"phrases": [{**PHRASES[0], "text": "the sea"}]}, r"phrases\[0\]\.text"),
        ({"phrases": [{**PHRASES[0], "segment_ids": [-1]}]}, r"phrases\[0\]\.segment_ids"),
        ({"phrases": [{**PHRASES[0], "segment_ids": None}]}, r"phrases\[0\]\.segment_ids"),
    ],
)
def test_record_that_does_not_fit(tmp_path, changes, where):
    target = tmp_path / "png.json"
    with pytest.raises(BadInput, match=rf"\[0\]\.{where}"):
        convert_narratives(write(tmp_path, [record(**changes)]), target)
    assert not target.exists()


@pytest.mark.parametrize("content", ["", "{", "{}", "[]"])
def test_not_a_list(tmp_path, content):
    with pytest.raises(BadInput):
        convert_narratives(write(tmp_path, content), tmp_path / "png.json")
    with pytest.raises(MissingInput):
        convert_narratives(tmp_path / "none.json", tmp_path / "png.json")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared photographs are not there")
@pytest.mark.parametrize(("split", "count"), [("train", 90), ("val", 30)])
def test_street_photographs(tmp_path, split, count):
    source = SHARED / f"narratives_{split}.json"
    assert convert_narratives(source, tmp_path / "png.json") == count
    given = json.loads(source.read_text())
    for narrative, spans in zip(read_narratives(tmp_path / "png.json"), given, strict=True):
        texts = [phrase["text"] for phrase in spans["phrases"]]
        assert [phrase.text for phrase in narrative.phrases] == texts
