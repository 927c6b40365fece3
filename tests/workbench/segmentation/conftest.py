"""A segmenter small enough to follow by eye, as a module that a checkpoint's config can name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from workbench.engine.checkpoint import save_final

MODULE = '''
"""Splits a photograph into its dark and its bright pixels; `bright` has a higher score."""
import numpy as np
import torch
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils


@MODELS.register_module(force=True)
class HalvesModel(torch.nn.Module):
    def __init__(self, test_cfg, data_preprocessor=None):
        super().__init__()
        self.bound = torch.nn.Parameter(torch.zeros(1))
        self.test_cfg = test_cfg

    def test_step(self, data):
        sample, image = data["data_samples"][0], data["inputs"][0].numpy()
        bright = image.mean(0) > float(self.bound)
        masks = []
        for mask in (~bright, bright):
            rle = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
            masks.append({"size": rle["size"], "counts": rle["counts"].decode()})
        scores = torch.tensor([0.4, 0.8]) * self.test_cfg["scale"]
        sample.pred_entities = InstanceData(
            masks=masks, scores=scores, class_scores=torch.tensor([0.5, 0.9]))
        return [sample]


@TRANSFORMS.register_module(force=True)
class PackHalves:
    def __call__(self, results):
        inputs = torch.from_numpy(results["img"].transpose(2, 0, 1).copy())
        return {"inputs": inputs,
                "data_samples": DetDataSample(metainfo={"ori_shape": results["ori_shape"]})}
'''

CONFIG = """
custom_imports = dict(imports=['halves_model'], allow_failed_imports=False)
default_scope = 'mmdet'
model = dict(test_cfg=dict(scale=1.0, score='single_sigmoid'), type='HalvesModel')
val_dataloader = dict(
    dataset=dict(pipeline=[
        dict(type='LoadPhoto'),
        dict(type='PackHalves'),
    ], type='EntityImageDataset'))
"""

WriteCheckpoint = Callable[..., Path]


@pytest.fixture
def halves_config() -> str:
    """Return the config text that `write_checkpoint` uses by default."""
    return CONFIG


@pytest.fixture
def write_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteCheckpoint]:
    """Return a function that writes a finished checkpoint with a config inside."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "halves_model.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(code))
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{code}:{root}")

    def write(path: Path, config: str = CONFIG, bound: float = 127.0, **extra: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {"bound": torch.tensor([bound]), **extra}
        save_final(path, weights, {"config": config, "iterations": 1})  # type: ignore[arg-type]
        return path

    yield write
    sys.modules.pop("halves_model", None)
