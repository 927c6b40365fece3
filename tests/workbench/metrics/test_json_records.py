"""Records of JSON files by image: places in bytes, windows that cut values, damaged files."""

import json

import pytest

from workbench.datasets import json_stream
from workbench.errors import BadInput
from workbench.metrics.json_records import RecordsByImage

CONTENT = {
    "info": {"year": 2017, "tags": ["a", "]"]},
    "images": [{"id": 1, "name": 'ä"[x]\\'}, {"id": 2}],
    "empty": [],
    "annotations": [
        {"image_id": 1, "n": 0},
        {"image_id": "b", "n": 1, "text": "ü€𝄞"},
        {"image_id": 1, "n": 2},
    ],
    "number": 12345,
}


@pytest.fixture(params=[1, 7, 1 << 20], ids=lambda size: f"window {size}")
def window(request, monkeypatch):
    monkeypatch.setattr(json_stream, "CHUNK", request.param)


def write(path, content, **options):
    path.write_text(json.dumps(content, **options), encoding="utf-8")
    return path


def test_records_of_an_image(tmp_path, window):
    path = write(tmp_path / "a.json", CONTENT, ensure_ascii=False)
    records = RecordsByImage(path, "annotations", "fix")
    assert list(records.image_ids()) == [1, "b"]
    assert len(records) == 3
    assert records.of("b") == [("annotations[1]", CONTENT["annotations"][1])]
    assert [place for place, _ in records.of(1)] == ["annotations[0]", "annotations[2]"]
    assert records.of(2) == []
    assert records.first(1) == "annotations[0]"


def test_top_level_list(tmp_path, window):
    path = write(tmp_path / "a.json", CONTENT["annotations"])
    assert [record["n"] for _, record in RecordsByImage(path, None, "fix").of(1)] == [0, 2]
    assert len(RecordsByImage(write(tmp_path / "b.json", []), None, "fix")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[{"image_id": 1}',
        '{"annotations": [{"image_id": 1}',
        '{"annotations": [{"image_id": 1},]}',
        '{"annotations" [1]}',
        "{1: 2}",
        "[] 3",
        '"text"',
        "[" * 100_000,
        "[1" + "0" * 5000 + "]",
        '[{"image_id": 1} {"image_id": 2}]',
    ],
    ids=lambda text: text[:20],
)
def test_damaged(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"a\.json: (JSON|top level): ") as caught:
        RecordsByImage(path, None, "fix")
    assert "\n" not in str(caught.value)


def test_not_utf8(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'["\xff"]')
    with pytest.raises(BadInput, match="JSON"):
        RecordsByImage(path, None, "fix")


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        ({"annotations": {}}, "annotations", "not an object with the list annotations"),
        ([], "annotations", "not an object with the list annotations"),
        ({"annotations": []}, None, "the file is not a list"),
        ([{"image_id": 1}, 3], None, r"\[1\]\.image_id: missing"),
        ([{"image_id": True}], None, r"\[0\]\.image_id: missing"),
        ([{"image_id": [1]}], None, r"\[0\]\.image_id: missing"),
    ],
)
def test_wrong_form(tmp_path, content, field, message):
    with pytest.raises(BadInput, match=message):
        RecordsByImage(write(tmp_path / "a.json", content), field, "fix")


def test_records_in_any_order_of_images(tmp_path):
    owners = [1, 1, 2, 1, 2, 2, 3, 1]
    records = [{"image_id": owner, "n": n} for n, owner in enumerate(owners)]
    found = RecordsByImage(write(tmp_path / "a.json", records, indent=1), None, "fix")
    for image_id in (2, 3, 1):
        expected = [(f"[{n}]", records[n]) for n, owner in enumerate(owners) if owner == image_id]
        assert found.of(image_id) == expected
