"""Stage resolve: flattened, deterministic, and strict about what it is given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workbench.errors import BadInput, MissingInput
from workbench.stages.resolve import resolve

BASE = """
width = 8
custom_imports = dict(imports=['no.such.module'], allow_failed_imports=False)
model = dict(type='Toy', width=width, test_cfg=dict(views='all'), parts=[dict(a=1), dict(a=2)])
train_dataloader = dict(dataset=dict(type='D', manifest='?', split='train'))
val_dataloader = dict(dataset=dict(type='Wrapper', dataset=dict(type='D', manifest='?')))
val_evaluator = dict(type='E', manifest='?')
"""
CHILD = "_base_ = '../../_base_/toy.py'\nmodel = dict(width=16)\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one training `toy`; call it with overrides to rewrite params.yaml."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"_base_/toy.py": BASE, "mini/toy/toy.py": CHILD}.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(**fields) -> Path:
        item = {"config": "toy/toy", "dataset": "street", "overrides": {}} | fields
        params = {"scale": "mini", "train": {"toy": item}}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        return tmp_path

    write()
    return write


def resolved() -> dict:
    space: dict = {}
    exec(Path("artifacts/mini/configs/toy.py").read_text(), space)
    return space


def test_inheritance_overrides_and_manifest(project):
    project(overrides={"model": {"test_cfg": {"views": "crops"}, "parts": {"1": {"a": 3}}}})
    resolve("toy")
    config = resolved()
    assert config["model"]["width"] == 16
    assert config["model"]["test_cfg"] == {"views": "crops"}
    assert config["model"]["parts"] == [{"a": 1}, {"a": 3}]
    manifest = "artifacts/mini/data/street/manifest.json"
    assert config["train_dataloader"]["dataset"]["manifest"] == manifest
    assert config["val_dataloader"]["dataset"]["dataset"]["manifest"] == manifest
    assert config["val_evaluator"]["manifest"] == manifest


def test_an_edit_without_effect_leaves_the_text_as_it_was(project):
    root = project()
    before = resolve("toy").read_bytes()
    base = root / "configs/_base_/toy.py"
    base.write_text("# a remark\n" + BASE.replace("type='Toy', width=width", "width=8, type='Toy'"))
    assert resolve("toy").read_bytes() == before
    base.write_text(BASE.replace("a=1", "a=4"))
    assert resolve("toy").read_bytes() != before


def test_a_training_starts_from_the_first_seed_of_another(project):
    project()
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["train"]["base"] = {**params["train"].pop("toy"), "seeds": [2, 0]}
    params["transfer"] = {"toy": {**params["train"]["base"], "start": "base"}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    resolve("base")
    resolve("toy")
    assert resolved()["load_from"] == "artifacts/mini/checkpoints/base/seed-2.pth"
    assert "load_from" not in Path("artifacts/mini/configs/base.py").read_text()
    assert "start_fresh" not in resolved()
    params["transfer"]["toy"]["fresh"] = ["head"]
    Path("params.yaml").write_text(yaml.safe_dump(params))
    resolve("toy")
    assert resolved()["start_fresh"] == ["head"]
    params["transfer"]["toy"]["start"] = "bass"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(BadInput, match=r"transfer\.toy\.start: 'bass'; use one of: base"):
        resolve("toy")


def test_a_mapping_can_be_replaced(project):
    project(overrides={"model": {"test_cfg": {"_delete_": True, "score": "single"}}})
    resolve("toy")
    assert resolved()["model"]["test_cfg"] == {"score": "single"}


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        ({"modell": {}}, "overrides.modell"),
        ({"model": {"test_cfg": {"viewz": 1}}}, "overrides.model.test_cfg.viewz"),
        ({"model": {"parts": {"2": {"a": 1}}}}, "overrides.model.parts.2"),
        ({"width": {"of": {"what": 1}}}, "overrides.width.of"),
    ],
)
def test_unknown_override_is_named(project, overrides, field):
    project(overrides=overrides)
    with pytest.raises(BadInput, match=rf"train\.toy\.{field}: ") as error:
        resolve("toy")
    assert "\n" not in str(error.value)
    assert not Path("artifacts").exists()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("model = dict(", BadInput, "toy.py: Python: "),
        ("model = dict(x=unknown_name)", BadInput, "unknown_name"),
        ("_base_ = '../../_base_/none.py'", MissingInput, "none.py: not found"),
        ("_base_ = '../other/toy.py'", BadInput, "configs/_base_"),
    ],
)
def test_bad_config_is_named(project, text, error, words):
    other = project() / "configs/mini/other/toy.py"
    other.parent.mkdir()
    other.write_text(BASE)
    Path("configs/mini/toy/toy.py").write_text(text)
    with pytest.raises(error, match=words):
        resolve("toy")
    assert not Path("artifacts").exists()


def test_missing_config_field_and_key(project):
    project(config="toy/none")
    with pytest.raises(MissingInput, match=r"configs/mini/toy/none.py"):
        resolve("toy")
    project(dataset=None)
    with pytest.raises(BadInput, match=r"train\.toy\.dataset: missing"):
        resolve("toy")
    with pytest.raises(BadInput, match=r"train\.tou: unknown instance; use one of: toy"):
        resolve("tou")


@pytest.mark.parametrize(("arguments", "code"), [(["tou"], 2), ([], 2), (["toy", "toy"], 2)])
def test_command_line_ends_with_one_line(project, arguments, code):
    root = project()
    command = [sys.executable, "-m", "workbench.stages.resolve", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
