"""YouTube-VIS, UVO and VIPSeg: what sound files give, and what is said of broken ones."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.workbench.datasets.referred import manifest, picture
from tests.workbench.datasets.test_check import put
from tests.workbench.datasets.test_hostile import VALUES, places
from workbench.datasets.check import check_dataset, inspect_dataset
from workbench.datasets.load import load_videos
from workbench.datasets.manifest import build_manifest
from workbench.datasets.vipseg import category_of
from workbench.errors import BadInput, EsgError, MissingInput
from workbench.files import write_json

SIZE = (4, 6)
STRIPE = {"size": [4, 6], "counts": [8, 4, 12]}  # column 2


class HandMadeYtvis:
    """One video of three frames with two tracks; the second is seen in the last frame only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        names = [f"v1/{k:05d}.jpg" for k in (0, 5, 10)]
        for name in names:
            picture(root / "train/JPEGImages" / name, SIZE)
        video = {"id": 9, "height": 4, "width": 6, "length": 3, "file_names": names}
        track = {"id": 1, "video_id": 9, "category_id": 2, "iscrowd": 0, "height": 4, "width": 6,
                 "length": 3, "segmentations": [STRIPE, None, STRIPE]}  # fmt: skip
        compressed = coco_mask.frPyObjects(STRIPE, *SIZE)
        code = {"size": [4, 6], "counts": compressed["counts"].decode()}
        late = {"id": 2, "video_id": 9, "category_id": 1, "segmentations": [None, None, code]}
        self.content: dict[str, Any] = {
            "videos": [video],
            "annotations": [track, late],
            "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        }

    def write(self) -> Path:
        file = "annotations/youtube_vis_2019_train.json"
        (self.root / "annotations").mkdir(exist_ok=True)
        (self.root / file).write_text(json.dumps(self.content))
        entry = {"annotations": file, "images": "train/JPEGImages"}
        return manifest(self.root, "ytvis", {"train": entry})


class HandMadeVipseg:
    """One video of two frames: wall, sky, two of things with instances, void, and value 200."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.first = np.array(
            [[1, 1, 1, 29, 29, 29], [1, 6100, 6100, 29, 0, 0], [1, 6101, 6101, 29, 0, 200],
             [1, 1, 1, 29, 200, 200]], np.uint16
        )  # fmt: skip
        self.second = np.where(self.first == 6101, 1, self.first).astype(np.uint16)
        self.categories: Any = [
            {"id": 0, "name": "wall", "isthing": 0},
            {"id": 28, "name": "sky", "isthing": 0},
            {"id": 60, "name": "person", "isthing": 1},
        ]
        for stem in ("00000001", "00000002"):
            picture(root / f"imgs/1_a/{stem}.jpg", SIZE)
        (root / "panomasks/1_a").mkdir(parents=True)

    def write(self) -> Path:
        for stem, labels in (("00000001", self.first), ("00000002", self.second)):
            Image.fromarray(labels).save(self.root / f"panomasks/1_a/{stem}.png")
        (self.root / "val.txt").write_text("1_a\n")
        (self.root / "panoVIPSeg_categories.json").write_text(json.dumps(self.categories))
        entry = {"annotations": "val.txt", "images": "imgs", "masks": "panomasks"}
        return manifest(self.root, "vipseg", {"val": entry})


class HandMade720p:
    """The same in COCO panoptic form, with names below the video's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.maps = [np.array([[5, 5, 300, 300]] * 3), np.array([[5, 5, 5, 70_000]] * 3)]
        kinds = {5: 0, 300: 60, 70_000: 60}
        frames, annotations = [], []
        for at, ids in enumerate(self.maps):
            picture(root / f"images/v/{at}.jpg", (3, 4))
            frames.append({"id": f"f{at}", "file_name": f"{at}.jpg", "height": 3, "width": 4})
            segments = [
                {"id": int(k), "category_id": kinds[k], "iscrowd": 0} for k in np.unique(ids)
            ]
            annotations.append(
                {"image_id": f"f{at}", "file_name": f"{at}.png", "segments_info": segments}
            )
        self.content: dict[str, Any] = {
            "videos": [{"video_id": "v", "images": frames}],
            "annotations": [{"video_id": "v", "annotations": annotations}],
            "categories": [
                {"id": 0, "name": "wall", "isthing": 0},
                {"id": 60, "name": "person", "isthing": 1},
            ],
        }

    def write(self) -> Path:
        (self.root / "panomasksRGB/v").mkdir(parents=True, exist_ok=True)
        for at, ids in enumerate(self.maps):
            rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], axis=-1)
            Image.fromarray(rgb.astype(np.uint8)).save(self.root / f"panomasksRGB/v/{at}.png")
        file = "panoptic_gt_VIPSeg_val.json"
        (self.root / file).write_text(json.dumps(self.content))
        entry = {"annotations": file, "images": "images", "masks": "panomasksRGB"}
        return manifest(self.root, "vipseg_720p", {"val": entry})


