"""RefCOCO and ReasonSeg: what sound files give, and what is said of broken ones."""

from __future__ import annotations

import copy
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.workbench.datasets.referred import (
    PICTURES,
    HandMadeReasonseg,
    HandMadeRefcoco,
    manifest,
    picture,
)
from tests.workbench.datasets.test_check import put
from tests.workbench.datasets.test_hostile import VALUES, places
from workbench.datasets import load_entities
from workbench.datasets.check import check_dataset, inspect_dataset
from workbench.datasets.load import load_referring, load_videos
from workbench.datasets.manifest import build_manifest
from workbench.datasets.reasonseg import IGNORE, TARGET, draw_regions
from workbench.datasets.referring import prompt_of
from workbench.errors import BadInput, EsgError, MissingInput
from workbench.files import write_json

Damage = Callable[[Any], None]


def bits(mask: Any) -> np.ndarray:
    return coco_mask.decode(mask).astype(bool)


@pytest.fixture
def refcoco(tmp_path: Path) -> HandMadeRefcoco:
    return HandMadeRefcoco(tmp_path / "hand")


@pytest.fixture
def reasonseg(tmp_path: Path) -> HandMadeReasonseg:
    return HandMadeReasonseg(tmp_path / "hand")


class TestRefcoco:
    def test_records(self, refcoco: HandMadeRefcoco) -> None:
        (record,) = load_referring(refcoco.write(), "train")
        assert (record.key, record.image_id, record.category_id) == ("1", 5, 3)
        assert record.expressions == ("left dog", "dog on the left")
        assert record.expression_ids == (10, 11)
        assert record.num_scored == 2
        assert record.ignore is None
        assert record.file_name == "COCO_train2014_000000000005.jpg"
        wanted = np.zeros((8, 10), bool)
        wanted[:4, :6] = True  # overlapping parts are joined, not summed
        assert np.array_equal(bits(record.target), wanted)

    def test_plain_counts(self, refcoco: HandMadeRefcoco) -> None:
        wanted = np.zeros((8, 10), bool)
        wanted[:, 5] = True
        assert np.array_equal(
            bits(load_referring(refcoco.write("testB"), "testB")[0].target), wanted
        )

    @pytest.mark.parametrize(
        ("split", "keys"),
        [("train", "1"), ("val", "2"), ("testA", "34"), ("testB", "4"), ("test", "34")],
    )
    def test_splits_as_refer_divides(self, refcoco: HandMadeRefcoco, split: str, keys: str) -> None:
        data = load_referring(refcoco.write(split), split)
        assert [record.key for record in data] == list(keys)

    def test_units(self, refcoco: HandMadeRefcoco) -> None:
        (report,) = inspect_dataset(refcoco.write("testA"))
        assert report.units == {"refs": 2, "sentences": 4}
        assert report.findings == ()

    def test_a_blank_sentence_is_noted_and_kept(self, refcoco: HandMadeRefcoco) -> None:
        put("0.sentences.0.sent", " ")(refcoco.refs)
        (report,) = inspect_dataset(refcoco.write("train"))
        assert [finding.note for finding in report.findings] == [True]
        assert "are blank" in str(report.findings[0])
        assert report.units["sentences"] == len(
            load_referring(refcoco.write(), "train")[0].expressions
        )

    @pytest.mark.parametrize("protocol", range(6))
    def test_protocols(self, refcoco: HandMadeRefcoco, protocol: int) -> None:
        refcoco.protocol = protocol
        assert len(load_referring(refcoco.write(), "train")) == 1

    def test_real_places(self, refcoco: HandMadeRefcoco, tmp_path: Path) -> None:
        refcoco.write()
        content = build_manifest(refcoco.root, "refcoco", ["train", "testA"])
        write_json(tmp_path / "m.json", content)
        assert len(load_referring(tmp_path / "m.json", "testA")) == 2
        assert content["splits"]["testA"]["num_entities"] == 2
        assert content["splits"]["testA"]["num_images"] == 1

    def test_hostile_pickle_does_nothing(self, refcoco: HandMadeRefcoco, tmp_path: Path) -> None:
        marker = tmp_path / "executed"
        refcoco.refs = b"cos\nsystem\n(S'touch " + os.fsencode(marker) + b"'\ntR."
        with pytest.raises(BadInput, match=r"refs\(unc\).p: pickle: asks for GLOBAL") as caught:
            load_referring(refcoco.write(), "train")
        assert "\n" not in str(caught.value)
        assert [str(f) for f in check_dataset(refcoco.write())] == [str(caught.value)]
        assert not marker.exists()

    @pytest.mark.parametrize(
        ("damage", "field"),
        [
            (put("0.ref_id", "one"), "refs[0].ref_id"),
            (put("1.ref_id", 1), "refs[1].ref_id"),
            (put("0.ann_id", 99), "refs[0].ann_id"),
            (put("0.ann_id", [21]), "refs[0].ann_id"),
            (put("0.image_id", 6), "refs[0].image_id"),
            (put("0.category_id", 4), "refs[0].category_id"),
            (put("0.split", "training"), "refs[0].split"),
            (put("0.split", None), "refs[0].split"),
            (put("0.sentences", []), "refs[0].sentences"),
            (put("0.sentences", 4), "refs[0].sentences"),
            (put("0.sentences.1", "left dog"), "refs[0].sentences[1]"),
            (put("0.sentences.1.sent_id", 10), "refs[0].sentences[1].sent_id"),
            (put("0.sentences.0.sent", None), "refs[0].sentences[0].sent"),
            (put("0.sentences.0.sent", b"dog"), "refs[0].sentences[0].sent"),
            (put("0.sent_ids", [10]), "refs[0].sent_ids"),
            (put("0", ["ref"]), "refs[0]"),
            (lambda refs: refs.clear(), "refs"),
        ],
    )
    def test_damaged_refs(self, refcoco: HandMadeRefcoco, damage: Damage, field: str) -> None:
        refcoco.protocol = 4
        damage(refcoco.refs)
        found = refcoco.write()
        with pytest.raises(BadInput) as caught:
            load_referring(found, "train")
        assert caught.value.field == field
        assert caught.value.where.endswith("refs(unc).p")
        assert str(caught.value) in [str(finding) for finding in check_dataset(found)]

    def test_a_dict_is_no_list_of_refs(self, refcoco: HandMadeRefcoco) -> None:
        refcoco.refs = {"refs": refcoco.refs}
        with pytest.raises(BadInput, match="top level: dict, not a list"):
            load_referring(refcoco.write(), "train")

    def test_an_empty_split(self, refcoco: HandMadeRefcoco) -> None:
        refcoco.refs = refcoco.refs[:2]
        with pytest.raises(BadInput, match="no ref is of testA; use one of: train, val"):
            load_referring(refcoco.write("testA"), "testA")

    def test_all_faults_of_files_are_reported(self, refcoco: HandMadeRefcoco) -> None:
        found = refcoco.write("testA")
        (refcoco.root / PICTURES / "COCO_train2014_000000000006.jpg").unlink()
        lines = [str(finding) for finding in check_dataset(found)]
        assert len(lines) == 2  # both refs of the picture
        assert all("not found" in line for line in lines)
        refcoco.instances["annotations"][2]["segmentation"]["counts"] = [1]
        (report,) = inspect_dataset(refcoco.write("testA"))
        assert report.unusable == 2
        assert len(report.findings) == 4

    def test_another_picture_than_annotated(self, refcoco: HandMadeRefcoco) -> None:
        picture(refcoco.root / PICTURES / "COCO_train2014_000000000005.jpg", (8, 9))
        (finding,) = check_dataset(refcoco.write())
        assert (finding.field, finding.where[-14:]) == ("images[0]", "instances.json")

    def test_files_that_are_not_there(self, refcoco: HandMadeRefcoco) -> None:
        for name in ("refs(unc).p", "instances.json"):
            found = refcoco.write()
            (refcoco.root / "refcoco" / name).unlink()
            with pytest.raises(MissingInput):
                load_referring(found, "train")
            assert [finding.problem for finding in check_dataset(found)] == ["not found"]

    def test_cut_off_pickles(self, refcoco: HandMadeRefcoco) -> None:
        whole = pickle.dumps(refcoco.refs, 2)
        for end in range(0, len(whole), 37):
            refcoco.refs = whole[:end]
            with pytest.raises(BadInput, match="pickle"):
                load_referring(refcoco.write(), "train")


