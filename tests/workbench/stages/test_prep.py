"""Stage prep: data that stay where they are, at any scale, through params.yaml alone."""

import json
from pathlib import Path

import pytest
import yaml

from workbench.errors import BadInput, MissingInput
from workbench.stages.prep import hash_files, prep

COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 2, "width": 3}],
    "annotations": [{"id": 1, "image_id": 1, "iscrowd": 0}, {"id": 2, "image_id": 1, "iscrowd": 1}],
}
SPLIT = {"annotations": "val.json", "images": "val"}


@pytest.fixture
def street(tmp_path, monkeypatch):
    """A project and, outside it, a data set `street`; call it to rewrite the description."""
    root, data = tmp_path / "project", tmp_path / "street"
    (data / "val").mkdir(parents=True)
    (data / "val.json").write_text(json.dumps(COCO))
    (data / "val" / "a.png").write_bytes(b"picture")
    (root / "configs/paper").mkdir(parents=True)
    monkeypatch.chdir(root)

    def describe(scale: str = "mini", **fields) -> Path:
        spec = {"root": "../street", "format": "coco_instances", "splits": {"val": SPLIT}} | fields
        spec = {name: value for name, value in spec.items() if value is not None}
        params = {"scale": scale, "data_root": "..", "prep": {"entityseg": {}}}
        params["own_data"] = {"street": spec}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        return data

    describe()
    return describe


def manifest() -> dict:
    return json.loads(prep("street").read_text())


def test_own_data_get_a_manifest_and_stay_in_place(street):
    content = manifest()
    folder = Path("artifacts/mini/data/street")
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert (folder / content["root"]).resolve() == street().resolve()
    split = content["splits"]["val"]
    assert (content["name"], content["format"]) == ("street", "coco_instances")
    assert (split["annotations"], split["images"], split["masks"]) == ("val.json", "val", None)
    assert (split["num_images"], split["num_entities"]) == (1, 2)


def test_any_changed_byte_changes_the_manifest(street):
    data, before = street(), manifest()
    assert manifest() == before
    (data / "val" / "a.png").write_bytes(b"PICTURE")
    changed = manifest()
    assert changed != before
    (data / "val.json").write_text(json.dumps(COCO | {"info": {}}))
    assert manifest()["splits"]["val"]["sha256"] != changed["splits"]["val"]["sha256"]


def test_fast_hash_sees_names_and_sizes(street):
    folder = street() / "val"
    before = hash_files([folder], whole=False)
    (folder / "a.png").write_bytes(b"PICTURE")
    assert hash_files([folder], whole=False) == before
    (folder / "b.png").write_bytes(b"")
    assert hash_files([folder], whole=False) != before


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"root": "../nowhere"}, MissingInput, r"nowhere: not found; .*own_data\.street\.root"),
        ({"root": None}, BadInput, r"own_data\.street\.root: is None"),
        ({"format": "coco"}, BadInput, r"street\.format: is 'coco'; use one of: .*coco_instances"),
        ({"splits": {}}, BadInput, r"street\.splits: is \{\}"),
        ({"split": "val"}, BadInput, r"street\.split: unknown field"),
        ({"splits": {"val": {"images": "val"}}}, BadInput, r"splits\.val\.annotations: missing"),
        ({"splits": {"val": SPLIT | {"mask": "m"}}}, BadInput, r"val\.mask: unknown field"),
        ({"splits": {"val": SPLIT | {"images": "v"}}}, MissingInput, r"street/v: not found"),
        ({"format": "coco_panoptic"}, BadInput, r"splits\.val\.masks: missing"),
        ({"splits": {"val": "val.json"}}, BadInput, r"splits\.val: is 'val.json'"),
    ],
)
def test_bad_description_is_named(street, fields, error, words):
    street(**fields)
    with pytest.raises(error, match=words) as caught:
        prep("street")
    assert "\n" not in str(caught.value)
    assert not Path("artifacts/mini/data/street").exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"images": []}', '{"images": [1], "annotations": []}']
)
def test_bad_annotations_are_named(street, text):
    (street() / "val.json").write_text(text)
    with pytest.raises(BadInput, match=r"val\.json"):
        prep("street")
    assert not Path("artifacts/mini/data/street").exists()


def test_a_failure_leaves_the_old_manifest(street):
    data, before = street(), manifest()
    (data / "val.json").write_text("{")
    with pytest.raises(BadInput):
        prep("street")
    assert json.loads(Path("artifacts/mini/data/street/manifest.json").read_text()) == before


def test_built_in_data_at_paper_scale_are_read_at_data_root(street):
    data = street(scale="paper").rename(Path("../entityseg"))
    worlds = {"entityseg": {"format": "entityseg", "splits": {"val": SPLIT}}}
    Path("configs/paper/worlds.yaml").write_text(yaml.safe_dump(worlds))
    path = prep("entityseg")
    assert path == Path("artifacts/paper/data/entityseg/manifest.json")
    assert (path.parent / json.loads(path.read_text())["root"]).resolve() == data.resolve()
    data.rename("../elsewhere")
    with pytest.raises(MissingInput, match=r"entityseg: not found; .*data_root"):
        prep("entityseg")


def test_unknown_and_ambiguous_names(street):
    with pytest.raises(BadInput, match=r"prep\.nope: unknown data set; use one of: entityseg, str"):
        prep("nope")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["own_data"]["entityseg"] = params["own_data"]["street"]
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(BadInput, match=r"own_data\.entityseg: .* built-in"):
        prep("entityseg")
