"""SAM's masks with a tiny untrained SAM: files, filters, and waiting without weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.files import write_json
from workbench.sam.masks import AutomaticMasks, Settings, suppress
from workbench.stages.evaluate import evaluate
from workbench.stages.sam import sam
from workbench.stages.table import table

SIZE = (24, 32)
ALL = Settings(points_per_side=3, predicted_iou=-9.0, stability=0.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """An untrained SAM of 64 px, as transformers writes it."""
    from transformers import SamConfig, SamModel
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    config = SamConfig(
        vision_config=dict(
            hidden_size=16, output_channels=16, num_hidden_layers=1, num_attention_heads=2,
            image_size=64, patch_size=8, window_size=2, global_attn_indexes=[0], mlp_dim=16,
            num_pos_feats=8,
        ),
        prompt_encoder_config=dict(
            hidden_size=16, image_size=64, patch_size=8, mask_input_channels=4
        ),
        mask_decoder_config=dict(
            hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2,
            iou_head_hidden_dim=16,
        ),
    )  # fmt: skip
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights") / "sam"
    model = SamModel(config)
    with torch.no_grad():  # positive, as thresholds of 0 and less filter nothing
        model.mask_decoder.iou_prediction_head.proj_out.bias.add_(0.5)
    model.save_pretrained(folder)
    processor = SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}
    )
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def test_masks_have_the_size_of_the_photograph_and_the_best_come_first(weights, picture) -> None:
    found = AutomaticMasks(weights, "cpu", ALL).segment(picture)
    assert found
    assert all(entity.segmentation["size"] == list(SIZE) for entity in found)
    scores = [entity.score for entity in found]
    assert scores == sorted(scores, reverse=True)
    boxes = np.array([mask_utils.toBbox(entity.segmentation) for entity in found])
    boxes[:, 2:] -= 1  # the generator's end at the last pixel, not behind it
    boxes = boxes[(boxes[:, 2:] > 0).all(axis=1)]
    overlaps = mask_utils.iou(boxes, boxes, [0] * len(boxes))
    assert (overlaps - np.eye(len(boxes)) <= 0.7).all()


def test_masks_are_those_of_the_model_at_a_prompt(weights, picture) -> None:
    """One prompt in the middle: its three masks, without filters or suppression."""
    from transformers import SamModel

    settings = Settings(points_per_side=1, predicted_iou=-9.0, stability=0.0, box_nms=1.0)
    found = AutomaticMasks(weights, "cpu", settings).segment(picture)
    model = SamModel.from_pretrained(weights).eval()
    # 24 x 32 becomes 48 x 64, so that the middle is (32, 24).
    image = Image.fromarray(picture[..., ::-1]).resize((64, 48), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / 255
    pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    padded = np.zeros((64, 64, 3), np.float32)
    padded[:48] = pixels
    with torch.no_grad():
        output = model(
            pixel_values=torch.from_numpy(padded).permute(2, 0, 1)[None],
            input_points=torch.tensor([[[[32.0, 24.0]]]]),
        )
    scores = output.iou_scores[0, 0]
    assert [entity.score for entity in found] == pytest.approx(
        scores.sort(descending=True).values.tolist(), abs=1e-4
    )
    logits = torch.nn.functional.interpolate(output.pred_masks[0], (64, 64), mode="bilinear")
    logits = torch.nn.functional.interpolate(logits[..., :48, :], SIZE, mode="bilinear")[0]
    best = (logits[scores.argmax()] > 0).numpy()
    assert (mask_utils.decode(found[0].segmentation).astype(bool) == best).mean() > 0.99


def test_filters_and_the_limit(weights, picture) -> None:
    everything = AutomaticMasks(weights, "cpu", Settings(3, -9.0, 0.0, 1.0)).segment(picture)
    assert len(everything) == 27  # three masks at each of nine points
    middle = everything[len(everything) // 2].score
    fewer = AutomaticMasks(weights, "cpu", Settings(3, middle, 0.0, 1.0)).segment(picture)
    assert fewer and all(entity.score > middle for entity in fewer)
    assert AutomaticMasks(weights, "cpu", Settings(3, 1.1, 0.95)).segment(picture) == []
    one = AutomaticMasks(weights, "cpu", Settings(3, -9.0, 0.0, 1.0, 1)).segment(picture)
    assert [entity.score for entity in one] == [everything[0].score]


def test_suppression() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 7], [20, 20, 20, 25]])
    # 0.8 of the best goes at 0.7; exactly 0.7 stays; a box without area stays.
    assert suppress(boxes, np.array([0.9, 0.8, 0.7, 0.95]), 0.7) == [3, 0, 2]
    assert suppress(np.zeros((0, 4)), np.zeros(0), 0.7) == []


def test_folders_that_are_none(weights, tmp_path) -> None:
    with pytest.raises(MissingInput, match=r"config\.json"):
        AutomaticMasks(tmp_path, "cpu")
    for path in weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(BadInput, match="save_pretrained"):
        AutomaticMasks(tmp_path, "cpu")


PARAMS = """
scale: smoke
sam: {sam-h-lvis: {dataset: objects, split: val}}
evaluate_given:
  VIII__sam-h__lvis:
    {table: VIII, row: sam-h.lvis, predictions: entities/sam-h-lvis, dataset: objects, split: val}