def bits(mask: Any) -> np.ndarray:
    return coco_mask.decode(mask).astype(bool)


class TestYtvis:
    def test_records(self, tmp_path: Path) -> None:
        data = load_videos(HandMadeYtvis(tmp_path).write(), "train")
        (video,) = data
        assert (video.video_id, video.height, video.width) == (9, 4, 6)
        assert video.file_names[1] == "v1/00005.jpg"
        assert all(file.is_file() for file in video.files)
        first, late = video.tracks
        assert (first.track_id, first.category_id, first.iscrowd) == (1, 2, False)
        assert [mask is None for mask in first.masks] == [False, True, False]
        assert [mask is None for mask in late.masks] == [True, True, False]
        wanted = np.zeros(SIZE, bool)
        wanted[:, 2] = True
        assert np.array_equal(bits(first.masks[0]), wanted)
        assert first.masks[2] == late.masks[2]
        assert [category.name for category in data.categories] == ["dog", "cat"]

    def test_units_and_places(self, tmp_path: Path) -> None:
        HandMadeYtvis(tmp_path).write()
        write_json(tmp_path / "m.json", build_manifest(tmp_path, "ytvis", ["train"]))
        (report,) = inspect_dataset(tmp_path / "m.json")
        assert report.units == {"videos": 1, "frames": 3, "entities": 2, "categories": 2}
        assert report.findings == ()

    def test_a_split_without_ground_truth_is_noted(self, tmp_path: Path) -> None:
        data = HandMadeYtvis(tmp_path)
        del data.content["annotations"]
        found = data.write()
        opened = load_videos(found, "train")
        assert not opened.annotated
        assert opened[0].tracks == ()
        assert check_dataset(found) == []
        (report,) = inspect_dataset(found)
        assert [finding.note for finding in report.findings] == [True]

    @pytest.mark.parametrize(
        ("damage", "field"),
        [
            (put("videos", []), "videos"),
            (put("videos", None), "videos"),
            (put("videos.0", 3), "videos[0]"),
            (put("videos.0.id", None), "videos[0].id"),
            (put("videos.0.height", 0), "videos[0].height"),
            (put("videos.0.width", 10**30), "videos[0].width"),
            (put("videos.0.file_names", []), "videos[0].file_names"),
            (put("videos.0.file_names.1", None), "videos[0].file_names"),
            (put("videos.0.length", 4), "videos[0].length"),
            (put("annotations", 5), "annotations"),
            (put("annotations.1.id", 1), "annotations[1].id"),
            (put("annotations.0.video_id", 8), "annotations[0].video_id"),
            (put("annotations.0.category_id", "cat"), "annotations[0].category_id"),
            (put("annotations.0.segmentations", [None]), "annotations[0].segmentations"),
            (put("categories.1.id", 1), "categories[1].id"),
        ],
    )
    def test_damaged(self, tmp_path: Path, damage: Any, field: str) -> None:
        data = HandMadeYtvis(tmp_path)
        damage(data.content)
        found = data.write()
        with pytest.raises(BadInput) as caught:
            load_videos(found, "train")
        assert caught.value.field == field
        assert str(caught.value) in [str(finding) for finding in check_dataset(found)]

    def test_all_faults_of_a_video(self, tmp_path: Path) -> None:
        data = HandMadeYtvis(tmp_path)
        data.content["annotations"][0]["segmentations"] = [
            {"size": [4, 6], "counts": [3]},
            [],
            None,
        ]
        data.content["videos"][0]["file_names"][0] = "../v1/00000.jpg"
        (tmp_path / "train/JPEGImages/v1/00005.jpg").unlink()
        picture(tmp_path / "train/JPEGImages/v1/00010.jpg", (4, 5))
        (report,) = inspect_dataset(data.write())
        assert report.unusable == 1
        assert len(report.findings) == 4
        with pytest.raises(EsgError):
            load_videos(tmp_path / "manifest.json", "train")[0]

    def test_uvo(self, tmp_path: Path) -> None:
        data = HandMadeYtvis(tmp_path)
        (tmp_path / "VideoDenseSet").mkdir()
        (tmp_path / "VideoDenseSet/UVO_video_val_dense.json").write_text(json.dumps(data.content))
        (tmp_path / "train/JPEGImages").rename(tmp_path / "uvo_videos_dense_frames")
        write_json(tmp_path / "m.json", build_manifest(tmp_path, "uvo", ["val_dense"]))
        assert len(load_videos(tmp_path / "m.json", "val_dense")[0].tracks) == 2
        with pytest.raises(BadInput, match="use train or val"):
            build_manifest(tmp_path, "uvo", ["val"])
        with pytest.raises(MissingInput):
            build_manifest(tmp_path, "uvo", ["train_sparse"])


