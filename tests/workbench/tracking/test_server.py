"""A real MLflow server that is killed in the middle of a training: nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.tracking.mlflow_run import RunIdentity, open_run
from workbench.tracking.store import open_store
from workbench.tracking.sync import sync

pytestmark = pytest.mark.slow

STEPS = 200
START_S = 300


class Server:
    """``mlflow server`` on a database and a folder, with a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        database, files = self.folder / "mlflow.db", self.folder / "files"
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{database}"]
        command += ["--artifacts-destination", str(files)]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            command,
            env=os.environ | quiet,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline and self.process.poll() is None, "no server"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path, empty_database: bytes) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database)
    made = Server(folder)
    made.start()
    yield made
    made.kill()


def test_server_killed_in_the_middle_of_a_training(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    root, lines = tmp_path / "checkout", []
    root.mkdir()
    (root / "params.yaml").write_text("scale: smoke\n")
    identity = RunIdentity("train", "toy", 0, "toys", "f" * 64, {"esg.scale": "smoke"})
    run = open_run(root, identity, root / "work_dirs" / "abc", lines.append)
    for step in range(STEPS):
        if step == STEPS // 2:
            run._try()
            server.kill()
        run.log_metrics({"train/loss": 1 / (step + 1), "train/lr": 0.1}, step)
    config = root / "config.py"
    config.write_text("lr = 0.1")
    run.log_artifact(config)
    began = time.monotonic()
    run.close("FINISHED")
    waited = time.monotonic() - began
    waiting = run.journal.pending()
    assert waiting >= STEPS // 2 and len(lines) == 1 and waited < 60
    server.start()
    assert sync(root).records == waiting
    assert sync(root).records == 0
    client = open_store(root)
    for name in ("train/loss", "train/lr"):
        points = client.get_metric_history(run.run_id, name)
        assert sorted(point.step for point in points) == list(range(STEPS))
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(run.run_id)] == ["config.py"]
