"""Python processes that start with MMDetection already imported.

Importing it takes 5 to 20 s, which for stages of a few seconds is most of their time. A server
imports once and forks a child for each ``python -m workbench...`` that a shim named ``python`` on
the ``PATH`` is asked for; the child runs in the caller's folder, environment, streams and process
group. Anything else the shim passes on to the real interpreter. The code is that of the server's
start: for runs of fresh code only.

    with warm_python(folder) as path: subprocess.run(command, env=os.environ | {"PATH": path})
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.processes import die_with_parent

PRELOADED = (
    "workbench.engine.session",  # first: it brings the stand-in for mmcv's operators
    "workbench.engine.transforms",
    "workbench.metrics.entity_ap",
    "workbench.segmentation.segmenter",
    "workbench.grounding.grounder",
    "projects.cropformer",
    "projects.baselines",
    "projects.mask2former",
    "projects.gella",
    "projects.gella.pretrain",
    # What these import only when they are used.
    "mmdet.engine",
    "mmdet.evaluation",
    "mmdet.models",
    "mmdet.visualization",
    "mmengine.runner",
    "mlflow.store.db.utils",
    "mlflow.store.tracking.sqlalchemy_store",
    "sqlalchemy.dialects.sqlite",
    "yapf.yapflib.yapf_api",
)
# Modules that need none of these: they do not wait for the server's start.
LIGHT = ("workbench.stages.prep",)
READY = "ready"
POLL_S = 0.02
SHIM = """#!{python} -IS
import json, os, signal, socket, struct, sys

REAL, FOLDER, LIGHT = {python!r}, {folder!r}, {light!r}
arguments = sys.argv[1:]
ours = arguments[:1] == ["-m"] and len(arguments) > 1 and arguments[1].startswith("workbench.")
waits = arguments[1:2] == [] or arguments[1] not in LIGHT or os.path.exists(FOLDER + "/{ready}")
if not ours or not waits:
    os.execv(REAL, [REAL, *arguments])
server = socket.socket(socket.AF_UNIX)
here = os.getcwd()
os.chdir(FOLDER)
server.connect("socket")
os.chdir(here)
request = {{"arguments": arguments[1:], "folder": here, "environment": dict(os.environ)}}
request["group"] = os.getpgrp()
message = json.dumps(request).encode()
socket.send_fds(server, [struct.pack("!I", len(message))], [0, 1, 2])
server.sendall(message)
reply = server.makefile("r")
child = reply.readline()
if not child:
    sys.exit("python: the server of warm processes has ended")
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda signum, frame: os.kill(int(child), signum))
code = int(reply.readline() or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextlib.contextmanager
def warm_python(folder: Path) -> Iterator[str]:
    """Run a server while the block runs, and give a ``PATH`` that begins with its shim.

    The server may still be importing when the block begins: what is run waits for it.

    Args:
        folder: Made for the socket and the shim.
    """
    binaries = folder / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    (folder / READY).unlink(missing_ok=True)
    shim = binaries / "python"
    text = SHIM.format(python=sys.executable, folder=str(folder), light=LIGHT, ready=READY)
    shim.write_text(text, encoding="utf-8")
    shim.chmod(0o755)
    # A process in which CUDA was asked for the usual way cannot be forked for use with CUDA.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    with _listen(folder) as listener:
        number = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "workbench.warm", str(folder), str(number)],
            env=environment,
            pass_fds=[number],
            # Out of the terminal's group: Ctrl-C is for the stages, which may want to save.
            process_group=0,
            preexec_fn=die_with_parent,
        )
    try:
        real = Path(sys.executable).parent
        yield os.pathsep.join([str(binaries), str(real), os.environ.get("PATH", "")])
    finally:
        server.terminate()
        server.wait()


def _listen(folder: Path) -> socket.socket:
    """Return a socket in a folder; its path is short, as a Unix socket's has some 100 bytes."""
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(folder):
        Path("socket").unlink(missing_ok=True)
        listener.bind("socket")
    listener.listen()
    return listener


def serve(listener: socket.socket) -> dict[str, Any]:
    """Serve until terminated; returns in each forked child, with what that child is to run."""
    # The imported modules stay as they are: children then share their memory and end fast.
    gc.freeze()
    callers: dict[int, socket.socket] = {}
    while True:
        if select.select([listener], [], [], POLL_S)[0]:
            caller, _ = listener.accept()
            request, streams = _receive(caller)
            child = os.fork() if request and _is_there(caller) else None
            if child == 0:
                listener.close()
                _become(request, streams)
                return request
            for stream in streams:
                os.close(stream)
            if child:
                callers[child] = caller
                with contextlib.suppress(OSError):
                    caller.sendall(f"{child}\n".encode())
        _report(callers)


def _receive(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the caller's three streams; an empty one if the caller has gone."""
    head, streams, _, _ = socket.recv_fds(caller, 4, 3)
    length, body = int.from_bytes(head, "big"), b""
    while len(body) < length:
        part = caller.recv(length - len(body))
        if not part:
            return {}, list(streams)
        body += part
    request: dict[str, Any] = json.loads(body or b"{}")
    return request, list(streams)


def _is_there(caller: socket.socket) -> bool:
    """Whether the caller still waits: it may have been told to stop meanwhile."""
    try:
        return caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Take on the caller's streams, process group, folder and environment."""
    die_with_parent()
    with contextlib.suppress(OSError):  # the caller has gone, or is of another session
        os.setpgid(0, request["group"])
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


def run(request: dict[str, Any], shim: Path) -> int:
    """Run a request's module as ``__main__`` and return its exit code.

    Processes that it starts are warm as well.
    """
    sys.executable = str(shim)
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # as the interpreter does at its top
        traceback.print_exc()
        return 1
    return 0


class _Exit:
    """Ends the process without taking down the modules, which takes two seconds.

    Made before all others are registered, it is called after them.
    """

    def __init__(self) -> None:
        self.code = 1
        atexit.register(self.leave)

    def leave(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.code)


def main() -> None:
    """Import, serve, and in a child run what was asked for."""
    ending = _Exit()
    folder = Path(sys.argv[1]).resolve()
    listener = socket.socket(fileno=int(sys.argv[2]))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        for name in PRELOADED:
            importlib.import_module(name)
    (folder / READY).touch()
    ending.code = run(serve(listener), folder / "bin" / "python")


if __name__ == "__main__":
    main()
