"""Worlds of expressions and of videos: bytes, truth of what is said, and what the readers give."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask

from tests.workbench.datasets.conftest import ROOT
from tests.workbench.datasets.worlds.expression_reader import SIDES, look, meant
from workbench.datasets import load_entities
from workbench.datasets.catalogue import CATALOGUE
from workbench.datasets.check import inspect_dataset
from workbench.datasets.load import load_referring, load_videos
from workbench.datasets.manifest import build_manifest
from workbench.datasets.worlds import write_world
from workbench.datasets.worlds.grounding_scene import GROUNDS, SHAPES, make_grounding_scene
from workbench.datasets.worlds.referring_spec import parse_referring_spec, parse_video_spec
from workbench.errors import BadInput
from workbench.files import sha256_tree, write_json
from workbench.stages.prep import describe

# SHA-256 over names and bytes of all files of the smoke worlds; see test_writer.
HASHES = {
    "refcoco": "e7242282f33e4275aa13d38171ca5ce59756e6966cdedafab1f7f5fa9382cdde",
    "refcoco_plus": "72a87663d3096c2bbf4a06745f07e31341bdfff7b2caa0e3296dd72d45b8c8f0",
    "refcocog": "9db3c165bc941a4fdfe8fb5b980136c7e5fb9d504d14096577b32f8fbabbf6ac",
    "reasonseg": "9e27d9939bb3c0ac7359cc98ec63b4d49702a178f9b15b42cfe84f3cc255dc07",
    "ytvis2019": "f4dde88dcdd57c83ecd91528c7e4ff77ff946e4532cc7d62e94cd3316d7edff1",
    "uvo": "471c1e99553d6e1c30f7019d37616d3c7ae32413d975af4a7ae6ba79be7e4d5e",
    "vipseg": "dee6c4d1a272cd4966488736c75d675f697d73f97c373bd1f240961f26c005a8",
}
REFERRING = ("refcoco", "refcoco_plus", "refcocog")
POSITIONS = frozenset(
    ["left", "right", "top", "bottom", "upper", "lower", "above", "below", "part", "side", "next"]
)
FOLDERS = {"refcoco": "refcoco", "refcoco_plus": "refcoco+", "refcocog": "refcocog"}


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    out = tmp_path_factory.mktemp("language")
    for name in HASHES:
        write_world(name, smoke_specs[name], out / name)
    return out


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    """Worlds with enough pictures to meet every kind of expression and motion."""
    out = tmp_path_factory.mktemp("larger")
    for name in (*REFERRING, "reasonseg"):
        spec = smoke_specs[name]
        splits = {split: 40 for split in spec["splits"]}
        write_world(name, {**spec, "splits": splits, "seed": 77}, out / name)
    spec = smoke_specs["ytvis2019"]
    videos = {"splits": {"train": 6, "valid": 6}, "frames": [6, 7], "seed": 77}
    write_world("ytvis2019", {**spec, **videos}, out / "ytvis2019")
    return out


@pytest.mark.parametrize("name", HASHES)
def test_bytes_are_those_of_every_other_machine(name: str, worlds: Path) -> None:
    assert sha256_tree(worlds / name) == HASHES[name]


def test_bytes_depend_on_neither_hash_seed_nor_threads(worlds: Path, tmp_path: Path) -> None:
    code = (
        "import sys, yaml; from pathlib import Path;"
        "from workbench.datasets.worlds import write_world;"
        "specs = yaml.safe_load(Path('configs/smoke/worlds.yaml').read_text());"
        "[write_world(n, specs[n], Path(sys.argv[1]) / n) for n in sys.argv[2:]]"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2"}
    environment["PYTHONPATH"] = str(ROOT)
    names = ["refcocog", "reasonseg", "vipseg"]
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *names], check=True, cwd=ROOT, env=environment
    )
    for name in names:
        assert sha256_tree(tmp_path / name) == sha256_tree(worlds / name)


@pytest.mark.parametrize("name", HASHES)
def test_worlds_pass_the_check(name: str, worlds: Path, smoke_specs: dict[str, Any]) -> None:
    reports = inspect_dataset(worlds / name / "manifest.json")
    assert [finding for report in reports for finding in report.findings] == []
    assert all(sum(report.units.values()) for report in reports)
    if name == "uvo":
        wanted = {f"{s}_{kind}" for s in smoke_specs[name]["splits"] for kind in ("dense", "frame")}
    else:
        wanted = set(smoke_specs[name]["splits"])
    assert {report.split for report in reports} == wanted


@pytest.mark.parametrize(
    ("name", "form", "splits"),
    [
        ("refcoco", "refcoco", ["train", "testA"]),
        ("refcoco_plus", "refcoco", ["val", "testB"]),
        ("refcocog", "refcoco", ["test"]),
        ("reasonseg", "reasonseg", ["train", "val", "test"]),
        ("ytvis2019", "ytvis", ["train", "valid"]),
        ("uvo", "uvo", ["train_dense", "val_dense"]),
        ("vipseg", "vipseg", ["train", "val", "test"]),
    ],
)
def test_files_lie_where_the_real_data_sets_have_them(
    name: str, form: str, splits: list[str], worlds: Path, tmp_path: Path
) -> None:
    write_json(tmp_path / "m.json", build_manifest(worlds / name, form, splits))
    assert all(report.findings == () for report in inspect_dataset(tmp_path / "m.json"))


@pytest.mark.parametrize("name", HASHES)
def test_the_paper_scale_describes_these_layouts(name: str, worlds: Path, tmp_path: Path) -> None:
    described = yaml.safe_load((ROOT / "configs/paper/worlds.yaml").read_text())[name]
    spec = {**described, "root": str(worlds / name)}
    content = describe(name, spec, Path("."), tmp_path / "manifest.json", name, whole=False)
    write_json(tmp_path / "manifest.json", content)
    source = CATALOGUE[name]
    reports = inspect_dataset(tmp_path / "manifest.json", source)
    assert {report.split for report in reports} <= set(source.splits)
    for report in reports:
        assert report.unusable == 0
        # These worlds are small: all that is found is that, one line a published size.
        assert len(report.findings) == len(source.splits[report.split])
        assert all("instead of" in finding.problem for finding in report.findings)


@pytest.mark.parametrize("name", REFERRING)
def test_every_expression_means_its_target_and_nothing_else(name: str, larger: Path) -> None:
    root = larger / name
    folder = root / FOLDERS[name]
    instances = json.loads((folder / "instances.json").read_text())
    (file,) = folder.glob("refs(*).p")
    refs = pickle.loads(file.read_bytes())
    names = {category["id"]: category["name"] for category in instances["categories"]}
    pictures = {image["id"]: image["file_name"] for image in instances["images"]}
    by_image: dict[int, list[Any]] = {number: [] for number in pictures}
    for item in instances["annotations"]:
        by_image[item["image_id"]].append(item)
    seen = {}
    count = 0
    for ref in refs:
        number = ref["image_id"]
        items = by_image[number]
        if number not in seen:
            image = np.asarray(
                Image.open(root / "images/mscoco/images/train2014" / pictures[number])
            )
            masks = [decoded(item["segmentation"], image.shape[:2]) for item in items]
            seen[number] = look(image, masks, [names[item["category_id"]] for item in items])
        target = [at for at, item in enumerate(items) if item["id"] == ref["ann_id"]]
        for sentence in ref["sentences"]:
            text = sentence["sent"]
            assert meant(text, seen[number], 128) == target, (number, text)
            assert sentence["tokens"] == text.split()
            count += 1
    assert count > 100


def decoded(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    return coco_mask.decode(segmentation).astype(bool)


def texts_of(root: Path, split: str) -> list[str]:
    records = load_referring(root / "manifest.json", split)
    return [text for record in records for text in record.expressions]


def test_what_makes_each_of_the_three_hard(larger: Path) -> None:
    words = {
        name: [text.split() for text in texts_of(larger / name, "train")] for name in REFERRING
    }
    positions = {name: np.mean([bool(POSITIONS & set(t)) for t in words[name]]) for name in words}
    assert positions["refcoco"] > 0.4
    assert positions["refcoco_plus"] == 0
    lengths = {name: np.mean([len(text) for text in words[name]]) for name in words}
    assert lengths["refcocog"] > 2 * lengths["refcoco"]


def test_test_a_and_b_divide_by_what_is_meant(larger: Path) -> None:
    for name in ("refcoco", "refcoco_plus"):
        manifest = larger / name / "manifest.json"
        kinds = {
            split: {record.category_id for record in load_referring(manifest, split)}
            for split in ("testA", "testB")
        }
        assert kinds["testA"] and kinds["testB"] and not kinds["testA"] & kinds["testB"]
        pictures = [
            {record.image_id for record in load_referring(manifest, split)}
            for split in ("train", "val", "testA", "testB")
        ]
        assert sum(map(len, pictures)) == len(set.union(*pictures))


def test_refs_are_pickled_as_by_python_2(worlds: Path) -> None:
    data = (worlds / "refcoco/refcoco/refs(unc).p").read_bytes()
    assert data[:2] == b"\x80\x02"


# Who could do what, said again: the generator's own table is not looked at.
USES = {
    r"full moon|plate to eat": {"disc"},
    r"on a finger|rope pulled": {"ring"},
    r"tile for a floor|slice of toast": {"square"},
    r"warn drivers|sail of a boat": {"triangle"},
    r"festive tree|sheriff": {"star"},
    r"treasure map|first aid": {"cross"},
    r"roll down": {"disc", "ring"},
}
PLACES = {
    "grass": "cows|football", "sand": "castle|camel", "water": "fish|boat could sail|could a boat",
    "sky": "aeroplane|clouds", "wall": "painting|pattern", "soil": "potatoes|worm",
    "road": "cars|traffic", "snow": "sledge|skis",
}  # fmt: skip
FARTHEST = {
    "farthest to the left": "left", "farthest to the right": "right",
    "highest up": "top", "lowest down": "bottom",
}  # fmt: skip
RELATIONS = {
    "to the left of": "left", "to the right of": "right", "above": "top", "below": "bottom",
}  # fmt: skip


def reasoned(text: str, looks: Any, labels: np.ndarray) -> list[int]:
    """Return the numbers of the entities that a query may mean, loosely read."""
    places = [name for name, words in PLACES.items() if re.search(f"({words}).*", text)]
    if re.match(r"(where|in which|the region where)", text.lower()):
        (name,) = places
        return [n for n, look in enumerate(looks, start=1) if look.name == name]
    things = [n for n, look in enumerate(looks, start=1) if look.colour]
    centres = {n: [axis.mean() for axis in np.nonzero(labels == n)] for n in things}
    anchor = re.search(rf"({'|'.join(RELATIONS)}) the (\w+) (\w+)", text)
    if anchor:
        axis, sign = SIDES[RELATIONS[anchor[1]]]
        named = {
            n for n in things if (looks[n - 1].colour, looks[n - 1].name) == anchor.groups()[1:]
        }
        (other,) = named
        return [
            n for n in things
            if n != other and sign * (centres[n][axis] - centres[other][axis]) > 0
        ]  # fmt: skip
    (shapes,) = [shapes for words, shapes in USES.items() if re.search(words, text)]
    kin = [n for n in things if looks[n - 1].name in shapes]
    for words, side in FARTHEST.items():
        if words in text:
            axis, sign = SIDES[side]
            best = max(sign * centres[n][axis] for n in kin)
            kin = [n for n in kin if sign * centres[n][axis] > best - 4]
    return kin


def test_every_query_means_its_target_and_never_names_it(
    larger: Path, smoke_specs: dict[str, Any]
) -> None:
    raw = {**smoke_specs["reasonseg"], "seed": 77}
    spec = parse_referring_spec("reasonseg", raw, "worlds.yaml").scene
    targets: set[str] = set()
    for number, split in enumerate(("train", "val", "test")):
        index = 0
        for record in load_referring(larger / "reasonseg/manifest.json", split):
            picture = np.asarray(Image.open(record.file)).astype(int)
            while True:
                found = make_grounding_scene(spec, number, index)
                index += 1
                if np.abs(picture - found.scene.image).mean() < 4:
                    break
            target = coco_mask.decode(record.target).astype(bool)
            (entity,) = np.unique(found.scene.labels[target]).tolist()
            assert np.array_equal(found.scene.labels == entity, target)
            if record.ignore is not None:
                assert not (coco_mask.decode(record.ignore).astype(bool) & target).any()
            name = found.looks[entity - 1].name
            targets.add(name)
            for text in record.expressions:
                assert name not in re.findall(r"\w+", text.lower()), text
                assert reasoned(text, found.looks, found.scene.labels) == [entity], text
            assert split == "train" or len(record.expressions) == 1
    assert targets > set(SHAPES) and targets & set(GROUNDS)


def test_reasonseg_has_files_of_both_encodings_and_flags(larger: Path) -> None:
    files = sorted((larger / "reasonseg/ReasonSeg").glob("*/*_*.json"))
    broken, labels, sentences = 0, set(), set()
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            broken += 1
            content = json.loads(file.read_text(encoding="cp1252"))
        labels |= {shape["label"] for shape in content["shapes"]}
        sentences.add(content["is_sentence"])
        assert content["text"][0].endswith("?") == content["is_sentence"]
    assert broken > 2
    assert labels == {"target", "ignore", "flag"}
    assert sentences == {True, False}
    explained = json.loads((larger / "reasonseg/ReasonSeg/explanatory/train.json").read_text())
    for item in explained:
        assert (larger / "reasonseg/ReasonSeg/train" / item["image"]).is_file()
        assert set(item) == {"image", "query", "outputs"}


def test_videos_of_ytvis_move_occlude_and_leave(larger: Path) -> None:
    absent, moved = 0, 0
    for split in ("train", "valid"):
        for video in load_videos(larger / "ytvis2019/manifest.json", split):
            for at in range(len(video.files)):
                masks = [coco_mask.decode(t.masks[at]) for t in video.tracks if t.masks[at]]
                assert sum(mask.astype(int) for mask in masks).max() == 1
            for track in video.tracks:
                assert any(track.masks)
                absent += sum(mask is None for mask in track.masks)
                moved += len({str(mask) for mask in track.masks}) > 1
    assert absent > 0 and moved > 10
    content = json.loads((larger / "ytvis2019/annotations/youtube_vis_2019_train.json").read_text())
    for item in content["annotations"]:
        for mask, box, area in zip(
            item["segmentations"], item["bboxes"], item["areas"], strict=True
        ):
            assert (mask is None) == (box is None) == (area is None)
            assert mask is None or isinstance(mask["counts"], list)


def test_uvo_frames_are_those_of_its_videos(worlds: Path) -> None:
    manifest = worlds / "uvo/manifest.json"
    for split in ("train", "val"):
        videos = load_videos(manifest, f"{split}_dense")
        images = load_entities(manifest, f"{split}_frame")
        assert len(videos) == len(images)
        for video, image in zip(videos, images, strict=True):
            middle = video.file_names.index(image.file_name)
            assert video.files[middle].read_bytes() == image.file.read_bytes()
            assert [t.masks[middle] for t in video.tracks if t.masks[middle]] == list(image.masks)


def test_vipseg_covers_all_but_void(worlds: Path) -> None:
    voids = set()
    for split in ("train", "val", "test"):
        data = load_videos(worlds / "vipseg/manifest.json", split)
        things = {c.category_id for c in data.categories if c.isthing}
        for video in data:
            for at in range(len(video.files)):
                masks = [coco_mask.decode(t.masks[at]) for t in video.tracks if t.masks[at]]
                cover = sum(mask.astype(int) for mask in masks)
                assert cover.max() == 1
                voids.add(int((cover == 0).sum()))
            assert any(track.category_id in things for track in video.tracks)
            for track in video.tracks:
                assert (track.track_id >= 900) == (track.category_id in things)
    assert voids == {0, 36}
    values = np.asarray(Image.open(worlds / "vipseg/panomasks/1_train/00000001.png"))
    assert values[0, 0] == 200


class TestSpecs:
    @pytest.mark.parametrize(
        ("name", "field", "value"),
        [
            ("refcoco", "splits", {"test": 3}),
            ("refcocog", "splits", {"testA": 3}),
            ("refcoco", "targets", 3),
            ("refcoco", "targets", [3, 1]),
            ("refcoco", "expressions", [0, 1]),
            ("refcoco", "wide_percent", 3),
            ("refcoco", "things", "many"),
            ("refcoco", "frames", [1, 2]),
        ],
    )
    def test_bad_fields(
        self, name: str, field: str, value: Any, smoke_specs: dict[str, Any]
    ) -> None:
        with pytest.raises(BadInput) as caught:
            parse_referring_spec(name, {**smoke_specs[name], field: value}, "worlds.yaml")
        assert caught.value.field == f"{name}.{field}"
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(("field", "value"), [("splits", {"val": 1}), ("speed", [2])])
    def test_bad_fields_of_videos(
        self, field: str, value: Any, smoke_specs: dict[str, Any]
    ) -> None:
        with pytest.raises(BadInput, match=f"ytvis2019.{field}"):
            parse_video_spec("ytvis2019", {**smoke_specs["ytvis2019"], field: value}, "w.yaml")

    def test_missing_field(self, smoke_specs: dict[str, Any]) -> None:
        raw = {key: value for key, value in smoke_specs["uvo"].items() if key != "frames"}
        with pytest.raises(BadInput, match=r"uvo\.frames: missing"):
            parse_video_spec("uvo", raw, "worlds.yaml")
