"""Compares panoptic quality with a loop over segments: time, memory, and whether values agree.

Both sides read the same COCO panoptic files: painted ellipses on stuff with void between them as
annotations, the same ones moved by some pixels as predictions. A quarter of the images is scored
too, which shows whether memory grows with their number.

    python benchmarks/panoptic_quality.py [--images 500] [--segments 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from entity_ap import HEIGHT, WIDTH, paint
from measured import measure, print_sides
from numpy.typing import NDArray
from PIL import Image

CATEGORIES = 10
TOLERANCE = 1e-9


def write_files(folder: Path, images: int, segments: int) -> None:
    """Write ``truth.json`` and ``found.json`` with their folders of PNGs."""
    rng = np.random.default_rng(0)
    sides: dict[str, list[dict[str, Any]]] = {"truth": [], "found": []}
    for side in sides:
        (folder / side).mkdir()
    for image_id in range(images):
        labels = paint(rng, segments).astype(np.int64)
        labels[HEIGHT // 2 :][labels[HEIGHT // 2 :] == 0] = segments + 1
        classes = rng.integers(1, CATEGORIES + 1, segments + 2).tolist()
        moved = np.roll(labels, rng.integers(-6, 7, 2), (0, 1))
        for side, ids in (("truth", labels), ("found", moved)):
            sides[side].append(_write(folder / side, image_id, ids, classes))
    categories = [{"id": n, "isthing": n % 2} for n in range(1, CATEGORIES + 1)]
    for side, records in sides.items():
        content = {"annotations": records, "categories": categories}
        (folder / f"{side}.json").write_text(json.dumps(content))


def _write(
    folder: Path, image_id: int, ids: NDArray[np.int64], classes: list[int]
) -> dict[str, Any]:
    """Write one PNG, ids spread over its three channels, and return its record."""
    spread = 1009
    values = ids * spread
    channels = [values >> shift & 255 for shift in (0, 8, 16)]
    name = f"{image_id:06d}.png"
    Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8)).save(folder / name)
    present, areas = np.unique(ids, return_counts=True)
    segments = [
        {"id": n * spread, "category_id": classes[n], "area": area, "iscrowd": int(n % 9 == 0)}
        for n, area in zip(present.tolist(), areas.tolist(), strict=True)
        if n
    ]
    return {"image_id": image_id, "file_name": name, "segments_info": segments}


def read_ids(path: Path) -> NDArray[np.uint32]:
    """Return the ids of a PNG."""
    picture = np.array(Image.open(path), dtype=np.uint32)
    return picture[..., 0] + 256 * picture[..., 1] + 65536 * picture[..., 2]


class SegmentLoop:
    """Panoptic quality by comparing the masks of segments one with another."""

    def __init__(self) -> None:
        self.sums: dict[int, list[float]] = {n: [0.0, 0, 0, 0] for n in range(1, CATEGORIES + 1)}

    def add(
        self, truth: NDArray[Any], annotated: list[Any], found: NDArray[Any], predicted: list[Any]
    ) -> None:
        """Add one picture."""
        void, hit, used = truth == 0, set(), set()
        for mine in annotated:
            mask = truth == mine["id"]
            for other in predicted:
                if mine["iscrowd"] or mine["category_id"] != other["category_id"]:
                    continue
                taken = found == other["id"]
                shared = np.logical_and(mask, taken).sum()
                union = mine["area"] + taken.sum() - shared - np.logical_and(void, taken).sum()
                if shared / union > 0.5:
                    sums = self.sums[mine["category_id"]]
                    sums[0], sums[1] = sums[0] + shared / union, sums[1] + 1
                    hit.add(mine["id"])
                    used.add(other["id"])
        for mine in annotated:
            self.sums[mine["category_id"]][3] += not mine["iscrowd"] and mine["id"] not in hit
        crowds = {one["category_id"]: one["id"] for one in annotated if one["iscrowd"]}
        for other in predicted:
            if other["id"] in used:
                continue
            taken = found == other["id"]
            free = np.logical_and(taken, void).sum()
            if other["category_id"] in crowds:
                free += np.logical_and(taken, truth == crowds[other["category_id"]]).sum()
            self.sums[other["category_id"]][2] += free / taken.sum() <= 0.5

    def metrics(self) -> dict[str, float]:
        """Return PQ, SQ and RQ."""
        rows = []
        for iou, right, wrong, missed in self.sums.values():
            if right + wrong + missed:
                weight = right + wrong / 2 + missed / 2
                rows.append((iou / weight, iou / right if right else 0.0, right / weight))
        return dict(zip(("PQ", "SQ", "RQ"), np.mean(rows, axis=0).tolist(), strict=True))


def segment_loop(folder: Path) -> dict[str, float]:
    """Score with the loop over segments."""
    truth, found = (
        json.loads((folder / f"{side}.json").read_text())["annotations"]
        for side in ("truth", "found")
    )
    of_image = {record["image_id"]: record for record in found}
    loop = SegmentLoop()
    for record in truth:
        other = of_image[record["image_id"]]
        loop.add(
            read_ids(folder / "truth" / record["file_name"]),
            record["segments_info"],
            read_ids(folder / "found" / other["file_name"]),
            other["segments_info"],
        )
    return loop.metrics()


def workbench(folder: Path) -> dict[str, float]:
    """Score as ``esg evaluate --metric panoptic_quality`` does."""
    from workbench.scoring.panoptic import PanopticFile, score_panoptic_files

    sides = (PanopticFile(folder / f"{side}.json") for side in ("truth", "found"))
    return score_panoptic_files(*sides).values


def main() -> int:
    """Print both sides; return 1 where they disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--segments", type=int, default=20, help="of each image, at most 250")
    options = parser.parse_args()
    few = options.images // 4
    with tempfile.TemporaryDirectory() as name:
        whole, quarter = Path(name) / "whole", Path(name) / "quarter"
        for folder, images in ((whole, options.images), (quarter, few)):
            folder.mkdir()
            measure(write_files, folder, images, options.segments)
        sides = {
            "loop over segments": measure(segment_loop, whole),
            "workbench": measure(workbench, whole),
            f"workbench, {few} images": measure(workbench, quarter),
        }
    print(f"{options.images} images of {WIDTH}x{HEIGHT} with {options.segments} things each")
    print_sides(sides)
    slow, fast = sides["loop over segments"], sides["workbench"]
    worst = max(abs(fast.result[key] - value) for key, value in slow.result.items())
    print(f"PQ {fast.result['PQ']:.6f}; largest difference of PQ, SQ and RQ {worst:.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main())
