"""The segment stage on a small data set, with the model that splits dark from bright."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.workbench.in_ranks import in_ranks
from workbench.errors import BadInput, EsgError, MissingInput
from workbench.files import sha256_file, write_json
from workbench.segmentation.label_map import encode_label_map
from workbench.segmentation.split import SplitJob, segment_split
from workbench.stages.segment import main, segment_stage

PARAMS = """
scale: smoke
prep: {halves: {}}
train: {halves: {}}
segment:
  halves: {checkpoint: halves, dataset: halves, split: val, overrides: {}}
  quarter: {checkpoint: halves, dataset: halves, overrides: {model: {test_cfg: {scale: 0.25}}}}
  wrong: {checkpoint: halves, dataset: halves, overrides: {model: {test_cfg: {scales: 1}}}}
  untrained: {checkpoint: nothing, dataset: halves}
  undone: {checkpoint: halves, dataset: nothing}
  unnamed: {checkpoint: halves}
"""
SIZES = ((6, 10), (9, 5))


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_checkpoint: Callable[..., Path]
) -> Path:
    """A project with two photographs and two seeds' checkpoints, as the working directory."""
    root = tmp_path / "project"
    data = root / "artifacts/smoke/data/halves"
    (data / "images").mkdir(parents=True)
    (root / "params.yaml").write_text(PARAMS)
    content: dict[str, list[object]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "x"}],
    }
    for number, size in enumerate(SIZES, start=1):
        labels = np.ones(size, dtype=np.int16)
        labels[:, size[1] // 2 :] = 2
        Image.fromarray(((labels - 1) * 255).astype(np.uint8)).save(data / f"images/{number}.png")
        content["images"].append(
            {"id": number, "file_name": f"{number}.png", "height": size[0], "width": size[1]}
        )
        for mask in encode_label_map(labels, 2):
            count = len(content["annotations"]) + 1
            content["annotations"].append(
                {"id": count, "image_id": number, "category_id": 1, "segmentation": mask,
                 "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0}
            )  # fmt: skip
    write_json(data / "val.json", content)
    split = {"annotations": "val.json", "images": "images", "masks": None, "num_images": 2}
    split |= {"num_entities": 4, "sha256": sha256_file(data / "val.json")}
    manifest = {"name": "halves", "format": "coco_instances", "root": ".", "splits": {"val": split}}
    write_json(data / "manifest.json", manifest)
    folder = root / "artifacts/smoke/checkpoints/halves"
    runs = []
    for seed in (0, 3):
        path = write_checkpoint(folder / f"seed-{seed}.pth", bound=100.0 + seed)
        runs.append({"seed": seed, "checkpoint_sha256": sha256_file(path)})
    write_json(folder / "train.json", {"key": "halves", "scale": "smoke", "runs": runs})
    monkeypatch.chdir(root)
    return root


@pytest.mark.slow
def test_entities_of_every_seed(project: Path) -> None:
    folder = segment_stage("halves")
    names = ["seed-0.jsonl", "seed-3.jsonl", "segment.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    stage = json.loads((folder / "segment.json").read_text())
    assert (stage["key"], stage["scale"], stage["score"]) == ("halves", "smoke", "single_sigmoid")
    assert [run["seed"] for run in stage["runs"]] == [0, 3]
    for run in stage["runs"]:
        assert run["num_images"] == 2
        assert run["infer_time_ms"] > 0
        assert run["peak_memory_gib"] >= 0
        assert run["data_sha256"] == sha256_file(Path("artifacts/smoke/data/halves/manifest.json"))
        checkpoint = Path(f"artifacts/smoke/checkpoints/halves/seed-{run['seed']}.pth")
        assert run["checkpoint_sha256"] == sha256_file(checkpoint)
    lines = (folder / "seed-3.jsonl").read_text().splitlines()
    for number, (line, size) in enumerate(zip(lines, SIZES, strict=True), start=1):
        record = json.loads(line)
        assert record["image_id"] == number
        assert (record["height"], record["width"]) == size
        assert [entity["score"] for entity in record["entities"]] == pytest.approx([0.8, 0.4])
        labels = np.ones(size, dtype=np.int16)
        labels[:, : size[1] // 2] = 2
        masks = [entity["segmentation"] for entity in record["entities"]]
        assert masks == encode_label_map(labels, 2)


@pytest.mark.slow
def test_overrides_reach_the_model_and_faulty_ones_leave_nothing(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train = Path("artifacts/smoke/checkpoints/halves/train.json")
    write_json(train, {"runs": json.loads(train.read_text())["runs"][:1]})
    record = (segment_stage("quarter") / "seed-0.jsonl").read_text().splitlines()[0]
    scores = [entity["score"] for entity in json.loads(record)["entities"]]
    assert scores == pytest.approx([0.2, 0.1])
    with pytest.raises(EsgError) as caught:
        segment_stage("wrong")
    assert caught.value.exit_code == 2
    assert "segment.wrong.overrides.model.test_cfg.scales" in capfd.readouterr().err
    assert [path.name for path in Path("artifacts/smoke/entities").iterdir()] == ["quarter"]


@pytest.mark.slow
def test_a_truncated_photograph(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo = Path("artifacts/smoke/data/halves/images/2.png")
    photo.write_bytes(photo.read_bytes()[:40])
    assert main(["halves"]) == 2
    assert "2.png" in capfd.readouterr().err
    assert list(Path("artifacts/smoke/entities").iterdir()) == []


def test_what_is_missing_is_named(project: Path) -> None:
    with pytest.raises(MissingInput, match="train@nothing"):
        segment_stage("untrained")
    with pytest.raises(MissingInput, match="prep@nothing"):
        segment_stage("undone")
    with pytest.raises(BadInput, match=r"segment\.unnamed\.dataset"):
        segment_stage("unnamed")
    with pytest.raises(BadInput, match=r"segment\.other"):
        segment_stage("other")
    assert main([]) == 2
    assert not Path("artifacts/smoke/entities").exists()


def test_a_checkpoint_that_is_not_the_recorded_one(project: Path) -> None:
    path = Path("artifacts/smoke/checkpoints/halves/seed-3.pth")
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(BadInput, match=r"seed-3\.pth: bytes"):
        segment_stage("halves")
    path.unlink()
    with pytest.raises(MissingInput, match=r"seed-3\.pth"):
        segment_stage("halves")


@pytest.mark.parametrize("text", ["{", "{}", '{"runs": []}', '{"runs": [{"seed": 0}]}'])
def test_a_faulty_train_record(project: Path, text: str) -> None:
    Path("artifacts/smoke/checkpoints/halves/train.json").write_text(text)
    with pytest.raises(BadInput, match=r"train\.json: runs"):
        segment_stage("halves")


def test_two_processes_write_the_bytes_of_one(project: Path) -> None:
    data, checkpoint = "artifacts/smoke/data/halves", "artifacts/smoke/checkpoints/halves"

    def segment(name: str) -> dict[str, object]:
        places = (f"{checkpoint}/seed-0.pth", f"{data}/manifest.json", "val")
        return segment_split(SplitJob(name, *places, {}, "overrides", f"{name}.jsonl"), print)

    alone = segment("alone")
    first, second = in_ranks(lambda rank: segment("together"))
    assert Path("together.jsonl").read_bytes() == Path("alone.jsonl").read_bytes()
    assert second == {} and first.keys() == alone.keys()
    assert first["num_images"] == alone["num_images"] == 2
    assert not list(Path().glob("*part*"))