class TestVipseg:
    def test_values(self) -> None:
        assert [category_of(value) for value in (1, 29, 124, 6100, 6105, 12_400)] == [
            0, 28, 123, 60, 60, 123,
        ]  # fmt: skip

    def test_records(self, tmp_path: Path) -> None:
        data = HandMadeVipseg(tmp_path)
        opened = load_videos(data.write(), "val")
        (video,) = opened
        assert video.video_id == "1_a"
        assert video.file_names == ("1_a/00000001.jpg", "1_a/00000002.jpg")
        kinds = [(track.track_id, track.category_id) for track in video.tracks]
        assert kinds == [(1, 0), (29, 28), (6100, 60), (6101, 60)]
        for track in video.tracks:
            for labels, mask in zip((data.first, data.second), track.masks, strict=True):
                seen = labels == track.track_id
                assert (mask is None) == (not seen.any())
                assert mask is None or np.array_equal(bits(mask), seen)
        assert [category.isthing for category in opened.categories] == [False, False, True]

    def test_units_and_places(self, tmp_path: Path) -> None:
        HandMadeVipseg(tmp_path).write()
        write_json(tmp_path / "m.json", build_manifest(tmp_path, "vipseg", ["val"]))
        (report,) = inspect_dataset(tmp_path / "m.json")
        assert report.units == {"videos": 1, "frames": 2, "categories": 3}
        assert report.findings == ()

    def test_all_faults_of_files(self, tmp_path: Path) -> None:
        data = HandMadeVipseg(tmp_path)
        data.first[0, 0] = 7
        found = data.write()
        (tmp_path / "imgs/1_a/00000002.jpg").unlink()
        picture(tmp_path / "imgs/1_a/00000003.jpg", SIZE)
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "panomasks/1_a/00000002.png")
        lines = "\n".join(str(finding) for finding in check_dataset(found))
        for part in ("00000002.jpg: file: not found", "00000003.png: file: not found",
                     "00000001.png: values: 7 is of no category",
                     "00000002.png: mask: 3 channels"):  # fmt: skip
            assert part in lines
        with pytest.raises(EsgError):
            load_videos(found, "val")[0]

    def test_label_maps_of_another_size(self, tmp_path: Path) -> None:
        data = HandMadeVipseg(tmp_path)
        data.second = data.second[:, :5]
        (finding,) = check_dataset(data.write())
        assert finding.where.endswith("00000002.png")
        assert "[4, 5] (height, width) differs" in finding.problem

    def test_a_video_without_frames(self, tmp_path: Path) -> None:
        found = HandMadeVipseg(tmp_path).write()
        (tmp_path / "val.txt").write_text("1_a\n2_b\n")
        (report,) = inspect_dataset(found)
        assert report.units == {"videos": 2, "frames": 2, "categories": 3}
        assert report.unusable == 1

    @pytest.mark.parametrize("text", ["", "1_a\n1_a\n", "..\n", "a/b\n", "\\\\server\n"])
    def test_lists_of_videos(self, tmp_path: Path, text: str) -> None:
        found = HandMadeVipseg(tmp_path).write()
        (tmp_path / "val.txt").write_text(text)
        with pytest.raises(BadInput):
            load_videos(found, "val")
        assert check_dataset(found)

    @pytest.mark.parametrize("categories", [{}, [3], [{"id": "a"}], None])
    def test_categories(self, tmp_path: Path, categories: Any) -> None:
        data = HandMadeVipseg(tmp_path)
        data.categories = categories
        with pytest.raises(BadInput, match="panoVIPSeg_categories"):
            load_videos(data.write(), "val")

    def test_files_that_are_not_there(self, tmp_path: Path) -> None:
        for name in ("val.txt", "panoVIPSeg_categories.json"):
            data = HandMadeVipseg(tmp_path / name)
            found = data.write()
            (data.root / name).unlink()
            with pytest.raises(MissingInput):
                load_videos(found, "val")
            assert [finding.problem for finding in check_dataset(found)] == ["not found"]


