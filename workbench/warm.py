"""Python processes that start with MMDetection already imported.

Importing it takes 5 to 20 s, which for stages of a few seconds is most of their time. A server
imports once and forks a child for each ``python -m workbench...`` that a shim named ``python`` on
the ``PATH`` is asked for; the child runs in the caller's folder, environment and streams. Anything
else the shim passes on to the real interpreter.

    with warm_python(folder) as path: subprocess.run(command, env=os.environ | {"PATH": path})
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PRELOADED = (
    "workbench.engine.session",  # first: it brings the stand-in for mmcv's operators
    "mmdet.models",
    "mlflow",
    "workbench.segmentation.segmenter",
    "workbench.grounding.grounder",
    "projects.cropformer",
    "projects.baselines",
    "projects.gella",
    "projects.gella.pretrain",
)
READY = "ready"
START_TIMEOUT_S = 180
# A file, so that paths of any length fit: a Unix socket's are limited to some 100 characters.
SHIM = """#!{python} -IS
import json, os, signal, socket, struct, sys

REAL, FOLDER = {python!r}, {folder!r}
arguments = sys.argv[1:]
if arguments[:1] != ["-m"] or not arguments[1:2] or not arguments[1].startswith("workbench."):
    os.execv(REAL, [REAL, *arguments])
server = socket.socket(socket.AF_UNIX)
here = os.getcwd()
os.chdir(FOLDER)
server.connect("socket")
os.chdir(here)
request = {{"arguments": arguments[1:], "folder": here, "environment": dict(os.environ)}}
message = json.dumps(request).encode()
socket.send_fds(server, [struct.pack("!I", len(message))], [0, 1, 2])
server.sendall(message)
reply = server.makefile("r")
child = int(reply.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda signum, frame: os.kill(child, signum))
line = reply.readline()
sys.exit(int(line) if line else 1)
"""


@contextlib.contextmanager
def warm_python(folder: Path) -> Iterator[str]:
    """Run a server while the block runs, and give a ``PATH`` that begins with its shim.

    Args:
        folder: Made for the socket and the shim.

    Raises:
        RuntimeError: The server did not come up; it has said why.
    """
    binaries = folder / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    shim = binaries / "python"
    shim.write_text(SHIM.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
    shim.chmod(0o755)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "workbench.warm", str(folder)]
    server = subprocess.Popen(command, env=environment)
    try:
        _wait(server, folder / READY)
        real = Path(sys.executable).parent
        yield os.pathsep.join([str(binaries), str(real), os.environ.get("PATH", "")])
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], ready: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the warm Python server did not start")
        time.sleep(0.1)


def serve(folder: Path) -> dict[str, Any]:
    """Serve until terminated; returns in each forked child, with what that child is to run."""
    os.chdir(folder)
    Path("socket").unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    Path(READY).touch()
    callers: dict[int, socket.socket] = {}
    while True:
        if select.select([server], [], [], 0.02)[0]:
            caller, _ = server.accept()
            request, streams = _receive(caller)
            child = os.fork()
            if child == 0:
                server.close()
                _become(request, streams)
                return request
            for stream in streams:
                os.close(stream)
            caller.sendall(f"{child}\n".encode())
            callers[child] = caller
        _report(callers)


def _receive(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the caller's three streams."""
    head, streams, _, _ = socket.recv_fds(caller, 4, 3)
    length, body = int.from_bytes(head, "big"), b""
    while len(body) < length:
        body += caller.recv(length - len(body))
    request: dict[str, Any] = json.loads(body)
    return request, list(streams)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on the caller's streams, folder and environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])


def _report(callers: dict[int, socket.socket]) -> None:
    """Tell callers the exit codes of children that ended."""
    while callers:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        caller = callers.pop(child)
        with contextlib.suppress(OSError):
            caller.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        caller.close()


def run(request: dict[str, Any], shim: Path) -> None:
    """Run a request's module as ``__main__``; processes that it starts are warm as well."""
    sys.executable = str(shim)
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.modules.pop(module, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, serve, and in a child run what was asked for."""
    folder = Path(sys.argv[1]).resolve()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        for name in PRELOADED:
            importlib.import_module(name)
    run(serve(folder), folder / "bin" / "python")


if __name__ == "__main__":
    main()
