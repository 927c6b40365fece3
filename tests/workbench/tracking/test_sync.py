from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import EsgError
from workbench.tracking.journal import Journal
from workbench.tracking.mlflow_run import RunIdentity, open_run
from workbench.tracking.store import tracking_uri
from workbench.tracking.sync import sync

IDENTITY = RunIdentity("train", "toy", 0, "toys")


@pytest.fixture
def waiting(root: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """The journal of a run that ended without a store."""
    (root / "params.yaml").write_text("scale: smoke\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run = open_run(root, IDENTITY, root / "work_dirs" / "abc", lambda line: None)
    run.log_metrics({"train/loss": 1.0}, 1)
    run.close("FINISHED")
    assert run.run_id is None
    return run.journal


def test_store_that_is_still_away_loses_nothing(root: Path, waiting: Journal) -> None:
    with pytest.raises(EsgError, match="http://127.0.0.1:9: does not answer"):
        sync(root)
    assert waiting.pending() == 3


def test_present_store_gets_what_another_one_missed(
    root: Path, waiting: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    done = sync(root)
    assert (done.store, done.records, len(done.runs)) == (tracking_uri(root), 3, 1)
    assert sync(root).records == 0


def test_run_under_way_is_left_to_its_process(
    root: Path, waiting: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert waiting.claim()
    done = sync(root)
    assert (done.records, done.live) == (0, 1)
