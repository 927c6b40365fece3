"""The config inside a checkpoint is parsed, never run."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from workbench.errors import BadInput
from workbench.segmentation.config_text import config_of, parse_config

PATH = Path("weights.pth")


def test_reads_what_mmengine_writes() -> None:
    content = {
        "model": {"type": "A", "size": (1, 2), "ratio": -0.5, "none": None, "keep": True},
        "steps": [{"type": "B", "scales": [(1, 2), (3, 4)]}],
        "limit": float("inf"),
        "names": {"a.b": {"lr_mult": 0.1}, "1": "x'y"},
        "empty": {},
    }
    assert parse_config(Config(content).pretty_text, PATH) == content


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = __import__('os').getcwd()",
        "a = open('x')",
        "a = dict(**{'b': 1})",
        "a = [b for b in 'cd']",
        "a.b = 1",
        "a = dict(",
        "a = unknown",
        "a = {**{}}",
        "print('x')",
    ],
)
def test_refuses_code(text: str) -> None:
    with pytest.raises(BadInput, match=r"weights\.pth: meta\.config") as caught:
        parse_config(text, PATH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, {"meta": 1}, {"meta": {}}, {"meta": {"config": 3}}])
def test_no_config(content: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="no config inside"):
        config_of(content, PATH)
