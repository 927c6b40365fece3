"""Two processes give the scores of one, to the last bit, for whatever order of items."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from pycocotools import mask as mask_utils

from tests.workbench.in_ranks import in_ranks
from tests.workbench.narrated import narratives, phrase, record, write_world
from workbench.errors import BadInput
from workbench.scoring.split import ScoreJob, score_shard
from workbench.shards import ALONE, Shard

ROOT = Path(__file__).parents[3]
SIDE, PICTURES = 24, 7


def blob(draw: random.Random) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x, y = draw.randrange(SIDE - 4), draw.randrange(SIDE - 4)
    mask[y : y + draw.randrange(3, SIDE), x : x + draw.randrange(3, SIDE)] = 1
    return mask


def rle(mask: np.ndarray) -> dict[str, Any]:
    code = mask_utils.encode(np.asfortranarray(mask))
    return {"size": [SIDE, SIDE], "counts": code["counts"].decode()}


def write(path: Path, *values: Any) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def entities(folder: Path, draw: random.Random) -> ScoreJob:
    """Overlapping boxes with scores that tie; ids out of order, one picture without a record."""
    ids = draw.sample(range(1, 100), PICTURES)
    size = {"height": SIDE, "width": SIDE}
    images = [{"id": number, "file_name": f"{number}.png", **size} for number in ids]
    annotations, lines = [], []
    for number in ids:
        (folder / "images").mkdir(exist_ok=True)
        (folder / f"images/{number}.png").touch()
        masks = [blob(draw) for _ in range(4)]
        for mask in masks:
            one = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            annotations.append({**one, "segmentation": rle(mask), "area": int(mask.sum())})
        found = [
            {"category_id": 1, "segmentation": rle(mask), "score": draw.choice((0.5, 0.7, 0.9))}
            for mask in (*masks[:3], blob(draw), blob(draw))
        ]
        lines.append({"image_id": number, "file_name": f"{number}.png", **size, "entities": found})
    categories = [{"id": 1, "name": "entity"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write(folder / "val.json", content)
    split = {"annotations": "val.json", "images": "images", "masks": None, "num_images": PICTURES}
    manifest = {"name": "few", "format": "entityseg", "root": ".", "splits": {"val": split}}
    write(folder / "manifest.json", manifest)
    write(folder / "seed-0.jsonl", *lines[1:])
    return job(folder, "entities", None, "seed-0.jsonl", "manifest.json")


def panoptic(folder: Path, draw: random.Random) -> ScoreJob:
    """Segments of four categories, each predicted a little smaller."""
    categories = [{"id": 9 - at, "isthing": at % 2, "name": str(at)} for at in range(4)]
    sides: dict[str, list[dict[str, Any]]] = {"truth": [], "found": []}
    for number in range(PICTURES):
        labels = np.zeros((SIDE, SIDE), np.uint8)
        for segment in range(1, 6):
            labels[blob(draw) > 0] = segment
        own = {int(at): draw.choice(categories)["id"] for at in np.unique(labels) if at}
        smaller = np.where(np.arange(SIDE) < draw.randrange(SIDE - 3, SIDE), labels, 0)
        for name, drawn in (("truth", labels), ("found", smaller)):
            (folder / name).mkdir(exist_ok=True)
            colours = np.stack([0 * drawn, 0 * drawn, drawn], axis=-1)
            cv2.imwrite(str(folder / name / f"{number}.png"), colours)
            listed = [{"id": at, "category_id": own[at]} for at in map(int, np.unique(drawn)) if at]
            one = {"image_id": number, "file_name": f"{number}.png", "segments_info": listed}
            sides[name].append(one)
    for name, records in sides.items():
        write(folder / f"{name}.json", {"annotations": records, "categories": categories})
    return job(folder, "maps", "panoptic_quality", "found.json", "truth.json")


def groundings(folder: Path, draw: random.Random) -> ScoreJob:
    """Narratives with phrases that mean one or two of three masks, some without a record."""
    write_world(folder)
    picked = [draw.randrange(3) for _ in range(3 * PICTURES)]
    (folder / "png.json").write_text(json.dumps([narratives()[at] for at in picked]))
    lines = []
    for number, at in enumerate(picked):
        count = (3, 1, 0)[at]
        said = [phrase("cat", [draw.random() for _ in range(3)], each) for each in range(count)]
        if draw.random() < 0.8:
            lines.append({**record(at, *said), "narrative": number})
    write(folder / "seed-0.jsonl", *lines)
    return job(folder, "groundings", None, "seed-0.jsonl", "manifest.json")


def job(folder: Path, kind: str, metric: str | None, found: str, truth: str) -> ScoreJob:
    paths = (str(folder / found), str(folder / truth))
    return ScoreJob("few seed 0", kind, metric, *paths, "val", "make it", {"threshold": 0.5})


MAKERS: dict[str, Callable[[Path, random.Random], ScoreJob]] = {
    "entities": entities,
    "groundings": groundings,
    "panoptic": panoptic,
}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kind", MAKERS)
def test_every_process_has_the_scores_of_one(tmp_path, kind, count):
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        made = MAKERS[kind](folder, random.Random(seed))
        alone = json.dumps(score_shard(made, ALONE))
        assert sum(value not in (None, 0, 1) for value in json.loads(alone)["values"].values()) > 3
        assert in_ranks(lambda _, made=made: json.dumps(score_shard(made, Shard())), count) == (
            [alone] * count
        )


def test_a_picture_that_is_not_annotated_is_refused_by_all(tmp_path):
    made = entities(tmp_path, random.Random(0))
    with (tmp_path / "seed-0.jsonl").open("a") as stream:
        stream.write(json.dumps({"image_id": 1000, "entities": []}) + "\n")

    def work(rank: int) -> str:
        with pytest.raises(BadInput, match="1000") as raised:
            score_shard(made, Shard())
        return str(raised.value)

    first, second = in_ranks(work)
    assert first == second


@pytest.mark.slow
def test_the_stage_writes_the_file_of_one_process(tmp_path):
    """By torchrun, as a user has it: `launch` in params.yaml and nothing else."""
    folder = tmp_path / "artifacts/smoke/data/few"
    folder.mkdir(parents=True)
    entities(folder, random.Random(0))
    predictions = tmp_path / "artifacts/smoke/entities/model"
    predictions.mkdir(parents=True)
    shutil.move(folder / "seed-0.jsonl", predictions / "seed-0.jsonl")
    write(predictions / "segment.json", {"score": "sum", "runs": [{"seed": 0}]})
    row = {"table": "VI", "row": "model", "predictions": "entities/model", "dataset": "few"}
    params = {"scale": "smoke", "segment": {"model": {}}, "evaluate": {"VI__model": row}}
    written = []
    for launch in ({}, {"launcher": "torchrun", "processes": 2}):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({**params, "launch": launch}))
        evaluate(tmp_path)
        written.append((tmp_path / "artifacts/smoke/scores/VI/model.json").read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0])["num_images"] == PICTURES


def evaluate(root: Path) -> None:
    """Run the stage; a process that hangs is ended with all that it started."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.stages.evaluate", "VI__model"],
        cwd=root,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, said
