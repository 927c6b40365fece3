"""Records of JSON files by image: places in bytes, windows that cut values, damaged files."""

import json

import pytest

from workbench.errors import BadInput
from workbench.metrics import json_records
from workbench.metrics.json_records import RecordsByImage, iter_items

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
    monkeypatch.setattr(json_records, "_CHUNK", request.param)


def write(path, content, **options):
    path.write_text(json.dumps(content, **options), encoding="utf-8")
    return path


@pytest.mark.parametrize("options", [{}, {"ensure_ascii": False}, {"indent": 2}], ids=str)
def test_items_and_places(tmp_path, window, options):
    path = write(tmp_path / "a.json", CONTENT, **options)
    raw, found = path.read_bytes(), {}
    for item in iter_items(path, "fix"):
        if item.position < 0:
            found[item.field] = []
            continue
        found[item.field].append(item.value)
        assert json.loads(raw[item.start : item.start + item.length]) == item.value
    assert found == {key: CONTENT[key] for key in ("images", "empty", "annotations")}


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
    numbers = write(tmp_path / "c.json", [1, 23456, 7.5e3])
    assert [item.value for item in iter_items(numbers, "fix")][1:] == [1, 23456, 7500.0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2",
        '{"annotations": [{"image_id": 1}',
        '{"annotations": [{"image_id": 1},]}',
        '{"annotations" [1]}',
        "{1: 2}",
        "[] 3",
        '"text"',
        "[" * 100_000,
        '[{"image_id": 1} {"image_id": 2}]',
    ],
    ids=lambda text: text[:20],
)
def test_damaged(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"a\.json: (JSON|top level): .*; fix"):
        list(iter_items(path, "fix"))


def test_not_utf8(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'["\xff"]')
    with pytest.raises(BadInput, match="JSON"):
        list(iter_items(path, "fix"))


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
