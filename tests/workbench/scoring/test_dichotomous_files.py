"""A folder of grey maps against masks on disk: what is missing, strange or of another size."""

import json

import numpy as np
import pytest
from PIL import Image

from workbench.errors import BadInput, MissingInput
from workbench.stages.evaluate import evaluate_predictions

NAMES = ("1#Bag#2292_a", "2#Fence#17_b")


@pytest.fixture
def world(tmp_path):
    """DIS5K's layout with two masks, and a folder with perfect maps."""
    masks = tmp_path / "DIS5K/DIS-VD/gt"
    maps = tmp_path / "maps"
    masks.mkdir(parents=True)
    maps.mkdir()
    for at, name in enumerate(NAMES):
        mask = np.zeros((30, 40), np.uint8)
        mask[5:20, 5 + at : 30] = 255
        Image.fromarray(mask).save(masks / f"{name}.png")
        Image.fromarray(mask).save(maps / f"{name}.png")
    return tmp_path


def score(world, dataset="DIS5K", split="DIS-VD"):
    return evaluate_predictions(world / "maps", str(world / dataset), "dichotomous", split)


@pytest.mark.parametrize(("dataset", "split"), [("DIS5K", "DIS-VD"), ("DIS5K/DIS-VD", "val")])
def test_perfect_maps(world, dataset, split):
    found = score(world, dataset, split)
    perfect = {"F_beta_max": 1, "F_beta_w": 1, "MAE": 0, "S_alpha": 1, "HCE_gamma": 0}
    assert {name: found["metrics"][name] for name in perfect} == pytest.approx(perfect)
    assert found["metrics"]["E_phi_mean"] == pytest.approx(1.0, abs=0.01)
    assert (found["num_images"], found["num_predictions"]) == (2, 2)
    assert found["remarks"] == []
    assert found["units"]["HCE_gamma"] == "clicks"


def test_manifest_with_masks(world):
    split = {"masks": "DIS-VD/gt", "images": "DIS-VD/im"}
    manifest = world / "manifest.json"
    manifest.write_text(json.dumps({"name": "d", "root": "DIS5K", "splits": {"val": split}}))
    assert score(world, "manifest.json", "val")["num_images"] == 2
    with pytest.raises(BadInput, match=r"splits\.test"):
        score(world, "manifest.json", "test")


def test_a_missing_map_is_background(world):
    (world / f"maps/{NAMES[0]}.png").unlink()
    found = score(world)
    assert found["images_without_prediction"] == 1
    assert found["remarks"] == ["1 of 2 images have no map; they are scored as all background."]
    assert found["metrics"]["F_beta_w"] == pytest.approx(0.5, abs=1e-6)


def test_maps_of_another_size_and_without_a_mask(world):
    path = world / f"maps/{NAMES[1]}.png"
    Image.open(path).resize((20, 15), Image.Resampling.NEAREST).save(path)
    Image.new("L", (4, 4)).save(world / "maps/stranger.png")
    found = score(world)
    assert (found["maps_resized"], found["maps_without_mask"]) == (1, 1)
    assert len(found["remarks"]) == 2
    assert 0.8 < found["metrics"]["F_beta_w"] < 1


def test_masks_of_zero_and_one(world):
    for name in NAMES:
        path = world / f"DIS5K/DIS-VD/gt/{name}.png"
        Image.fromarray(np.asarray(Image.open(path)) // 255).save(path)
    assert score(world)["metrics"]["MAE"] == 0


def test_bad_files(world):
    path = world / f"maps/{NAMES[0]}.png"
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(path)
    with pytest.raises(BadInput, match="mode I;16"):
        score(world)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(BadInput, match="damaged"):
        score(world)
    with pytest.raises(MissingInput, match="gt"):
        score(world, "maps", "val")
    with pytest.raises(MissingInput, match="grey PNG maps"):
        evaluate_predictions(world / "none", str(world / "DIS5K"), "dichotomous", "DIS-VD")
