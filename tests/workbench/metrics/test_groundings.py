"""Reading groundings: what is taken, and what is refused with the line and the field."""

import json

import pytest

from tests.workbench.narrated import perfect, phrase, record, write_lines, write_world
from workbench.datasets.narratives import load_narratives
from workbench.errors import BadInput, MissingInput
from workbench.metrics.groundings import read_groundings


@pytest.fixture
def narratives(tmp_path):
    return load_narratives(write_world(tmp_path / "world"), "val").narratives


def read(tmp_path, narratives, records):
    return read_groundings(write_lines(tmp_path / "g.jsonl", records), narratives)


def test_what_is_read(tmp_path, narratives):
    found = read(tmp_path, narratives, perfect())
    assert found.mode == "generated"
    assert sorted(found.records) == [0, 1]
    assert found.records[1].entities == (20, 21, 22)
    assert found.records[1].phrases[0].scores == (0.9, 0.6, 0.2)
    assert found.records[0].phrases[2].gt_phrase == 2


def test_empty_file_and_empty_lines(tmp_path, narratives):
    assert read(tmp_path, narratives, []).mode is None
    path = tmp_path / "g.jsonl"
    path.write_text("\n" + json.dumps(perfect()[1]) + "\n\n")
    assert list(read_groundings(path, narratives).records) == [1]


def test_no_file(tmp_path, narratives):
    with pytest.raises(MissingInput, match="run the ground stage"):
        read_groundings(tmp_path / "g.jsonl", narratives)


def changed(at=0, **change):
    records = perfect()
    records[at] |= change
    return records


def with_phrase(**change):
    return [record(1, phrase("x", (0, 0, 0), 0) | change)]


@pytest.mark.parametrize(
    ("records", "field"),
    [
        ([[]], "line 1"),
        (changed(narrative=3), "line 1.narrative"),
        (changed(narrative=-1), "line 1.narrative"),
        (changed(narrative=True), "line 1.narrative"),
        (changed(narrative="0"), "line 1.narrative"),
        ([perfect()[0]] * 2, "line 2.narrative"),
        (changed(image_id=2), "line 1.image_id"),
        (changed(at=1, caption="Two dogs"), "line 2.caption"),
        (changed(mode="forced"), "line 1.mode"),
        (changed(at=1, mode="teacher-forced"), "line 2.mode"),
        (changed(entities=None), "line 1.entities"),
        (changed(entities=["10"]), "line 1.entities"),
        (changed(entities=[10, 10, 12]), "line 1.entities"),
        (changed(phrases={}), "line 1.phrases"),
        (changed(phrases=[3]), "line 1.phrases[0]"),
        (with_phrase(text=None), "line 1.phrases[0].text"),
        (with_phrase(start=0), "line 1.phrases[0].start"),
        (with_phrase(start=3, end=99), "line 1.phrases[0].start"),
        (with_phrase(start=3, end=3), "line 1.phrases[0].start"),
        (with_phrase(entity_ids=[1]), "line 1.phrases[0].entity_ids"),
        (with_phrase(entity_ids=None), "line 1.phrases[0].entity_ids"),
        (with_phrase(scores=None), "line 1.phrases[0].scores"),
        (with_phrase(scores=[0.5]), "line 1.phrases[0].scores"),
        (with_phrase(scores=[0, 0, 2]), "line 1.phrases[0].scores[2]"),
        (with_phrase(scores=[0, float("nan"), 0]), "line 1.phrases[0].scores[1]"),
        (with_phrase(scores=[True, 0, 0]), "line 1.phrases[0].scores[0]"),
        (with_phrase(gt_phrase=2), "line 1.phrases[0].gt_phrase"),
        ([record(1, *[phrase("x", (0, 0, 0), 1)] * 2)], "line 1.phrases[1].gt_phrase"),
    ],
)
def test_refused_with_line_and_field(tmp_path, narratives, records, field):
    with pytest.raises(BadInput) as caught:
        read(tmp_path, narratives, records)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_a_missing_pair_is_not_null(tmp_path, narratives):
    records = with_phrase()
    del records[0]["phrases"][0]["gt_phrase"]
    with pytest.raises(BadInput, match="gt_phrase"):
        read(tmp_path, narratives, records)


def test_cut_off(tmp_path, narratives):
    path = write_lines(tmp_path / "g.jsonl", perfect())
    path.write_text(path.read_text()[:-9])
    with pytest.raises(BadInput, match="line 2: not JSON, perhaps cut off"):
        read_groundings(path, narratives)
