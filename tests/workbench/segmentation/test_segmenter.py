"""A checkpoint becomes a segmenter; faulty checkpoints are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools import mask as mask_utils

from workbench.errors import BadInput, MissingInput
from workbench.segmentation.segmenter import Segmenter

WriteCheckpoint = Callable[..., Path]

IMAGE = np.repeat(np.array([[[10], [200], [250]]], dtype=np.uint8), 3, axis=2)


def test_entities_of_a_photograph(tmp_path: Path, write_checkpoint: WriteCheckpoint) -> None:
    segmenter = Segmenter.from_checkpoint(write_checkpoint(tmp_path / "w.pth"), "cpu")
    assert segmenter.score == "single_sigmoid"
    assert not segmenter.model.training
    bright, dark = segmenter.segment(IMAGE)
    assert mask_utils.decode(bright.segmentation).tolist() == [[0, 1, 1]]
    assert mask_utils.decode(dark.segmentation).tolist() == [[1, 0, 0]]
    assert (bright.score, bright.class_score) == pytest.approx((0.8, 0.9))


def test_weights_and_overrides_count(tmp_path: Path, write_checkpoint: WriteCheckpoint) -> None:
    path = write_checkpoint(tmp_path / "w.pth", bound=220.0)
    overrides = {"model": {"test_cfg": {"scale": 0.5}}}
    bright, _ = Segmenter.from_checkpoint(path, "cpu", overrides).segment(IMAGE)
    assert mask_utils.decode(bright.segmentation).tolist() == [[0, 0, 1]]
    assert bright.score == pytest.approx(0.4)


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.pth"):
        Segmenter.from_checkpoint(tmp_path / "none.pth")


def test_damaged_checkpoint(tmp_path: Path, write_checkpoint: WriteCheckpoint) -> None:
    path = write_checkpoint(tmp_path / "w.pth")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"w\.pth: checkpoint: damaged"):
        Segmenter.from_checkpoint(path)


def test_checkpoint_without_config(tmp_path: Path) -> None:
    torch.save({"state_dict": {"bound": torch.zeros(1)}}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"w\.pth: meta\.config"):
        Segmenter.from_checkpoint(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type='HalvesModel'", "type='NoSuchModel'", "does not build"),
        ("halves_model", "no_such_module", "does not build"),
        ("val_dataloader", "other_dataloader", "pipeline"),
        ("scale=1.0, ", "", "scale"),
    ],
)
def test_configs_that_do_not_fit(
    tmp_path: Path,
    write_checkpoint: WriteCheckpoint,
    halves_config: str,
    old: str,
    new: str,
    message: str,
) -> None:
    path = write_checkpoint(tmp_path / "w.pth", halves_config.replace(old, new))
    overrides = {"model": {"test_cfg": {"scale": 2.0}}} if message == "scale" else {}
    with pytest.raises(BadInput, match=message) as caught:
        Segmenter.from_checkpoint(path, "cpu", overrides)
    assert "\n" not in str(caught.value)


def test_weights_of_another_model(tmp_path: Path, write_checkpoint: WriteCheckpoint) -> None:
    path = write_checkpoint(tmp_path / "w.pth", more=torch.zeros(2))
    with pytest.raises(BadInput, match=r"w\.pth: state_dict: unknown: more"):
        Segmenter.from_checkpoint(path, "cpu")
