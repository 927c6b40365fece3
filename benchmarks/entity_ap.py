"""Compares class-agnostic AP with stock pycocotools: time, memory, and whether the values agree.

Both sides read the same two JSON files: painted ellipses that hide each other as annotations, the
same ones moved by some pixels as predictions. A quarter of the images is scored too, which shows
whether memory grows with their number.

    python benchmarks/entity_ap.py [--images 1000] [--entities 50]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measured import measure, print_sides
from numpy.typing import NDArray

HEIGHT, WIDTH = 480, 640
TOLERANCE = 1e-9


def paint(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Return (H, W) ids from 1, later ellipses over earlier ones, 0 for none."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for number in range(1, count + 1):
        y, x = rng.uniform(0, HEIGHT), rng.uniform(0, WIDTH)
        tall, wide, turn = rng.uniform(8, 70), rng.uniform(8, 70), rng.uniform(0, np.pi)
        box = (slice(max(0, int(y) - 72), int(y) + 72), slice(max(0, int(x) - 72), int(x) + 72))
        down, right = rows[box] - y, columns[box] - x
        along = right * np.cos(turn) + down * np.sin(turn)
        across = down * np.cos(turn) - right * np.sin(turn)
        labels[box][(along / wide) ** 2 + (across / tall) ** 2 < 1] = number
    return labels


def encode(labels: NDArray[np.uint8], count: int) -> list[dict[str, Any]]:
    """Return the RLE of each id."""
    from pycocotools import mask as mask_utils

    ids = np.arange(1, count + 1, dtype=np.uint8)
    planes = np.ascontiguousarray(labels.T)[None] == ids[:, None, None]
    codes = mask_utils.encode(planes.view(np.uint8).transpose(2, 1, 0))
    return [{"size": [HEIGHT, WIDTH], "counts": code["counts"].decode()} for code in codes]


def write_files(folder: Path, images: int, entities: int) -> None:
    """Write ``truth.json`` and ``found.json``."""
    from pycocotools import mask as mask_utils

    rng = np.random.default_rng(0)
    listed, annotations, results = [], [], []
    for image_id in range(1, images + 1):
        listed.append({"id": image_id, "height": HEIGHT, "width": WIDTH})
        labels = paint(rng, entities)
        for mask in encode(labels, entities):
            common = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1}
            area = {"area": int(mask_utils.area(mask)), "iscrowd": 0}
            annotations.append({**common, **area, "segmentation": mask})
        moved = np.roll(labels, rng.integers(-6, 7, 2), (0, 1))
        for mask in encode(moved, entities):
            common = {"image_id": image_id, "category_id": 1, "score": float(rng.random())}
            results.append({**common, "segmentation": mask})
    categories = [{"id": 1, "name": "entity"}]
    truth = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(results))


def stock(folder: Path) -> dict[str, float]:
    """Score with pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth.json"))
        evaluator = COCOeval(truth, truth.loadRes(str(folder / "found.json")), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
    precision, recall = evaluator.eval["precision"][..., 2], evaluator.eval["recall"][..., 2]
    parts = {"APe": precision[..., 0], "AP50": precision[0, ..., 0], "AP75": precision[5, ..., 0]}
    parts |= {name: precision[..., at] for at, name in enumerate(("APs", "APm", "APl"), start=1)}
    parts |= {"AR100": recall[..., 0], "recall50": recall[0, ..., 0]}
    return {name: float(values[values > -1].mean()) for name, values in parts.items()}


def workbench(folder: Path) -> dict[str, float]:
    """Score as ``esg evaluate --metric entity_ap`` does."""
    from workbench.metrics.coco_truth import CocoTruthFile
    from workbench.metrics.entity_ap import score_entity_file
    from workbench.metrics.predictions import PredictionFile

    truth, found = CocoTruthFile(folder / "truth.json"), PredictionFile(folder / "found.json")
    return score_entity_file(truth, found).metrics


def main() -> int:
    """Print both sides; return 1 where they disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--entities", type=int, default=50, help="of each image, at most 255")
    options = parser.parse_args()
    few = options.images // 4
    with tempfile.TemporaryDirectory() as name:
        whole, quarter = Path(name) / "whole", Path(name) / "quarter"
        for folder, images in ((whole, options.images), (quarter, few)):
            folder.mkdir()
            measure(write_files, folder, images, options.entities)
        sides = {
            "pycocotools": measure(stock, whole),
            "workbench": measure(workbench, whole),
            f"workbench, {few} images": measure(workbench, quarter),
        }
    print(f"{options.images} images of {WIDTH}x{HEIGHT} with {options.entities} entities each")
    print_sides(sides)
    slow, fast = sides["pycocotools"], sides["workbench"]
    worst = max(abs(fast.result[key] - value) for key, value in slow.result.items())
    print(f"APe {fast.result['APe']:.6f}; largest difference of any metric {worst:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main())
