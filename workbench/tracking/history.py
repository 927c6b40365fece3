"""Curves of finished runs, for those who draw them elsewhere than in MLflow's UI."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from workbench.tracking.store import open_store, tracking_uri

Curve = list[tuple[int, float]]
SQLITE = "sqlite:///"
_POINTS = "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step, timestamp"


def curves(root: Path, runs: Iterable[str], metric: str) -> dict[str, Curve]:
    """Return a metric's points (step, value) by run; runs that the store does not know are absent.

    A database file is read as it is, which takes milliseconds: MLflow's client would take seconds
    to import. A store that cannot be read counts as one that knows nothing.
    """
    uri = tracking_uri(root)
    try:
        if uri.startswith(SQLITE):
            found = _of_file(Path(uri.removeprefix(SQLITE)), runs, metric)
        else:
            found = _of_server(root, runs, metric)
    # Whatever is wrong with the tracking store, a report is made without it.
    except Exception:
        return {}
    return {run: curve for run, curve in found.items() if curve}


def _of_file(database: Path, runs: Iterable[str], metric: str) -> dict[str, Curve]:
    if not database.is_file():
        return {}
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return {run: connection.execute(_POINTS, (run, metric)).fetchall() for run in runs}


def _of_server(root: Path, runs: Iterable[str], metric: str) -> dict[str, Curve]:
    client = open_store(root)
    known = {}
    for run in runs:
        history = client.get_metric_history(run, metric)
        known[run] = sorted((point.step, point.value) for point in history)
    return known
