"""Tube AP: the worked example, slow matching on pixels, the original evaluator's rules."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from workbench.metrics.tube_ap import METRICS, Tube, tube_ap, tube_iou

THRESHOLDS = np.linspace(0.5, 0.95, 10)
EDGES = ((0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10))


def rle(mask):
    encoded = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def first(count, size=(2, 4)):
    """A frame whose first pixels, row by row, are inside."""
    return rle(np.arange(size[0] * size[1]).reshape(size) < count)


def test_worked_example():
    """Frames of 4 of 8 px and 0 of 4 px (missed there): 4/12."""
    assert tube_iou([first(4), None], [first(8), first(4)]) == pytest.approx(1 / 3)


def test_iou_of_nothing_and_of_other_frames():
    assert tube_iou([None], [None]) == 0.0
    assert tube_iou([first(0)], [None]) == 0.0
    with pytest.raises(ValueError, match="frames"):
        tube_iou([None], [None, None])
    with pytest.raises(ValueError, match="masks of"):
        tube_iou([first(3)], [first(3, (4, 2))])


class World:
    """Random videos with annotated and predicted tubes, kept as pixels."""

    def __init__(self, seed, side=12, agnostic=False):
        rng = np.random.default_rng(seed)
        self.num_videos, self.agnostic = int(rng.integers(1, 5)), agnostic
        self.sizes = [tuple(int(n) for n in rng.integers(side // 2, side, 2))
                      for _ in range(self.num_videos)]  # fmt: skip
        self.lengths = rng.integers(1, 6, self.num_videos)
        self.truth = [self._tube(rng, number) for number in range(1, int(rng.integers(2, 12)))]
        self.found = [self._like(rng) for _ in range(int(rng.integers(1, 40)))]

    def _tube(self, rng, number):
        video = int(rng.integers(self.num_videos))
        frames = [self._frame(rng, self.sizes[video]) for _ in range(self.lengths[video])]
        crowd = bool(rng.random() < 0.15)
        return {"video": video, "category": int(rng.integers(1, 4)), "frames": frames,
                "number": number, "crowd": crowd, "score": 0.0}  # fmt: skip

    @staticmethod
    def _frame(rng, size):
        mask = np.zeros(size, bool)
        top, left = (int(rng.integers(n)) for n in size)
        mask[top : top + rng.integers(1, size[0] + 1), left : left + rng.integers(1, size[1])] = 1
        return None if rng.random() < 0.25 else mask

    def _like(self, rng):
        """A tube near an annotated one, or anywhere; scores repeat."""
        tube = dict(self.truth[int(rng.integers(len(self.truth)))])
        if rng.random() < 0.3:
            tube = self._tube(rng, 0)
        noisy = [None if m is None else m ^ (rng.random(m.shape) < 0.1) for m in tube["frames"]]
        return {**tube, "frames": noisy, "score": float(rng.integers(1, 8)) / 8}

    def tubes(self, items):
        return [
            Tube(
                item["video"], item["category"],
                tuple(None if m is None else rle(m) for m in item["frames"]),
                item["number"], item["crowd"], item["score"],
            )
            for item in items
        ]  # fmt: skip

    def score(self):
        return tube_ap(
            self.tubes(self.truth), self.tubes(self.found), self.num_videos, self.agnostic
        )


def slow_iou(one, other):
    overlap = union = 0
    for a, b in zip(one["frames"], other["frames"], strict=True):
        if a is not None and b is not None:
            overlap, union = overlap + (a & b).sum(), union + (a | b).sum()
        elif a is not None or b is not None:
            union += (b if a is None else a).sum()
    return overlap / union if union else 0.0


def mean_area(tube):
    areas = [mask.sum() for mask in tube["frames"] if mask is not None and mask.any()]
    return np.mean(areas) if areas else 0


def slow_video(truth, found, threshold, edges, limit):
    """Return (score, is right, is ignored) of each tube and the number of those to find."""
    outside = [t["crowd"] or not edges[0] <= mean_area(t) <= edges[1] for t in truth]
    order = sorted(range(len(truth)), key=lambda i: outside[i])
    found = sorted(found, key=lambda t: -t["score"])[:limit]
    taken, rows = set(), []
    for tube in found:
        best, best_iou = None, min(threshold, 1 - 1e-10)
        for i in order:
            if i in taken and not truth[i]["crowd"]:
                continue
            if best is not None and not outside[best] and outside[i]:
                break
            iou = slow_iou(tube, truth[i])
            if iou >= best_iou:
                best, best_iou = i, iou
        if best is not None:
            taken.add(best)
            rows.append((tube["score"], True, outside[best]))
        else:
            rows.append((tube["score"], False, not edges[0] <= mean_area(tube) <= edges[1]))
    return rows, outside.count(False)


def slow_curve(rows, total):
    """Return AP of 101 points and recall from rows in the order of videos."""
    rows = sorted(rows, key=lambda row: -row[0])
    right = wrong = 0
    points = []
    for _, is_right, ignored in rows:
        right, wrong = right + (is_right and not ignored), wrong + (not is_right and not ignored)
        points.append((right / total, right / (right + wrong + np.spacing(1))))
    precisions = []
    for recall in np.linspace(0, 1, 101):
        precisions.append(max((p for r, p in points if r >= recall), default=0.0))
    return np.mean(precisions), points[-1][0] if points else 0.0


def slow_scores(world):
    categories = {0} if world.agnostic else {t["category"] for t in world.truth}
    cells = {}
    for category in categories:
        for area, edges in enumerate(EDGES):
            for limit in (1, 10, 100):
                for at, threshold in enumerate(THRESHOLDS):
                    rows, total = [], 0
                    for video in range(world.num_videos):
                        truth, found = (
                            [t for t in tubes if t["video"] == video
                             and (world.agnostic or t["category"] == category)]
                            for tubes in (world.truth, world.found)
                        )  # fmt: skip
                        more, count = slow_video(truth, found, threshold, edges, limit)
                        rows, total = rows + more, total + count
                    if total:
                        cells[category, area, limit, at] = slow_curve(rows, total)

    def mean(part, area, limit, only=None):
        values = [
            value[part] for (_, a, n, at), value in cells.items()
            if a == area and n == limit and only in (None, at)
        ]  # fmt: skip
        return np.mean(values) if values else np.nan

    return {
        "AP": mean(0, 0, 100), "AP50": mean(0, 0, 100, 0), "AP75": mean(0, 0, 100, 5),
        "APs": mean(0, 1, 100), "APm": mean(0, 2, 100), "APl": mean(0, 3, 100),
        "AR1": mean(1, 0, 1), "AR10": mean(1, 0, 10), "AR100": mean(1, 0, 100),
    }  # fmt: skip


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_equal_to_slow_matching(seed, agnostic):
    world = World(seed, agnostic=agnostic)
    assert world.score() == pytest.approx(slow_scores(world), abs=1e-9, nan_ok=True)


def test_area_edges_are_those_of_videos():
    world = World(1, side=600)
    slow = slow_scores(world)
    assert world.score() == pytest.approx(slow, abs=1e-9, nan_ok=True)
    assert np.isfinite([slow["APs"], slow["APm"], slow["APl"]]).all()


def perfect(category=1, number=1, **change):
    return Tube(0, category, (first(4), None), number, **change)


def test_perfect_wrong_class_and_id_zero():
    found = [perfect(2, score=0.5)]
    assert tube_ap([perfect()], found, 1)["AP"] == 0.0
    assert tube_ap([perfect()], found, 1, class_agnostic=True)["AP"] == pytest.approx(1.0)
    assert tube_ap([perfect(number=0)], [perfect(score=1.0)], 1)["AP50"] == 0.0


@pytest.mark.parametrize(("truth", "found"), [([], [perfect()]), ([perfect()], [])])
def test_nothing_to_find_or_found_is_undefined(truth, found):
    scores = tube_ap(truth, found, 1)
    assert tuple(scores) == METRICS
    assert np.isnan(list(scores.values())).all()


def original(name):
    """Load a module of the original evaluator by its file: importing MMDetection takes seconds."""
    folder = importlib.util.find_spec("mmdet").submodule_search_locations[0]
    path = Path(folder) / f"evaluation/functional/{name}.py"
    spec = importlib.util.spec_from_file_location(f"original_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def original_scores(world):
    def item(tube):
        masks = [None if mask is None else rle(mask) for mask in tube["frames"]]
        areas = [None if mask is None else int(mask.sum()) for mask in tube["frames"]]
        common = {"video_id": tube["video"] + 1, "category_id": tube["category"]}
        return {**common, "segmentations": masks, "areas": areas, "score": tube["score"]}

    truth = [
        {**item(t), "id": t["number"], "iscrowd": int(t["crowd"]), "bboxes": []}
        for t in world.truth
    ]
    api = original("ytvis").YTVIS()
    api.dataset = {
        "videos": [{"id": i + 1, "height": h, "width": w} for i, (h, w) in enumerate(world.sizes)],
        "categories": [{"id": number} for number in (1, 2, 3)],
        "annotations": truth,
    }
    api.createIndex()
    evaluator = original("ytviseval").YTVISeval(api, api.loadRes([item(t) for t in world.found]))
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    names = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
    return {name: np.nan if v == -1 else v for name, v in zip(names, evaluator.stats, strict=False)}


@pytest.mark.parametrize("seed", range(20, 28))
def test_equal_to_the_original_evaluator(seed):
    world = World(seed)
    assert world.score() == pytest.approx(original_scores(world), abs=1e-9, nan_ok=True)
