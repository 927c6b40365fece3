"""What ``dvc.lock`` recorded, read while DVC may be writing it."""

import time
from types import SimpleNamespace

import pytest

from workbench.errors import BadInput
from workbench.pipeline.changes import LOCK, Workspace

WHOLE, HALF = "stages:\n  one:\n    cmd: echo\n", "stages:\n  one:\n    cmd: 'ec"


def test_a_lock_file_that_is_being_written_is_read_again(tmp_path, monkeypatch):
    workspace = Workspace(SimpleNamespace(root_dir=tmp_path))
    (tmp_path / LOCK).write_text(HALF)
    monkeypatch.setattr(time, "sleep", lambda seconds: (tmp_path / LOCK).write_text(WHOLE))
    assert workspace.locked == {"one": {"cmd": "echo"}}


def test_a_broken_lock_file_is_named(tmp_path, monkeypatch):
    (tmp_path / LOCK).write_text(HALF)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(BadInput, match=r"dvc\.lock: YAML"):
        assert Workspace(SimpleNamespace(root_dir=tmp_path)).locked
