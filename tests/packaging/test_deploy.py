"""The example server is pinned, and of the MLflow that the project uses."""

import re
import tomllib
from pathlib import Path

import yaml
from mlflow.server.security_utils import (
    get_allowed_hosts_from_env,
    get_allowed_origins_from_env,
    is_allowed_host_header,
    should_block_cors_request,
)
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


def test_server_answers_under_the_names_in_its_environment(monkeypatch):
    given = {
        "MLFLOW_HOSTS": "localhost:*,runs.example,runs.example:*",
        "MLFLOW_ORIGINS": "https://runs.example",
    }
    for name, text in compose()["services"]["mlflow"]["environment"].items():
        if name.startswith("MLFLOW_SERVER_"):
            filled = re.sub(r"\$\{(\w+).*?\}", lambda found: given[found[1]], text)
            monkeypatch.setenv(name, filled)
    hosts, origins = get_allowed_hosts_from_env(), get_allowed_origins_from_env()
    assert is_allowed_host_header(hosts, "runs.example")
    assert is_allowed_host_header(hosts, "runs.example:8080")
    assert not should_block_cors_request("https://runs.example", "POST", origins)
    assert should_block_cors_request("https://other.example", "POST", origins)
