"""Reading the config text inside a checkpoint without running it.

A flattened MMEngine config is Python, and MMEngine reads it by running it. A checkpoint may come
from anywhere, so here it is parsed instead: assignments of plain values are all it needs.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput

if TYPE_CHECKING:
    from mmengine.config import Config

FIX = "use a checkpoint that the train stage or `esg convert` wrote"


def config_of(content: dict[str, Any], path: Path) -> Config:
    """Return the config that a checkpoint carries.

    Args:
        content: The checkpoint, with ``meta.config``.
        path: Its file, for errors.

    Raises:
        BadInput: No config inside, or one that is more than plain values.
    """
    from mmengine.config import Config

    meta = content.get("meta")
    text = meta.get("config") if isinstance(meta, dict) else None
    if not isinstance(text, str):
        raise BadInput(path, "meta.config", "no config inside", FIX)
    return Config(parse_config(text, path))


def parse_config(text: str, path: Path) -> dict[str, Any]:
    """Parse ``name = value`` lines with values of literals, ``dict(...)`` and ``float('inf')``.

    Raises:
        BadInput: Not such lines.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise BadInput(path, "meta.config", f"cannot be parsed ({error})", FIX) from error
    values: dict[str, Any] = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            problem = f"line {statement.lineno} is not an assignment"
            raise BadInput(path, "meta.config", problem, FIX)
        try:
            values[statement.targets[0].id] = _value(statement.value)
        except ValueError as error:
            problem = f"line {statement.lineno}: {str(error).splitlines()[0]}"
            raise BadInput(path, "meta.config", problem, FIX) from error
    return values


def _value(node: ast.expr) -> Any:
    """Return a node's value; ValueError where it is more than a plain value."""
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError("** in a dict")
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _call(node, node.func.id)
    return ast.literal_eval(node)


def _call(node: ast.Call, name: str) -> Any:
    if name == "dict" and not node.args and all(item.arg for item in node.keywords):
        return {str(item.arg): _value(item.value) for item in node.keywords}
    if name == "float" and len(node.args) == 1 and not node.keywords:
        return float(_value(node.args[0]))
    raise ValueError(f"a call of {name}")
