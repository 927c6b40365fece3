"""The world of several annotators: EntitySeg's pictures, other borders, cuts, mergers and names."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.workbench.datasets.conftest import ROOT
from workbench.datasets import load_entities
from workbench.datasets.worlds import write_world
from workbench.datasets.worlds.annotator import _cut, _merge, redrawn, renamed
from workbench.datasets.worlds.scene import Entity, Scene

SMOKE = yaml.safe_load((ROOT / "configs/smoke/worlds.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("annotators")
    for name in ("entityseg", "entityseg_annotators"):
        write_world(name, SMOKE[name], root / name)
    return root


def test_pictures_and_first_annotator_are_entitysegs(worlds: Path) -> None:
    own = worlds / "entityseg_annotators"
    pictures = sorted(path.relative_to(own) for path in own.glob("images/*/*.jpg"))
    assert len(pictures) == SMOKE["entityseg"]["splits"]["val"]
    for picture in pictures:
        assert filecmp.cmp(own / picture, worlds / "entityseg" / picture, shallow=False)
    for split in ("masks_1", "classes_1", "classes_3"):
        for image, original in zip(
            load_entities(own / "manifest.json", split),
            load_entities(worlds / "entityseg" / "manifest.json", "val"),
            strict=True,
        ):
            assert image.masks == original.masks


def test_other_annotators_differ(worlds: Path) -> None:
    manifest = worlds / "entityseg_annotators" / "manifest.json"
    first, second, third = (
        [image.masks for image in load_entities(manifest, f"masks_{n}")] for n in (1, 2, 3)
    )
    assert first != second != third != first


def scene(labels: np.ndarray) -> Scene:
    entities = tuple(Entity("disc", "large") for _ in range(int(labels.max())))
    return Scene(np.zeros((*labels.shape, 3), np.uint8), labels.astype(np.int32), entities, "photo")


def halves() -> np.ndarray:
    labels = np.ones((8, 12), np.int32)
    labels[:, 4:] = 2
    return labels


def test_a_cut_parts_an_entity_in_two() -> None:
    labels = halves()
    _cut(labels, 2, 3)
    assert np.bincount(labels.ravel()).tolist() == [0, 32, 40, 24]


def test_a_merger_takes_the_longest_border() -> None:
    labels = halves()
    labels[0, 4:] = 3
    _merge(labels, 1)
    assert sorted(set(labels.ravel().tolist())) == [2, 3]
    only = np.ones((4, 4), np.int32)
    _merge(only, 1)
    assert set(only.ravel().tolist()) == {1}


def test_scenes_stay_partitions_with_a_name_for_each_label() -> None:
    original = scene(halves())
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = renamed(redrawn(original, rng), rng)
        assert 1 <= found.labels.min() <= found.labels.max() <= len(found.entities)
        assert all(entity.kind == "large" for entity in found.entities)
    assert original.labels.tolist() == halves().tolist()
