"""The import contracts hold and cover every project."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_contracts_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def test_independence_names_each_model_of_the_paper():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in settings["contracts"] if each["type"] == "independence"]
    models = {f"projects.{name}" for name in ("cropformer", "gella") if has_code(name)}
    assert set(contract["modules"]) == models


def has_code(name: str) -> bool:
    return (ROOT / "projects" / name / "__init__.py").is_file()
