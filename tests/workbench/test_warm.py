"""Stages in processes that start with MMDetection imported."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.warm import _receive, warm_python

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sent", [None, b"", b'{"arguments"'])
def test_a_caller_that_has_gone_asks_for_nothing(sent):
    caller, server = socket.socketpair()
    with caller:
        if sent is not None:
            socket.send_fds(caller, [(100).to_bytes(4, "big")], [0, 1, 2])
            caller.sendall(sent)
    with server:
        request, streams = _receive(server)
    for stream in streams:
        os.close(stream)
    assert (request, len(streams)) == ({}, 0 if sent is None else 3)


def test_a_request_comes_whole():
    body = json.dumps({"arguments": ["x" * 100_000]}).encode()
    caller, server = socket.socketpair()
    with caller, server:
        socket.send_fds(caller, [len(body).to_bytes(4, "big")], [0, 1, 2])
        caller.sendall(body)
        request, streams = _receive(server)
    for stream in streams:
        os.close(stream)
    assert request == json.loads(body)


@pytest.mark.slow
def test_a_warm_process_is_like_a_cold_one(tmp_path):
    (tmp_path / "params.yaml").write_text("scale: smoke\n")
    with warm_python(tmp_path / "warm") as path:
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "WORD": "said"}

        def run(*command):
            where = {"cwd": tmp_path, "env": environment}
            return subprocess.run(command, **where, capture_output=True, text=True)

        usage = run("python", "-m", "workbench.stages.table")
        assert usage.returncode == 2 and usage.stderr.startswith("usage: python -m workbench")
        other = run("python", "-c", "import os, sys; print(os.environ['WORD'], sys.executable)")
        assert other.stdout.split() == ["said", sys.executable]
        assert (
            run("sh", "-c", "python -m workbench.stages.table 2>&1 | wc -l").stdout.strip() == "1"
        )
