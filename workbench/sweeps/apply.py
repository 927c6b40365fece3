"""The best values of a sweep into ``params.yaml``, whose comments and layout are kept."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from io import StringIO
from typing import Any

import yaml

from workbench.errors import BadInput, MissingInput
from workbench.files import write_text
from workbench.params import load_params
from workbench.paths import Layout, project_root
from workbench.sweeps.results import BEST_FILE

PARAMS = "params.yaml"


def apply_best(name: str, dry_run: bool = False) -> str:
    """Write a sweep's best values into ``params.yaml`` whole.

    Args:
        name: Of a sweep that has run at the scale of ``params.yaml``.
        dry_run: Change nothing.

    Returns:
        The difference as a unified diff; empty if the values are there already.

    Raises:
        MissingInput: The sweep has no result at this scale.
        BadInput: ``params.yaml`` lacks what the values belong to.
    """
    root = project_root()
    best = root / Layout(load_params(root)["scale"]).sweep(name) / BEST_FILE
    if not best.is_file():
        raise MissingInput(best, f"run it (`esg sweep {name}` or `dvc repro sweep@{name}`)")
    values = yaml.safe_load(best.read_text(encoding="utf-8"))["params"]
    path = root / PARAMS
    before = path.read_text(encoding="utf-8")
    after = merged_text(before, values)
    if not dry_run and after != before:
        write_text(path, after)
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"a/{PARAMS}", f"b/{PARAMS}", lineterm="", n=1
    )
    return "\n".join(lines)


def merged_text(text: str, values: Mapping[str, Any]) -> str:
    """Return YAML text with nested values merged in; all else stays as it is written.

    Raises:
        BadInput: The first two levels of ``values``, stage and key, are not in the text.
    """
    editor = _editor()
    content = editor.load(text)
    for stage, keys in values.items():
        for key, fields in keys.items():
            if key not in (content.get(stage) or {}):
                fix = "restore it, or correct `apply` in the sweep"
                raise BadInput(PARAMS, f"{stage}.{key}", "not there", fix)
            _merge(content[stage][key], fields)
    out = StringIO()
    editor.dump(content, out)
    return out.getvalue()


def _merge(into: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _editor() -> Any:
    """Return a YAML reader and writer that keeps comments, quotes and long lines."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes null and exponents so that PyYAML, which reads the file, understands them."""

    def represent_null(writer: Any, value: None) -> Any:
        return writer.represent_scalar("tag:yaml.org,2002:null", "null")

    def represent_float(writer: Any, value: float) -> Any:
        text = repr(value)
        if "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return writer.represent_scalar("tag:yaml.org,2002:float", text)

    Representer.add_representer(type(None), represent_null)
    Representer.add_representer(float, represent_float)
    editor = YAML()
    editor.Representer = Representer
    editor.preserve_quotes = True
    editor.width = 100_000
    return editor
