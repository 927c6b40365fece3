"""The example server is pinned, and of the MLflow that the project uses."""

import re
import tomllib
from pathlib import Path

import yaml
from sqlalchemy import make_url

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "mlflow"


def compose():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def packages() -> list[str]:
    """What the image installs."""
    words = re.search(r"pip install (.*)", (FOLDER / "Dockerfile").read_text())[1].split()
    return [word for word in words if not word.startswith("--")]


def test_images_and_packages_are_pinned():
    images = [service["image"] for service in compose()["services"].values() if "image" in service]
    base = re.search(r"^FROM (\S+)", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)[1]
    for image in (*images, base):
        assert re.search(r":.*\d+[.-]\d+", image), image
    assert all("==" in package for package in packages())
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert next(pin for pin in pins if pin.startswith("mlflow==")) in packages()


def test_driver_of_the_database_is_installed():
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    assert next(pin for pin in locked if pin.startswith("SQLAlchemy==")) in packages()
    uri = compose()["services"]["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    driver = make_url(re.sub(r"\$\{.*?\}", "password", uri)).get_dialect().driver
    assert driver in [package.partition("==")[0].removesuffix("-binary") for package in packages()]


def test_every_variable_is_in_the_example_or_has_a_default():
    used = re.findall(r"\$\{(\w+)(:?[-?])?", (FOLDER / "compose.yaml").read_text())
    given = re.findall(r"^(\w+)=", (FOLDER / "example.env").read_text(), re.MULTILINE)
    assert {name for name, _ in used} == set(given)


def test_services_wait_for_services_that_there_are():
    services = compose()["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
