"""Counts of named components, each made once, and the registries that configs build them from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.registry import Registry

from workbench.costs.count import Component, Count
from workbench.engine.meta import on_meta_device
from workbench.errors import BadInput

# Functions that return a Component, and functions that return a sentence about a row.
COMPONENTS = Registry("cost component", scope="workbench")
REMARKS = Registry("cost remark", scope="workbench")


class Ledger:
    """Counts the components of a config when they are asked for.

    Args:
        components: Name to ``type``, a function of ``COMPONENTS``, and its arguments.
        source: The config's file, for errors.
    """

    def __init__(self, components: Mapping[str, Mapping[str, Any]], source: Path) -> None:
        self.components, self.source = components, source
        self._counts: dict[str, Count] = {}

    def count(self, name: str, **changes: Any) -> Count:
        """Return a component's count, with some of its arguments changed.

        Raises:
            BadInput: No such component, or its type or arguments are unknown.
        """
        if name not in self.components:
            known = ", ".join(sorted(self.components))
            raise BadInput(self.source, f"components.{name}", "missing", f"use one of: {known}")
        entry = {**self.components[name], **changes}
        key = json.dumps(entry, sort_keys=True)
        if key not in self._counts:
            self._counts[key] = Count(self._build(name, entry))
        return self._counts[key]

    def _build(self, name: str, entry: Mapping[str, Any]) -> Component:
        arguments = dict(entry)
        where = f"components.{name}"
        build = registered(COMPONENTS, arguments.pop("type"), self.source, where)
        with on_meta_device():
            component: Component = build(**arguments)
        return component


def registered(registry: Registry, name: str, source: Path, where: str) -> Callable[..., Any]:
    """Return a registered function.

    Raises:
        BadInput: There is none of that name.
    """
    found = registry.module_dict.get(name)
    if found is None:
        known = (
            ", ".join(sorted(registry.module_dict)) or "none: name their module in custom_imports"
        )
        raise BadInput(source, f"{where}.type", repr(name), f"use one of: {known}")
    return found
