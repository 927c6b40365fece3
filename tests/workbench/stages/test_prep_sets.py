"""Stage prep at paper scale over the worlds: what reads the real layout reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench.cli.main import main
from workbench.datasets import load_entities
from workbench.datasets.worlds import write_world
from workbench.errors import MissingInput
from workbench.stages.prep import prep

ROOT = Path(__file__).resolve().parents[3]
SMOKE = yaml.safe_load((ROOT / "configs/smoke/worlds.yaml").read_text(encoding="utf-8"))
# World, its folder below data_root, a split and its pictures there.
SETS = (
    ("ocid", "OCID-dataset", "test", 12),
    ("fss1000", "fss1000", "test", 10),
    ("dis5k", "DIS5K", "DIS-TE4", 1),
    ("sginw", "seginw", "Trash_valid", 2),
    ("lvis", "lvis", "val", 4),
    ("entityseg_classes", "entityseg", "val_panoptic", 3),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "configs/paper").mkdir(parents=True)
    shutil.copy2(ROOT / "configs/paper/worlds.yaml", root / "configs/paper/worlds.yaml")
    params: dict[str, Any] = {"scale": "paper", "data_root": "../data"}
    params["prep"] = {name: {} for name, *_ in SETS}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(root)
    return root


def lay_out(name: str, folder: str, data: Path, made: Path) -> None:
    write_world(name, SMOKE[name], made)
    source = made / folder if name == "ocid" else made
    source.rename(data / folder)
    for extra in ("manifest.json", "contact_sheet.png"):
        (data / folder / extra).unlink(missing_ok=True)


def relax(project: Path) -> None:
    """The worlds of EntitySeg's classes have fewer of them than 150."""
    path = project / "configs/paper/worlds.yaml"
    made = 255  # the largest: values are checked against it
    path.write_text(path.read_text().replace("classes: 150", f"classes: {made}"))


@pytest.mark.parametrize(("name", "folder", "split", "count"), SETS)
def test_prep_describes_what_lies_at_data_root(
    name: str, folder: str, split: str, count: int, project: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(MissingInput, match="data_root"):
        prep(name)
    (tmp_path / "data").mkdir()
    relax(project)
    lay_out(name, folder, tmp_path / "data", tmp_path / "made")
    manifest = prep(name)
    assert [path.name for path in manifest.parent.iterdir()] == ["manifest.json"]
    data = load_entities(manifest, split)
    assert len(data) == count
    assert sum(len(image.masks) for image in data) >= count
    entry = json.loads(manifest.read_text())["splits"][split]
    assert len(entry["files_sha256"]) == 64
    code = main(["data", "check", name, "--json"])
    (found,) = json.loads(capsys.readouterr().out)["datasets"]
    assert code in (0, 2)
    # Only sizes differ: the worlds are small.
    assert all("instead of" in fault for fault in found["faults"]), found["faults"]
    assert all(part["unusable"] == 0 for part in found["splits"].values())
    again = prep(name)
    assert json.loads(again.read_text())["splits"][split] == entry
