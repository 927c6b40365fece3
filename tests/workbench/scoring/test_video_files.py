"""YTVIS results and VIPSeg folders on disk: what is scored, missing and refused."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.stages.evaluate import evaluate_predictions

SIZE = (4, 6)


def rle(columns, compressed=True):
    mask = np.zeros(SIZE, np.uint8, order="F")
    mask[:, columns] = 1
    if not compressed:
        runs = np.flatnonzero(np.diff(mask.T.ravel(), prepend=0, append=0))
        return {"size": list(SIZE), "counts": np.diff(runs, prepend=0, append=mask.size).tolist()}
    encoded = mask_utils.encode(mask)
    return {"size": list(SIZE), "counts": encoded["counts"].decode()}


def tube(video, category, masks, **more):
    return {"video_id": video, "category_id": category, "segmentations": masks, **more}


@pytest.fixture
def tubes(tmp_path):
    size = {"height": SIZE[0], "width": SIZE[1]}
    videos = [
        {"id": 7, **size, "length": 2, "file_names": ["v/0.jpg", "v/1.jpg"]},
        {"id": 8, **size, "file_names": ["w/0.jpg"]},
    ]
    plain = [rle(slice(0, 2), compressed=False), None]
    annotations = [
        {"id": 1, "iscrowd": 0, **tube(7, 3, plain)},
        {"id": 2, "iscrowd": 0, **tube(8, 4, [rle(slice(3, 6))])},
    ]
    content = {"videos": videos, "categories": [{"id": 3}, {"id": 4}], "annotations": annotations}
    found = [tube(7, 3, [rle(slice(0, 2)), None], score=0.9)]
    found.append(tube(8, 3, [rle(slice(3, 6))], score=0.8))
    write(tmp_path / "truth.json", content)
    write(tmp_path / "results.json", found)
    return tmp_path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    write(path, content)


def score_tubes(folder, metric="tube_ap", dataset="truth.json"):
    return evaluate_predictions(folder / "results.json", str(folder / dataset), metric)


def test_tubes_with_and_without_classes(tubes):
    found = score_tubes(tubes)
    # Category 3: one right, one wrong below it; category 4: missed.
    assert found["metrics"]["AP"] == pytest.approx(0.5)
    assert found["remarks"] == []
    agnostic = score_tubes(tubes, "tube_entity_ap")
    assert agnostic["metrics"]["APe"] == pytest.approx(1.0)
    assert (agnostic["num_videos"], agnostic["num_tubes"], agnostic["num_predictions"]) == (2, 2, 2)


def test_a_manifest_names_the_annotations(tubes):
    split = {"annotations": "truth.json"}
    write(tubes / "manifest.json", {"root": ".", "splits": {"val": split}})
    assert score_tubes(tubes, dataset="manifest.json")["num_tubes"] == 2


def test_videos_without_tubes_and_ids_of_zero_are_told(tubes):
    change(tubes / "results.json", lambda found: found.pop())
    change(tubes / "truth.json", lambda content: content["annotations"][0].update(id=0))
    found = score_tubes(tubes)
    assert (found["videos_without_prediction"], found["tubes_with_id_zero"]) == (1, 1)
    assert "1 of 2 videos" in found["remarks"][0]
    assert found["metrics"]["AP"] == 0.0


def test_no_tube_at_all_is_undefined(tubes):
    write(tubes / "results.json", [])
    found = score_tubes(tubes)
    assert found["metrics"]["AP"] is None
    assert "No prediction at all" in found["remarks"][-1]


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda found: found[0].update(video_id=9), r"\[0\]\.video_id"),
        (lambda found: found[0].update(category_id=9), r"\[0\]\.category_id"),
        (lambda found: found[0].update(score=None), r"\[0\]\.score"),
        (lambda found: found[0].update(score=float("inf")), r"\[0\]\.score"),
        (lambda found: found[0]["segmentations"].pop(), r"\[0\]\.segmentations: not one entry"),
        (lambda found: found[0].update(segmentations=None), r"\[0\]\.segmentations"),
        (
            lambda found: found[0]["segmentations"].__setitem__(1, {"size": [1, 1], "counts": "1"}),
            r"\[0\]\.segmentations\[1\]: size",
        ),
        (lambda found: found.append(1), r"\[2\]: not an object"),
    ],
)
def test_faulty_results_are_refused(tubes, edit, field):
    change(tubes / "results.json", edit)
    with pytest.raises(BadInput, match=field):
        score_tubes(tubes)


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda content: content.pop("annotations"), "annotations: .*public"),
        (lambda content: content["annotations"][1].update(id=1), "second time"),
        (lambda content: content["videos"][1].update(id=7), r"videos\[1\]\.id"),
        (lambda content: content["videos"][1].pop("file_names"), r"videos\[1\]\.length"),
        (lambda content: content["annotations"][0].update(category_id=5), "category_id"),
    ],
)
def test_faulty_annotations_are_refused(tubes, edit, field):
    change(tubes / "truth.json", edit)
    with pytest.raises(BadInput, match=field):
        score_tubes(tubes)


def test_results_that_are_no_list(tubes):
    write(tubes / "results.json", {})
    with pytest.raises(BadInput, match="top level"):
        score_tubes(tubes)
    (tubes / "results.json").write_text("[{")
    with pytest.raises(BadInput, match="cannot be read"):
        score_tubes(tubes)
    (tubes / "results.json").unlink()
    with pytest.raises(MissingInput):
        score_tubes(tubes)


LABELS = np.array([[1, 1, 1, 300, 300, 0]] * 4)
CATEGORIES = [{"id": 5, "name": "cat", "isthing": 1}, {"id": 6, "name": "sky", "isthing": 0}]


def write_map(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.stack([labels % 256, labels // 256 % 256, labels // 65536], axis=-1)
    Image.fromarray(rgb.astype(np.uint8)).save(path)


def segments():
    return [
        {"id": 1, "category_id": 5, "iscrowd": 0, "area": 12},
        {"id": 300, "category_id": 6, "iscrowd": 0, "area": 8},
    ]


@pytest.fixture
def panoptic(tmp_path):
    """Two videos of eight frames, perfectly predicted."""
    names = [f"{at:04}" for at in range(8)]
    frames = [{"image_id": n, "file_name": f"{n}.png", "segments_info": segments()} for n in names]
    annotations = [{"video_id": video, "annotations": frames} for video in ("a", "b")]
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 4, "width": 6} for n in names]
    videos = [{"video_id": video, "images": images} for video in ("a", "b")]
    truth = {"videos": videos, "annotations": annotations, "categories": CATEGORIES}
    write(tmp_path / "vipseg/panoptic_gt_VIPSeg_val.json", truth)
    write(tmp_path / "found/pred.json", {"annotations": annotations})
    for video in ("a", "b"):
        for name in names:
            write_map(tmp_path / f"vipseg/panomasksRGB/{video}/{name}.png", LABELS)
            write_map(tmp_path / f"found/pan_pred/{video}/{name}.png", LABELS)
    return tmp_path


def score_video(folder, dataset="vipseg/panoptic_gt_VIPSeg_val.json"):
    return evaluate_predictions(folder / "found", str(folder / dataset), "vpq")


def test_perfect_videos(panoptic):
    found = score_video(panoptic)
    assert found["metrics"]["VPQ"] == found["metrics"]["VPQ_8"] == 1.0
    assert (found["num_videos"], found["num_frames"], found["remarks"]) == (2, 16, [])


def test_missing_videos_and_frames_are_missed(panoptic):
    def drop(content):
        content["annotations"].pop()
        content["annotations"][0]["annotations"].pop()

    change(panoptic / "found/pred.json", drop)
    found = score_video(panoptic)
    assert (found["videos_without_prediction"], found["frames_without_prediction"]) == (1, 9)
    assert "9 of 16 frames have no prediction" in found["remarks"][1]
    # Seven of sixteen frames are right and nine missed: 7 / (7 + 9 / 2).
    assert found["metrics"]["PQ_frames"] == pytest.approx(7 / 11.5)


def test_short_videos_leave_vpq_undefined(panoptic):
    def shorten(content):
        for key in ("videos", "annotations"):
            for video in content.get(key, []):
                video["images" if key == "videos" else "annotations"] = video[
                    "images" if key == "videos" else "annotations"
                ][:6]

    change(panoptic / "vipseg/panoptic_gt_VIPSeg_val.json", shorten)
    found = score_video(panoptic)
    assert found["metrics"]["VPQ"] is None
    assert found["metrics"]["VPQ_1246"] == 1.0
    assert found["frames_not_annotated"] == 4
    assert "No video has 8 frames: VPQ_8 and VPQ are undefined." in found["remarks"]


def edit_segment(content, **fields):
    content["annotations"][0]["annotations"][0]["segments_info"][0].update(fields)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda content: edit_segment(content, id=9), "predicted id"),
        (lambda content: edit_segment(content, id=0), "16,777,215"),
        (lambda content: edit_segment(content, category_id=99), "category_id: 99"),
        (lambda content: content["annotations"][0].update(video_id="b"), "second time"),
        (
            lambda content: content["annotations"][0]["annotations"][1].update(file_name="0.png"),
            r"0\.png: not found",
        ),
        (lambda content: content.pop("annotations"), "missing or not a list"),
    ],
)
def test_faulty_predictions_are_refused(panoptic, edit, problem):
    def also_annotate(content):
        frames = content["annotations"][0]["annotations"]
        frames[1].update(file_name="0.png")

    if "not found" in problem:
        change(panoptic / "vipseg/panoptic_gt_VIPSeg_val.json", also_annotate)
        write_map(panoptic / "vipseg/panomasksRGB/a/0.png", LABELS)
    change(panoptic / "found/pred.json", edit)
    with pytest.raises((BadInput, MissingInput), match=problem):
        score_video(panoptic)


def test_names_that_lead_out_are_refused(panoptic):
    for path in ("vipseg/panoptic_gt_VIPSeg_val.json", "found/pred.json"):
        change(panoptic / path, lambda content: content["annotations"][0].update(video_id="../a"))
    change(
        panoptic / "vipseg/panoptic_gt_VIPSeg_val.json",
        lambda content: content["videos"][0].update(video_id="../a"),
    )
    with pytest.raises(BadInput, match="leads out of"):
        score_video(panoptic)


def test_areas_below_the_pixels_are_refused(panoptic):
    path = panoptic / "vipseg/panoptic_gt_VIPSeg_val.json"
    change(path, lambda content: edit_segment(content, area=0))
    with pytest.raises(BadInput, match="video a: annotated id 1 has more pixels"):
        score_video(panoptic)


def test_maps_of_another_size_are_refused(panoptic):
    write_map(panoptic / "found/pan_pred/a/0003.png", LABELS[:, :5])
    with pytest.raises(BadInput, match=r"0003\.png: map: maps of"):
        score_video(panoptic)


def test_the_released_form_has_no_panoptic_json(panoptic):
    split = {"annotations": "val.txt", "images": "imgs", "masks": "panomasks"}
    content = {"name": "v", "format": "vipseg", "root": ".", "splits": {"val": split}}
    write(panoptic / "vipseg/manifest.json", content)
    with pytest.raises(BadInput, match="720P copy"):
        score_video(panoptic, "vipseg/manifest.json")
