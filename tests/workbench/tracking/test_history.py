"""Curves of finished runs."""

import sqlite3

from workbench.tracking.history import curves


def store(root, points):
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute(
            "CREATE TABLE metrics (run_uuid TEXT, key TEXT, step INT, value REAL, timestamp INT)"
        )
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, 0)", points)


def test_points_by_step(tmp_path):
    points = [("a", "loss", 20, 0.5), ("a", "loss", 10, 1.0), ("a", "lr", 10, 9.0)]
    store(tmp_path, [*points, ("b", "loss", 10, 7.0)])
    assert curves(tmp_path, ["a", "none"], "loss") == {"a": [(10, 1.0), (20, 0.5)]}


def test_no_store_and_a_broken_one_know_nothing(tmp_path):
    assert curves(tmp_path, ["a"], "loss") == {}
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.db").write_text("not a database")
    assert curves(tmp_path, ["a"], "loss") == {}


def test_a_store_of_mlflow_s_own_is_read(tmp_path):
    from workbench.tracking.store import open_store

    client = open_store(tmp_path)
    run = client.create_run("0").info.run_id
    client.log_metric(run, "loss", 1.5, step=3)
    assert curves(tmp_path, [run], "loss") == {run: [(3, 1.5)]}
