from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from workbench.engine.checkpoint import (
    apply_weights,
    guard_mmengine_loading,
    load_weights,
    newest_valid,
    plain,
    read_weights_only,
    resumable,
    save_final,
    save_resumable,
)
from workbench.errors import BadInput


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def state(iteration: int) -> dict[str, object]:
    return {"meta": {"iteration": iteration}, "state_dict": {"w": torch.full((3,), iteration)}}


def test_keeps_the_newest_two(tmp_path: Path) -> None:
    for iteration in (10, 20, 100):
        save_resumable(tmp_path, iteration, state(iteration))
    names = [path.name for path in resumable(tmp_path)]
    assert names == ["iter_00000100.pth", "iter_00000020.pth"]
    assert len(list(tmp_path.iterdir())) == 4
    assert newest_valid(tmp_path, pytest.fail)["meta"] == {"iteration": 100}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"\x14\x00\x00\x00\x00\x00\x00\x00")] ^= 1
    path.write_bytes(content)


def empty_without_hash(path: Path) -> None:
    path.write_bytes(b"")
    path.with_suffix(".sha256").unlink()


def other_file(path: Path) -> None:
    save_final(path, {"w": torch.zeros(1)}, {})


@pytest.mark.parametrize("damage", [cut, flip, empty_without_hash, other_file])
def test_damaged_checkpoint_is_named_and_the_older_used(tmp_path: Path, damage: object) -> None:
    save_resumable(tmp_path, 10, state(10))
    damage(save_resumable(tmp_path, 20, state(20)))  # type: ignore[operator]
    lines: list[str] = []
    content = newest_valid(tmp_path, lines.append)
    assert content is not None and content["meta"] == {"iteration": 10}
    assert len(lines) == 1 and "iter_00000020.pth" in lines[0] and "\n" not in lines[0]
    assert [path.name for path in resumable(tmp_path)] == ["iter_00000010.pth"]


def test_checkpoint_without_its_hash_counts_if_it_loads(tmp_path: Path) -> None:
    save_resumable(tmp_path, 20, state(20)).with_suffix(".sha256").unlink()
    assert newest_valid(tmp_path, pytest.fail) is not None


def test_no_checkpoint(tmp_path: Path) -> None:
    assert newest_valid(tmp_path, pytest.fail) is None


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_checkpoint_is_refused(tmp_path: Path, how: str) -> None:
    target, path = tmp_path / "ran", tmp_path / "bomb.pth"
    content = {"state_dict": Bomb(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(BadInput, match="bomb.pth: checkpoint: damaged, or holds more than weights"):
        load_weights(path)
    assert not target.exists()


def test_mmengine_refuses_code_and_network_too(tmp_path: Path) -> None:
    from mmengine.runner.checkpoint import CheckpointLoader

    guard_mmengine_loading()
    target, path = tmp_path / "ran", tmp_path / "bomb.pth"
    torch.save({"state_dict": Bomb(target)}, path)
    with pytest.raises(BadInput, match="bomb.pth"):
        CheckpointLoader.load_checkpoint(str(path))
    assert not target.exists()
    for address in ("https://example.org/x.pth", "torchvision://resnet50"):
        with pytest.raises(BadInput, match="download it"):
            CheckpointLoader.load_checkpoint(address)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([1, 2], "holds a list, not a mapping"),
        ({"meta": {"a": 1}}, "no weights inside"),
        ({"state_dict": {}}, "no weights inside"),
        ({"state_dict": {"a": 1}}, "no weights inside"),
    ],
)
def test_file_without_weights_is_refused(tmp_path: Path, content: object, problem: str) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(BadInput, match=problem):
        load_weights(tmp_path / "x.pth")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none.pth: checkpoint: no such file"):
        read_weights_only(tmp_path / "none.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model", None])
def test_released_layouts_are_read(tmp_path: Path, wrapper: str | None) -> None:
    weights = {"module.a": torch.ones(2)}
    torch.save({wrapper: weights} if wrapper else weights, tmp_path / "x.pth")
    assert load_weights(tmp_path / "x.pth").keys() == {"a"}


def test_other_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    save_final(path, nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).state_dict(), {})
    with pytest.raises(
        BadInput, match=r"x.pth: state_dict: unknown: 1.bias, 1.weight; other shape"
    ):
        apply_weights(nn.Sequential(nn.Linear(2, 4)), path)
    with pytest.raises(BadInput, match="missing: 2.bias, 2.weight"):
        apply_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(1, 1)), path)


def test_fresh_parts_stay_as_initialised_whatever_their_shape(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    trained = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    save_final(path, trained.state_dict(), {})
    for width in (1, 4):
        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, width))
        before = model[1].weight.clone()
        apply_weights(model, path, fresh=["1"])
        assert torch.equal(model[0].weight, trained[0].weight)
        assert torch.equal(model[1].weight, before)
    with pytest.raises(BadInput, match="x.pth: fresh: the model has no 2; name a part"):
        apply_weights(model, path, fresh=["2"])
    with pytest.raises(BadInput, match="other shape: 1.bias"):
        apply_weights(model, path, fresh=["0"])


@pytest.mark.parametrize("fresh", [["1"], None])
def test_what_a_training_starts_anew_is_said(tmp_path: Path, fresh: list[str] | None) -> None:
    from workbench.engine.runner import WorkbenchRunner

    path = tmp_path / "x.pth"
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    save_final(path, model.state_dict(), {})
    lines: list[str] = []
    config = {"start_fresh": fresh} if fresh else {}
    runner = SimpleNamespace(cfg=config, bare_model=model, say=lines.append)
    WorkbenchRunner._start_from(runner, path)  # type: ignore[arg-type]
    assert lines == ([f"started from {path}, but initialised anew: 1"] if fresh else [])


def test_plain_keeps_values_and_drops_objects() -> None:
    value = {"a": [np.float64(0.5), len], "f": print, "t": (1, None), "n": np.int64(3)}
    assert plain(value) == {"a": [0.5], "t": (1, None), "n": 3}
    assert type(plain(value)["a"][0]) is float
