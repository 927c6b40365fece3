"""Panoptic predictions as files: JSON and PNGs, what is counted and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from workbench.errors import BadInput, MissingInput
from workbench.scoring.panoptic import PanopticFile, read_colours, score_panoptic_files
from workbench.stages.evaluate import evaluate_predictions

TRUTH = np.array([[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 0, 0, 4, 4]] * 2)
FOUND = np.array([[1, 1, 1, 1, 2, 2], [1, 1, 1, 2, 2, 2], [5, 5, 6, 6, 7, 7], [5, 8, 6, 6, 7, 7]])
ISTHING = {10: True, 20: False, 30: True}


def segments(labels, categories, crowds=()):
    return [
        {
            "id": number,
            "category_id": category,
            "area": int((labels == number).sum()),
            "iscrowd": int(number in crowds),
        }
        for number, category in categories.items()
    ]


TRUTH_SEGMENTS = segments(TRUTH, {1: 10, 2: 20, 3: 10, 4: 10}, crowds=[4])
FOUND_SEGMENTS = segments(FOUND, {1: 10, 2: 20, 5: 20, 6: 10, 7: 10, 8: 10})


def close(values, **expected):
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=5e-7), name


def write_png(path, labels):
    path.parent.mkdir(exist_ok=True)
    parts = [labels >> shift & 255 for shift in (0, 8, 16)]
    Image.fromarray(np.stack(parts, axis=-1).astype(np.uint8)).save(path)


@pytest.fixture
def files(tmp_path):
    """Truth and predictions of two images in COCO's form, ids above 255 among them."""
    sides = {"truth": (TRUTH, TRUTH_SEGMENTS), "found": (FOUND, FOUND_SEGMENTS)}
    for name, (labels, listed) in sides.items():
        records = []
        for image_id in (7, "b"):
            write_png(tmp_path / name / f"{image_id}.png", labels * 70000)
            renamed = [{**one, "id": one["id"] * 70000} for one in listed]
            record = {"image_id": image_id, "file_name": f"{image_id}.png"}
            records.append({**record, "segments_info": renamed})
        content = {"annotations": records, "images": [{"id": 7}, {"id": "b"}]}
        if name == "truth":
            content["categories"] = [
                {"id": number, "name": str(number), "isthing": int(isthing)}
                for number, isthing in ISTHING.items()
            ]
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def score_files(folder):
    return score_panoptic_files(
        PanopticFile(folder / "truth.json"), PanopticFile(folder / "found.json")
    )


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_files(files):
    scores = score_files(files)
    close(scores.values, PQ=0.492063, SQ=0.845238, RQ=0.583333)
    assert scores.counts["num_images"] == 2
    assert scores.remarks == []


def test_as_esg_evaluate_scores_them(files):
    result = evaluate_predictions(
        files / "found.json", str(files / "truth.json"), "panoptic_quality"
    )
    close(result["metrics"], PQ=0.492063, PQ_Th=0.428571, PQ_St=0.555556)
    assert (result["num_images"], result["num_categories"], result["crowds"]) == (2, 2, 2)


def test_masks_of_a_manifest(files):
    (files / "truth").rename(files / "maps")
    entry = {"annotations": "truth.json", "masks": "maps", "images": "."}
    content = {"name": "p", "format": "coco_panoptic", "root": ".", "splits": {"val": entry}}
    (files / "manifest.json").write_text(json.dumps(content))
    result = evaluate_predictions(
        files / "found.json", str(files / "manifest.json"), "panoptic_quality"
    )
    close(result["metrics"], PQ=0.492063)


def test_predictions_of_other_images_are_left_out_and_counted(files):
    edit(files / "found.json", lambda c: c["annotations"].append({"image_id": 8}))
    scores = score_files(files)
    assert scores.counts["predictions_left_out"] == 1
    assert "left out" in scores.remarks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["annotations"].pop(),
            r"found\.json: annotations: no prediction for image 'b'",
        ),
        (
            lambda c: c["annotations"].append(c["annotations"][0]),
            r"annotations\[2\]\.image_id: image 7 a second time",
        ),
        (lambda c: c["annotations"][0].pop("file_name"), r"annotations\[0\]\.file_name: missing"),
        (
            lambda c: c["annotations"][0].update(file_name="../truth/7.png"),
            "leads out of",
        ),
        (
            lambda c: c["annotations"][1]["segments_info"].pop(),
            r"b\.png: segments_info: id 560000 of the PNG is not listed",
        ),
        (lambda c: c.pop("annotations"), "annotations: the file is not an object with the list"),
    ],
)
def test_bad_files(files, change, message):
    edit(files / "found.json", change)
    with pytest.raises(BadInput, match=message):
        score_files(files)


def test_missing_files(files):
    with pytest.raises(MissingInput):
        PanopticFile(files / "no.json")
    (files / "found/7.png").unlink()
    with pytest.raises(MissingInput):
        score_files(files)
    (files / "found/b.png").unlink()
    (files / "found").rmdir()
    with pytest.raises(MissingInput, match="the PNGs of found.json"):
        score_files(files)


def test_damaged_png(files):
    path = files / "found/7.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BadInput, match=r"7\.png: picture"):
        score_files(files)


def test_kinds_and_names_as_entityseg_may_give_them(files):
    expected = score_files(files).values

    def rewrite(content):
        for category in content["categories"]:
            category["type"] = "thing" if category.pop("isthing") else "stuff"
        for record in content["annotations"]:
            record["file_name"] = record["file_name"].replace(".png", ".jpg")

    edit(files / "truth.json", rewrite)
    assert score_files(files).values == expected


def test_classes_drawn_at_random_are_right_once_in_their_number(files):
    """Two classes: 4 segments of class 10 and 2 of 20 in two pictures, crowds left out."""
    found = evaluate_predictions(None, str(files / "truth.json"), "panoptic_quality", "val")
    common, rare = 2 / (2 + 1 / 2 + 2 / 2), 1 / (1 + 2 / 2 + 1 / 2)
    close(found["metrics"], PQ_Th=common, PQ_St=rare, PQ=(common + rare) / 2, SQ=1)
    assert found["num_segments"] == 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "I;16"])
def test_colours_are_those_of_pillow(tmp_path, mode):
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    picture = Image.fromarray(values)
    if mode == "I;16":
        picture = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    elif mode != "RGB":
        picture = picture.convert(mode)
    picture.save(tmp_path / "map.png")
    expected = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert (read_colours(tmp_path / "map.png") == expected).all()