class TestVipseg720p:
    def test_records(self, tmp_path: Path) -> None:
        data = HandMade720p(tmp_path)
        (video,) = load_videos(data.write(), "val")
        assert (video.video_id, video.height, video.width) == ("v", 3, 4)
        assert [(t.track_id, t.category_id) for t in video.tracks] == [
            (5, 0), (300, 60), (70_000, 60),
        ]  # fmt: skip
        assert [mask is None for mask in video.tracks[1].masks] == [False, True]
        assert np.array_equal(bits(video.tracks[0].masks[1]), data.maps[1] == 5)
        assert check_dataset(tmp_path / "manifest.json") == []

    def test_mismatches(self, tmp_path: Path) -> None:
        data = HandMade720p(tmp_path)
        frames = data.content["annotations"][0]["annotations"]
        frames[0]["segments_info"][0]["id"] = 6
        frames[1]["segments_info"][0]["category_id"] = 60
        (tmp_path / "images/v/1.jpg").unlink()
        found = data.write()
        assert len(check_dataset(found)) == 3
        with pytest.raises(BadInput):
            load_videos(found, "val")[0]

    def test_a_frame_without_annotation(self, tmp_path: Path) -> None:
        data = HandMade720p(tmp_path)
        data.content["annotations"][0]["annotations"].pop()
        assert [finding.problem for finding in check_dataset(data.write())] == ["has no annotation"]


@pytest.mark.parametrize("kind", [HandMadeYtvis, HandMade720p])
def test_whatever_a_field_holds_reading_ends_in_a_record_or_a_line(
    kind: Any, tmp_path: Path
) -> None:
    data = kind(tmp_path)
    split = "train" if kind is HandMadeYtvis else "val"
    sound = copy.deepcopy(data.content)
    cases = [(path, value) for path in places(sound) for value in VALUES]
    for path, value in random.Random(0).sample(cases, 250):
        data.content = at = copy.deepcopy(sound)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = copy.deepcopy(value)
        found = data.write()
        try:
            list(load_videos(found, split))
        except EsgError as error:
            assert "\n" not in str(error), (path, value)
            assert check_dataset(found), (path, value)
        check_dataset(found)
