"""pyproject.toml and requirements.lock say the same, exactly."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)$")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    matches = [PIN.match(line) for line in pins]
    assert all(matches), [line for line, match in zip(pins, matches, strict=True) if not match]
    names = [normal(match[1]) for match in matches]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return {normal(match[1]): match[2] for match in matches}


def test_direct_dependencies_are_pinned_as_in_the_lock(project, lock):
    extras = project["optional-dependencies"]
    assert set(extras) == {"dev", "postgres", "ui"}
    for requirement in [
        *project["dependencies"],
        *(each for one in extras.values() for each in one),
    ]:
        match = PIN.match(requirement)
        assert match, f"{requirement} is not an exact pin"
        assert lock.get(normal(match[1])) == match[2], requirement


def test_lock_pins_what_builds_and_no_gpu_build(lock):
    assert {"pip", "setuptools", "wheel", "ninja"} <= set(lock)
    assert not [name for name in lock if name.startswith(("nvidia-", "triton"))]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert build["requires"] == [f"setuptools=={lock['setuptools']}"]


def test_no_fork_beside_its_original(lock):
    assert not {"mmcv", "mmcv-lite", "mmengine", "mmdet", "torchvision"} & set(lock)


def test_environment_is_the_locked_one(project, lock):
    from importlib.metadata import version

    for requirement in project["dependencies"]:
        name = PIN.match(requirement)[1]
        assert version(name).split("+")[0] == lock[normal(name)]


def test_console_script_points_at_a_function(project):
    assert project["requires-python"] == "==3.11.*"
    module, function = project["scripts"]["esg"].split(":")
    assert callable(getattr(importlib.import_module(module), function))
