"""Whatever a JSON field holds, reading ends in a record or in a one-line error."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.datasets.hand_made import HandMade
from tests.workbench.datasets.set_layouts import write_layout
from workbench.datasets import load_entities
from workbench.datasets.check import check_dataset
from workbench.errors import EsgError

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, float("inf"), 10**30, "", "a", "\ud800", "a\0", [], {}, [[]], [None]),
    *({"size": [4, 6]}, {"size": [4, 6], "counts": [10**30, -5]}),
    *({"size": [4, 6], "counts": "~" * 20}, {"size": [4, 6], "counts": "é"}),
)
CASES = 200


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield from places(child, (*path, key))


@pytest.mark.parametrize("form", ["coco_instances", "coco_panoptic"])
def test_only_user_errors(form: str, tmp_path: Path) -> None:
    data = HandMade(tmp_path / "hand", form)
    sound = copy.deepcopy(data.content)
    cases = [(path, value) for path in places(sound) for value in VALUES]
    for path, value in random.Random(0).sample(cases, CASES):
        data.content = at = copy.deepcopy(sound)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = copy.deepcopy(value)
        manifest = data.write()
        try:
            load_entities(manifest, "val").to_coco()
        except EsgError as error:
            assert "\n" not in str(error), (path, value)
            assert check_dataset(manifest), (path, value)
        check_dataset(manifest)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lvis", "annotations/lvis_v1_val.json"),
        ("sginw", "Airplane-Parts/valid/_annotations_min1cat.coco.json"),
        ("entityseg panoptic", "panoptic.json"),
        ("semantic stems", "manifest.json"),
        ("fss1000", "manifest.json"),
    ],
)
def test_only_user_errors_in_real_layouts(name: str, file: str, tmp_path: Path) -> None:
    manifest = write_layout(name, tmp_path)
    sound = json.loads((tmp_path / file).read_text())
    cases = [(path, value) for path in places(sound) for value in VALUES]
    for path, value in random.Random(1).sample(cases, min(CASES, len(cases))):
        content = at = copy.deepcopy(sound)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = copy.deepcopy(value)
        (tmp_path / file).write_text(json.dumps(content))
        for use in (
            lambda: load_entities(manifest, "val").to_coco(),
            lambda: check_dataset(manifest),
        ):
            try:
                use()
            except EsgError as error:
                assert "\n" not in str(error), (path, value)