"""


@pytest.fixture
def project(tmp_path, monkeypatch, picture) -> Path:
    root = tmp_path / "project"
    data = root / "artifacts/smoke/data/objects"
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True)
    Image.fromarray(picture).save(data / "images/1.png")
    mask = np.zeros(SIZE, np.uint8)
    mask[4:20, 4:28] = 255
    Image.fromarray(mask).save(data / "masks/1.png")
    split = {"annotations": None, "images": "images", "masks": "masks"}
    about = {"name": "objects", "format": "binary_masks", "root": ".", "splits": {"val": split}}
    write_json(data / "manifest.json", about)
    (root / "params.yaml").write_text(PARAMS)
    repository = Path(__file__).parents[3]
    (root / "reports").mkdir()
    (root / "reports/tables").symlink_to(repository / "reports/tables")
    monkeypatch.chdir(root)
    monkeypatch.setenv("PYTHONPATH", str(repository))
    return root


def row_of_the_table() -> dict:
    content = json.loads(table("VIII").with_suffix(".json").read_text())
    (row,) = [row for row in content["rows"] if row["id"] == "sam-h"]
    return row


def test_without_weights_the_row_waits(project) -> None:
    folder = sam("sam-h-lvis")
    assert "sam_weights" in json.loads((folder / "segment.json").read_text())["waits"]
    score = json.loads(evaluate("VIII__sam-h__lvis").read_text())
    assert score.keys() == {"table", "row", "scale", "waits"}
    row = row_of_the_table()
    assert row["status"] == "waits" and "SAM ViT-H" in row["waits"]
    assert row["values"]["AR_LVIS"]["reproduced"] is None


@pytest.mark.slow
def test_with_weights_the_row_has_values(project, weights) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump({**params, "sam_weights": str(weights)}))
    folder = sam("sam-h-lvis")
    (run,) = json.loads((folder / "segment.json").read_text())["runs"]
    assert run["num_images"] == 1 and run["infer_time_ms"] > 0
    (line,) = (folder / "seed-0.jsonl").read_text().splitlines()
    assert json.loads(line)["image_id"] == "1"
    score = json.loads(evaluate("VIII__sam-h__lvis").read_text())
    (provenance,) = score["provenance"]
    assert provenance["checkpoint_sha256"] == run["checkpoint_sha256"]
    assert provenance["run_id"] is None and provenance["device"] == run["device"]
    assert row_of_the_table()["values"]["AR_LVIS"].keys() >= {"printed", "reproduced"}


def test_weights_that_are_not_there_leave_nothing(project) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump({**params, "sam_weights": "nowhere"}))
    with pytest.raises(MissingInput, match="correct sam_weights"):
        sam("sam-h-lvis")
    assert not Path("artifacts/smoke/entities/sam-h-lvis").exists()
    with pytest.raises(MissingInput, match="dvc repro sam@sam-h-lvis"):
        evaluate("VIII__sam-h__lvis")
