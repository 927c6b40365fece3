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
    """Parse ``name = value`` lines whose values are literals, ``dict(...)``, ``inf`` or ``nan``.

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
        except (ValueError, TypeError) as error:
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
    if isinstance(node, ast.Call):
        return _keywords(node)
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return float(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    return ast.literal_eval(node)


def _keywords(node: ast.Call) -> dict[str, Any]:
    """Return the value of ``dict(name=value, ...)`` or ``dict({...})``, as MMEngine writes them.

    Raises:
        ValueError: Any other call.
    """
    named = isinstance(node.func, ast.Name) and node.func.id == "dict"
    plain = all(isinstance(item, ast.Dict) for item in node.args) and len(node.args) <= 1
    if not named or not plain or any(item.arg is None for item in node.keywords):
        raise ValueError("a call")
    values = dict(_value(node.args[0])) if node.args else {}
    return values | {str(item.arg): _value(item.value) for item in node.keywords}
