"""Small hand-made data sets and small generated worlds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workbench.datasets.hand_made import HandMade
from workbench.datasets.worlds import write_world

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real samples, or skip."""
    folder = Path(os.environ.get("ESG_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real samples at {folder}")
    return folder


@pytest.fixture(scope="session")
def smoke_specs() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "configs/smoke/worlds.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def entityseg_world(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "entityseg"
    write_world("entityseg", smoke_specs["entityseg"], out)
    return out


@pytest.fixture(scope="session")
def coco_world(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "coco"
    write_world("coco", smoke_specs["coco"], out)
    return out


@pytest.fixture(scope="session")
def png_world(tmp_path_factory: pytest.TempPathFactory, smoke_specs: dict[str, Any]) -> Path:
    out = tmp_path_factory.mktemp("worlds") / "png"
    write_world("png", smoke_specs["png"], out)
    return out


@pytest.fixture
def instances(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "hand", "coco_instances")


@pytest.fixture
def panoptic(tmp_path: Path) -> HandMade:
    return HandMade(tmp_path / "hand", "coco_panoptic")
