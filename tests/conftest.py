"""What no test may leave behind for the next."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def default_scope() -> Iterator[None]:
    """Forget the default scope that a runner of the test has set: names are looked up by it."""
    yield
    if registry := sys.modules.get("mmengine.registry"):
        registry.DefaultScope._instance_dict.clear()
