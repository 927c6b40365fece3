"""mmcv's operators: stand-in where they are not compiled."""

import sys

import pytest

from workbench.engine import ops

pytestmark = pytest.mark.skipif(ops.has_compiled_ops(), reason="operators are compiled here")


def test_mmdetection_imports_without_compiled_operators():
    import mmdet.models  # noqa: F401

    assert not ops.has_compiled_ops()


def test_a_called_operator_is_named_with_the_fix():
    import torch
    from mmcv.ops import soft_nms

    boxes, scores = torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([1.0])
    with pytest.raises(ops.MissingOpError, match=r"'softnms' is not compiled.*`make ops`"):
        soft_nms(boxes, scores, 0.5)


def test_a_compiled_module_is_not_replaced(monkeypatch):
    compiled = object()
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)
    ops.ensure_mmcv_ops()
    assert sys.modules["mmcv._ext"] is compiled


def test_the_stand_in_answers_no_special_names():
    with pytest.raises(AttributeError):
        sys.modules["mmcv._ext"].__path__  # noqa: B018
