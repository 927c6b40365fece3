"""The example server is pinned, and of the MLflow that the project uses."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "mlflow"


def compose():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def test_images_and_packages_are_pinned():
    images = [service["image"] for service in compose()["services"].values() if "image" in service]
    base = re.search(r"^FROM (\S+)", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[1]
    for image in (*images, base):
        assert re.search(r":.*\d+[.-]\d+", image), image
    installed = re.search(r"pip install (.*)", (FOLDER / "Dockerfile").read_text())[1].split()
    packages = [word for word in installed if not word.startswith("--")]
    assert all("==" in package for package in packages)
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert next(pin for pin in pins if pin.startswith("mlflow==")) in packages


def test_every_variable_is_in_the_example_or_has_a_default():
    used = re.findall(r"\$\{(\w+)(:?[-?])?", (FOLDER / "compose.yaml").read_text())
    given = re.findall(r"^(\w+)=", (FOLDER / "example.env").read_text(), re.MULTILINE)
    assert {name for name, _ in used} == set(given)


def test_services_wait_for_services_that_there_are():
    services = compose()["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
