"""YAML as DVC reads it."""

import math

import pytest
from dvc.utils.serialize import parse_yaml_for_update

from workbench.errors import BadInput
from workbench.files import read_yaml

TEXT = """
numbers: [1e-4, 2.5E+3, .5, 5., -1.0, 7, -.inf, 0.1]
words: [on, yes, No, 1e, e4, 1.2.3, "1e-4"]
truths: [true, False]
nothing: [null, ~]
"""


def test_numbers_and_words_are_those_of_dvc(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    found = read_yaml(path)
    assert found == parse_yaml_for_update(TEXT, path)
    assert found["numbers"][:2] == [0.0001, 2500.0] and found["numbers"][6] == -math.inf


@pytest.mark.parametrize(("text", "field"), [("a: [", "YAML"), ("- 1", "top level")])
def test_what_cannot_be_read(tmp_path, text, field):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=field):
        read_yaml(path)
    path.write_text("")
    assert read_yaml(path) == {}
