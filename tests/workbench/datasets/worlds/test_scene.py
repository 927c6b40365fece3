"""What a scene promises, whatever its parameters."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from workbench.datasets.worlds.curves import THIN_SHAPES, curve_points, thin_mask
from workbench.datasets.worlds.domains import DOMAINS, hue_colour
from workbench.datasets.worlds.fixed import image_generator
from workbench.datasets.worlds.scene import Scene, make_scene
from workbench.datasets.worlds.shapes import SHAPES, Pose, compact_mask
from workbench.datasets.worlds.spec import Counts, WorldSpec, parse_spec
from workbench.datasets.worlds.vocabulary import CATEGORY_IDS


@pytest.fixture(scope="module")
def spec(smoke_specs: dict[str, Any]) -> WorldSpec:
    return parse_spec("entityseg", smoke_specs["entityseg"])


def only(spec: WorldSpec, domain: str) -> WorldSpec:
    return dataclasses.replace(spec, domains={domain: 1})


def crowded(spec: WorldSpec) -> WorldSpec:
    """Return parameters under which most entities are hidden."""
    large = Counts((20, 25), (90, 160))
    return dataclasses.replace(spec, large=large, medium=large, min_visible_area=40)


def sound(scene: Scene, least: int) -> None:
    areas = np.bincount(scene.labels.ravel())
    assert areas[0] == 0, "a pixel belongs to no entity"
    assert len(areas) == len(scene.entities) + 1
    assert areas[1:].min() >= least
    assert scene.image.shape == (*scene.labels.shape, 3)
    assert scene.image.dtype == np.uint8
    assert {entity.name for entity in scene.entities} <= set(CATEGORY_IDS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_labels_cover_the_picture(domain: str, spec: WorldSpec) -> None:
    kinds = set()
    for index in range(6):
        scene = make_scene(only(spec, domain), 0, index)
        assert scene.domain == domain
        sound(scene, spec.min_visible_area)
        kinds |= {entity.kind for entity in scene.entities}
    assert kinds == {"stuff", "large", "medium", "small", "thin"}


@pytest.mark.parametrize("domain", DOMAINS)
def test_hidden_entities_are_left_out(domain: str, spec: WorldSpec) -> None:
    for index in range(4):
        sound(make_scene(crowded(only(spec, domain)), 0, index), 40)


def test_a_scene_depends_on_seed_split_and_index_alone(spec: WorldSpec) -> None:
    one = make_scene(spec, 0, 3)
    other = make_scene(dataclasses.replace(spec, splits={"train": 4}), 0, 3)
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.labels, other.labels)
    for changed in (make_scene(spec, 1, 3), make_scene(spec, 0, 4)):
        assert one.labels.shape != changed.labels.shape or (one.labels != changed.labels).any()
    reseeded = make_scene(dataclasses.replace(spec, seed=1), 0, 3)
    assert one.labels.shape != reseeded.labels.shape or (one.labels != reseeded.labels).any()


def test_one_stuff_region_and_nothing_else(spec: WorldSpec) -> None:
    none = Counts((0, 0), (8, 8))
    bare = dataclasses.replace(spec, stuff=(1, 1), large=none, medium=none, small=none, thin=none)
    for domain in DOMAINS:
        scene = make_scene(only(bare, domain), 0, 0)
        assert [entity.kind for entity in scene.entities] == ["stuff"]
        assert (scene.labels == 1).all()


def test_entities_stand_out_from_what_they_lie_on(spec: WorldSpec) -> None:
    flat = dataclasses.replace(only(spec, "cartoon"), contrast=200, accent_percent=0)
    scene = make_scene(flat, 0, 0)
    for number, entity in enumerate(scene.entities, start=1):
        if entity.kind != "thin":
            continue
        inside = scene.labels == number
        around = np.zeros_like(inside)
        around[1:] |= inside[:-1]
        around[:-1] |= inside[1:]
        around &= ~inside
        colours = scene.image.astype(int)
        distance = abs(colours[inside].mean(axis=0) - colours[around].mean(axis=0)).sum()
        assert distance > 60


@pytest.mark.parametrize("name", SHAPES)
def test_compact_shapes(name: str) -> None:
    pose = Pose(50, 60, 20, 20, 0)
    mask, (top, left, bottom, right) = compact_mask(name, pose, (100, 120))
    assert mask.shape == (bottom - top, right - left)
    # Every outline fills a fair part of its square of 40 x 40 pixels and does not reach far out.
    assert 300 < mask.sum() < 1610
    rows, columns = np.nonzero(mask)
    assert rows.min() + top >= 28
    assert rows.max() + top <= 72
    assert columns.min() + left >= 38
    assert columns.max() + left <= 82


def test_shape_outside_the_picture_is_empty() -> None:
    mask, _ = compact_mask("disc", Pose(-500, 10, 20, 20, 0), (100, 100))
    assert mask.size == 0


def test_disc_is_as_large_as_asked() -> None:
    mask, _ = compact_mask("disc", Pose(50, 50, 20, 20, 5), (100, 100))
    assert mask.sum() == pytest.approx(np.pi * 400, rel=0.02)


@pytest.mark.parametrize("name", THIN_SHAPES)
@pytest.mark.parametrize("width", [2, 3, 5])
def test_thin_shapes_are_thin_and_connected(name: str, width: int) -> None:
    rng = image_generator(1, 0, 0)
    points = curve_points(name, rng, 60, (400, 400))
    assert abs(np.diff(points, axis=0)).max() <= 16 or name == "fork"
    mask, (top, left, bottom, right) = thin_mask(points, width, (400, 400), block=1)
    assert mask.shape == (bottom - top, right - left)
    assert 25 * width < mask.sum() < 130 * (width + 1)


@pytest.mark.parametrize(
    ("hue", "rgb"),
    [(0, (200, 0, 0)), (512, (0, 200, 0)), (1024, (0, 0, 200)), (256, (200, 200, 0))],
)
def test_hues(hue: int, rgb: tuple[int, int, int]) -> None:
    assert tuple(hue_colour(hue, 255, 200).tolist()) == rgb
    assert hue_colour(hue, 0, 90).tolist() == [90, 90, 90]