class TestReasonseg:
    def test_record(self, reasonseg: HandMadeReasonseg) -> None:
        (record,) = load_referring(reasonseg.write(), "val")
        assert (record.key, record.height, record.width) == ("a", 20, 30)
        assert record.expressions == ("What could you eat?", "the food")
        assert record.num_scored == 1
        assert record.is_sentence is True
        wanted = np.zeros((20, 30), bool)
        wanted[2:10, 2:13] = True  # coordinates are cut to whole pixels, the border belongs to it
        wanted[4:8, 4:8] = False  # ignored, drawn later since smaller
        wanted[5:7, 5:7] = True  # and the smallest last
        assert np.array_equal(bits(record.target), wanted)
        ignored = np.zeros((20, 30), bool)
        ignored[4:8, 4:8] = True
        ignored[5:7, 5:7] = False
        assert np.array_equal(bits(record.ignore), ignored)

    def test_without_ignored_pixels(self, reasonseg: HandMadeReasonseg) -> None:
        reasonseg.content["shapes"] = reasonseg.content["shapes"][1:2]
        assert load_referring(reasonseg.write(), "val")[0].ignore is None

    @pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "cp1252"])
    def test_encodings(self, reasonseg: HandMadeReasonseg, code: str) -> None:
        reasonseg.content["text"] = ["What’s for dîner?"]
        reasonseg.code = code
        assert load_referring(reasonseg.write(), "val")[0].expressions == ("What’s for dîner?",)

    def test_labels(self) -> None:
        square = [[1, 1], [3, 1], [3, 3], [1, 3]]
        for label, value in (
            ("target", TARGET), ("ignore_2", IGNORE), ("IGNORE", IGNORE), ("Flag", 0),
            ("other", TARGET),
        ):  # fmt: skip
            regions = draw_regions([{"label": label, "points": square}], (5, 5))
            assert regions[2, 2] == value

    def test_of_equal_areas_the_later_is_drawn_first(self) -> None:
        square = [[1, 1], [3, 1], [3, 3], [1, 3]]
        shapes = [{"label": name, "points": square} for name in ("target", "ignore")]
        assert draw_regions(shapes, (5, 5))[2, 2] == TARGET
        assert draw_regions(shapes[::-1], (5, 5))[2, 2] == IGNORE

    @pytest.mark.parametrize(
        ("damage", "field"),
        [
            (put("text", "food"), "text"),
            (put("text", []), "text"),
            (put("text.1", 4), "text[1]"),
            (put("text.0", " "), "text[0]"),
            (put("is_sentence", "yes"), "is_sentence"),
            (put("shapes", None), "shapes"),
            (put("shapes.0", []), "shapes[0].label"),
            (put("shapes.0.label", None), "shapes[0].label"),
            (put("shapes.1.points", []), "shapes[1].points"),
            (put("shapes.1.points.2", [1]), "shapes[1].points"),
            (put("shapes.1.points.2", [1, "2"]), "shapes[1].points"),
            (put("shapes.1.points.2", [1, float("nan")]), "shapes[1].points"),
            (put("shapes.1.points.2", [1, 1e9]), "shapes[1].points"),
        ],
    )
    def test_damaged(self, reasonseg: HandMadeReasonseg, damage: Damage, field: str) -> None:
        damage(reasonseg.content)
        found = reasonseg.write()
        with pytest.raises(BadInput) as caught:
            load_referring(found, "val")[0]
        assert caught.value.field == field
        assert str(caught.value) in [str(finding) for finding in check_dataset(found)]

    def test_files_of_a_pair(self, reasonseg: HandMadeReasonseg) -> None:
        found = reasonseg.write()
        (reasonseg.folder / "b.json").write_text("{}")
        picture(reasonseg.folder / "c.jpg", (4, 4))
        (reasonseg.folder / "d.json").write_bytes(b'{"text": "\x81\x8d"}')
        picture(reasonseg.folder / "d.jpg", (4, 4))
        (report,) = inspect_dataset(found)
        assert report.units == {"images": 4}
        assert report.unusable == 3
        assert {Path(finding.where).name for finding in report.findings} == {
            "b.jpg", "b.json", "c.json", "d.json",
        }  # fmt: skip
        with pytest.raises(MissingInput):
            load_referring(found, "val")[1]

    def test_nothing_to_find(self, reasonseg: HandMadeReasonseg) -> None:
        reasonseg.content["shapes"] = reasonseg.content["shapes"][2:3]
        (finding,) = check_dataset(reasonseg.write())
        assert finding.problem == "no pixel of the picture is target"

    def test_a_picture_that_is_none(self, reasonseg: HandMadeReasonseg) -> None:
        found = reasonseg.write()
        (reasonseg.folder / "a.jpg").write_bytes(b"GIF")
        assert [Path(finding.where).name for finding in check_dataset(found)] == ["a.jpg"]

    def test_empty_and_missing_folders(self, tmp_path: Path) -> None:
        (tmp_path / "val").mkdir()
        found = manifest(tmp_path, "reasonseg", {"val": {"images": "val"}})
        assert [finding.problem for finding in check_dataset(found)] == ["there is none"]
        found = manifest(tmp_path, "reasonseg", {"val": {"images": "test"}})
        assert [finding.problem for finding in check_dataset(found)] == ["not found"]


