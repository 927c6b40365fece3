"""Stand-in for mmcv's compiled operators, so that MMDetection imports without them.

The models of this project run on PyTorch code paths on CPU; compiling all operators of mmcv takes
many minutes. Those that Mask R-CNN calls are in ``box_ops``; ``make ops`` compiles all.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

WRITTEN_IN_PYTORCH = ("nms", "roi_align_forward", "roi_align_backward")


class MissingOpError(RuntimeError):
    """A compiled mmcv operator was called, and mmcv was installed without them."""

    def __init__(self, name: str) -> None:
        super().__init__(f"mmcv op '{name}' is not compiled here; run `make ops` once to build it")


class _StandIn(ModuleType):
    """Module that answers any attribute with a function, most of which raise MissingOpError."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in WRITTEN_IN_PYTORCH:
            written: Callable[..., Any] = getattr(
                importlib.import_module("workbench.engine.box_ops"), name
            )
            return written

        def missing(*args: Any, **kwargs: Any) -> Any:
            raise MissingOpError(name)

        return missing


def has_compiled_ops() -> bool:
    """Whether mmcv was built with its compiled operators."""
    if isinstance(sys.modules.get("mmcv._ext"), _StandIn):
        return False
    return importlib.util.find_spec("mmcv._ext") is not None


def ensure_mmcv_ops() -> None:
    """Register the stand-in as ``mmcv._ext`` unless the compiled module is there."""
    if "mmcv._ext" not in sys.modules and not has_compiled_ops():
        stand_in = _StandIn("mmcv._ext")
        # MMEngine asks for the module's spec before it builds an optimizer.
        stand_in.__spec__ = ModuleSpec("mmcv._ext", loader=None)
        sys.modules["mmcv._ext"] = stand_in
