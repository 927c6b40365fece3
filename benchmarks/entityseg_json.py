"""Loads an annotation file as large as EntitySeg's: time and peak memory.

    python benchmarks/entityseg_json.py [--images 33227] [--read 500]

Writes a file of EntitySeg's schema (18 entities a picture, masks of 1,500 x 2,000 pixels with
wavy outlines, so 6 kB of run lengths each; 3.6 GiB) to a temporary folder, and opens it in a
process of its own, the way stages open data sets. Then reads and checks some pictures' masks.

On 2 busy cores: 21 s to open, peak 0.24 GiB, 3.8 ms to read a picture's 18 masks.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENTITIES = 18
POOL = 300
SIZE = (1500, 2000)


def write_split(root: Path, num_images: int) -> Path:
    """Write manifest and annotations; pictures are empty files, since opening reads none."""
    entries = [json.dumps(entry) for entry in _masks()]
    (root / "images").mkdir()
    annotations = root / "a.json"
    with annotations.open("w", encoding="utf-8") as out:
        out.write('{"images": [')
        for at in range(num_images):
            (root / f"images/{at}.jpg").touch()
            image = {"id": at + 1, "file_name": f"{at}.jpg", "height": SIZE[0], "width": SIZE[1]}
            out.write((", " if at else "") + json.dumps(image))
        out.write('], "annotations": [')
        for number in range(num_images * ENTITIES):
            owner, entity = number // ENTITIES + 1, entries[number * 7 % POOL]
            head = f'{{"id": {number + 1}, "image_id": {owner}, "category_id": 1, "iscrowd": 0, '
            out.write((", " if number else "") + head + entity[1:])
        categories = [{"id": k, "name": f"n{k}", "type": "thing"} for k in range(644)]
        out.write(f'], "categories": {json.dumps(categories)}}}')
    split = {"annotations": "a.json", "images": "images", "masks": None}
    content = {"name": "large", "format": "entityseg", "root": ".", "splits": {"train": split}}
    manifest = root / "manifest.json"
    manifest.write_text(json.dumps(content), encoding="utf-8")
    return manifest


def _masks() -> list[dict[str, object]]:
    """Return the part of annotations that is the same for every picture that uses a mask."""
    import numpy as np
    from pycocotools import mask as coco_mask

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    found: list[dict[str, object]] = []
    for _ in range(POOL):
        row, column = rng.integers(200, SIZE[0] - 200), rng.integers(200, SIZE[1] - 200)
        radius, waves = rng.integers(60, 600), rng.integers(5, 40)
        angle = np.arctan2(rows - row, columns - column)
        reach = radius * (1 + 0.2 * np.sin(waves * angle))
        inside = np.hypot(rows - row, columns - column) < reach
        code = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
        box = [int(side) for side in coco_mask.toBbox(code)]
        mask = {"size": list(SIZE), "counts": code["counts"].decode()}
        found.append({"area": int(inside.sum()), "bbox": box, "segmentation": mask})
    return found


def measure(manifest: Path, read: int) -> dict[str, float]:
    """Open the split and read some records; return seconds and GiB."""
    from workbench.datasets import load_entities

    started = time.perf_counter()
    data = load_entities(manifest, "train")
    opened = time.perf_counter()
    opened_gib = _peak_gib()
    step = max(len(data) // read, 1)
    records = [len(data[at].masks) for at in range(0, len(data), step)]
    ended = time.perf_counter()
    return {
        "file_gib": (manifest.parent / "a.json").stat().st_size / 2**30,
        "images": len(data),
        "open_s": opened - started,
        "open_peak_gib": opened_gib,
        "read_images": len(records),
        "read_ms_an_image": (ended - opened) / len(records) * 1000,
        "peak_gib": _peak_gib(),
    }


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Write the file, open it in another process, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=33_227)
    parser.add_argument("--read", type=int, default=500)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_split(Path(folder), arguments.images)
        command = [sys.executable, __file__, "--measure", str(manifest)]
        done = subprocess.run(
            [*command, "--read", str(arguments.read)], check=True, stdout=subprocess.PIPE, text=True
        )
        for name, value in json.loads(done.stdout).items():
            print(
                f"{name:>18}: {value:,.2f}" if isinstance(value, float) else f"{name:>18}: {value}"
            )


if __name__ == "__main__":
    main()