@pytest.mark.parametrize("kind", ["refs", "instances", "reasonseg"])
def test_whatever_a_field_holds_reading_ends_in_a_record_or_a_line(
    kind: str, tmp_path: Path
) -> None:
    data: Any = (HandMadeReasonseg if kind == "reasonseg" else HandMadeRefcoco)(tmp_path / "hand")
    name = "content" if kind == "reasonseg" else kind
    split = "val" if kind == "reasonseg" else "train"
    if kind != "reasonseg":
        data.protocol = 4
    sound = copy.deepcopy(getattr(data, name))
    cases = [(path, value) for path in places(sound) for value in VALUES]
    for path, value in random.Random(0).sample(cases, 200):
        content = at = copy.deepcopy(sound)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = copy.deepcopy(value)
        setattr(data, name, content)
        try:
            found = data.write()
        except UnicodeEncodeError:
            continue
        try:
            list(load_referring(found, split))
        except EsgError as error:
            assert "\n" not in str(error), (path, value)
            assert check_dataset(found), (path, value)
        check_dataset(found)


def test_records_of_another_kind(refcoco: HandMadeRefcoco) -> None:
    found = refcoco.write()
    for load in (load_entities, load_videos):
        with pytest.raises(BadInput, match="its records are not"):
            load(found, "train")


def test_prompt() -> None:
    assert prompt_of("  Left Dog ") == "left dog"
