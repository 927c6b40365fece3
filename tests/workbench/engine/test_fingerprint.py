from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from workbench.engine import fingerprint as module
from workbench.engine.fingerprint import (
    claim_work_dir,
    code_hashes,
    compute_fingerprint,
    data_hashes,
    describe_changes,
)
from workbench.errors import BadInput, MissingInput

OWNER = {"key": "toy", "scale": "smoke", "project": "toys"}


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"abc")
    (tmp_path / "train.json").write_text("[]")
    split = {"annotations": "train.json", "images": "images", "masks": None}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"root": ".", "splits": {"train": split}}))
    return path


def config(lr: float = 0.1) -> Config:
    return Config({"lr": lr, "dataset": {"manifest": "manifest.json"}})


def test_each_part_changes_the_digest(manifest: Path) -> None:
    base = compute_fingerprint(config(), 0, 1, OWNER).digest
    assert compute_fingerprint(config(), 0, 1, {**OWNER, "key": "other"}).digest == base
    others = {
        compute_fingerprint(config(0.2), 0, 1, OWNER).digest,
        compute_fingerprint(config(), 1, 1, OWNER).digest,
        compute_fingerprint(config(), 0, 2, OWNER).digest,
    }
    (manifest.parent / "images" / "a.png").write_bytes(b"abd")
    others.add(compute_fingerprint(config(), 0, 1, OWNER).digest)
    assert len(others) == 4 and base not in others


def test_large_folders_are_told_apart_by_name_and_size(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLDER_BYTES_LIMIT", 1)
    before = data_hashes({"manifest": "manifest.json"})
    (manifest.parent / "images" / "a.png").write_bytes(b"abcd")
    assert data_hashes({"manifest": "manifest.json"}) != before


@pytest.mark.parametrize("text", ["{", "[]", '{"root": ".", "splits": []}', '{"splits": {}}'])
def test_unreadable_manifest_is_named(manifest: Path, text: str) -> None:
    manifest.write_text(text)
    with pytest.raises(BadInput, match=r"manifest.json: content"):
        data_hashes({"manifest": "manifest.json"})


def test_missing_inputs_name_their_source(manifest: Path) -> None:
    with pytest.raises(MissingInput, match="prep@entityseg"):
        data_hashes({"manifest": "data/entityseg/manifest.json"})
    with pytest.raises(MissingInput, match=r"w.pth"):
        data_hashes({"init_cfg": {"type": "Pretrained", "checkpoint": "w.pth"}})
    (manifest.parent / "train.json").unlink()
    with pytest.raises(MissingInput, match=r"train.json: not found; manifest.json names it"):
        data_hashes({"manifest": "manifest.json"})


def test_code_covers_ours_and_not_the_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = code_hashes(["workbench.engine.transforms", "mmdet.models", "numpy"])
    always = {"engine", "datasets", "layers", "photos"}
    assert hashes.keys() == {f"workbench.{name}" for name in always}
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_parts").mkdir()
    (tmp_path / "my_parts" / "__init__.py").write_text("")
    (tmp_path / "my_parts" / "head.py").write_text("a = 1\n")
    before = code_hashes(["my_parts.head"])
    (tmp_path / "my_parts" / "head.py").write_text("a = 2\n")
    assert code_hashes(["my_parts.head"])["my_parts"] != before["my_parts"]


def test_code_follows_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("one", "from projects.two.x import y\n"), ("two", "y = 1\n")):
        (tmp_path / "projects" / name).mkdir(parents=True)
        (tmp_path / "projects" / name / "x.py").write_text(text)
        (tmp_path / "projects" / name / "__init__.py").write_text("")
    (tmp_path / "projects" / "__init__.py").write_text("")
    for loaded in [name for name in sys.modules if name.split(".")[0] == "projects"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"projects.one", "projects.two"} <= code_hashes(["projects.one"]).keys()
    # Popped for good, so that undoing the patches above leaves the real ones or none.
    for loaded in [name for name in sys.modules if name.split(".")[0] == "projects"]:
        sys.modules.pop(loaded)


def test_work_dir_is_claimed_once_and_news_name_the_change(manifest: Path, tmp_path: Path) -> None:
    first, news = claim_work_dir(tmp_path / "w", compute_fingerprint(config(), 0, 1, OWNER))
    assert news is None and (first / "fingerprint.json").is_file()
    again, news = claim_work_dir(tmp_path / "w", compute_fingerprint(config(), 0, 1, OWNER))
    assert again == first and news is None
    other_seed = compute_fingerprint(config(), 1, 1, OWNER)
    assert claim_work_dir(tmp_path / "w", other_seed)[1] is None
    changed, news = claim_work_dir(tmp_path / "w", compute_fingerprint(config(0.2), 0, 1, OWNER))
    assert changed != first and news == "starting fresh: config.lr 0.1 -> 0.2"


def test_changes_are_named_and_counted() -> None:
    old = {"config": {"a": 1, "b": {"c": 2}}, "code": {"x": "1"}}
    new = {"config": {"a": 1, "b": {"c": 3}, "d": 4}, "code": {"x": "2"}}
    assert describe_changes(old, new) == ("config.b.c 2 -> 3, code.x changed, config.d None -> 4")
    assert describe_changes(old, new, limit=1) == "config.b.c 2 -> 3 and 2 more"
