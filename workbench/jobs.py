"""One seed's work in a process of its own, or in several: a request file in, a result file out.

A process of its own gives each seed its own peak memory and libraries' state. Of several, the first
writes the result, and the first that fails says why: the others' errors follow from it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar

from workbench.errors import AlreadyReported, BadInput, EsgError, Interrupted, MissingInput
from workbench.files import write_json, write_text
from workbench.launching import ALONE, Launch, environment
from workbench.paths import project_root, store_root
from workbench.processes import run_forwarding_signals
from workbench.shards import leave

# Exit codes that a shell, torchrun and srun give for a process that a signal ended.
ENDED = {128 + number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)}


class Job(Protocol):
    """A dataclass whose fields fit into JSON.

    Attributes:
        title: For messages, e.g. ``cropformer seed 0``.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def title(self) -> str: ...


JobT = TypeVar("JobT", bound=Job)


def run_job(module: str, job: Job, launch: Launch = ALONE) -> dict[str, Any]:
    """Run ``python -m module REQUEST``, in as many processes as told, and return its result.

    Raises:
        AlreadyReported: Bad or missing input; the process has said which.
        Interrupted: It was asked to stop, or one of its processes was ended by a signal.
        EsgError: It failed.
    """
    # Slurm's processes may be on other machines: they share the project's folder only.
    shared = store_root() / "work_dirs" if launch.distributed else None
    if shared:
        shared.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="esg-job-", dir=shared) as folder:
        request = Path(folder) / "job.json"
        write_json(request, asdict(job))
        command = launch.command(module, str(request))
        code, signalled = run_forwarding_signals(command, environment(launch))
        if code != 0:
            _raise(job.title, code, signalled, _error_of(request))
        result: dict[str, Any] = json.loads(_result_of(request).read_text(encoding="utf-8"))
        return result


def _raise(title: str, code: int, signalled: bool, said: Path) -> NoReturn:
    """Raise what an exit code and the error of a distributed job's process, if any, stand for."""
    if said.is_file():
        error: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
        if error["exit_code"] == Interrupted.exit_code:
            raise Interrupted(f"{title}: {error['line']}")
        print(f"error: {title}: {error['line']}", file=sys.stderr, flush=True)
        raise AlreadyReported(error["exit_code"])
    if code < 0 or code in ENDED:
        number = -code if code < 0 else code - 128
        raise Interrupted(
            f"{title}: a process was ended by signal {number}; the same command goes on or anew"
        )
    if signalled or code == Interrupted.exit_code:
        raise Interrupted(f"{title}: interrupted; the same command resumes")
    if code in (BadInput.exit_code, MissingInput.exit_code):
        raise AlreadyReported(code)
    raise EsgError(f"{title}: ended with exit code {code}; see the lines above")


def answer_job(
    arguments: list[str],
    kind: type[JobT],
    work: Callable[[JobT, Callable[[str], None]], dict[str, Any]],
) -> int:
    """Do the work of a request file, the process's side of :func:`run_job`.

    Args:
        arguments: The command line's, the path of the request.
        kind: Dataclass of the job.
        work: From the job and a function for lines to the result.

    Returns:
        Exit code; errors of the user end in one line.
    """
    request = Path(arguments[0])
    os.chdir(project_root())
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return _answer_in_rank(request, kind, work)
    try:
        result = work(_read(request, kind), lambda line: print(line, flush=True))
    except Interrupted as error:
        print(error, flush=True)
        return error.exit_code
    except EsgError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_json(_result_of(request), result)
    return 0


def _answer_in_rank(
    request: Path,
    kind: type[JobT],
    work: Callable[[JobT, Callable[[str], None]], dict[str, Any]],
) -> int:
    """Do the work in one of several processes."""
    first = os.environ["RANK"] == "0"
    try:
        result = work(_read(request, kind), lambda line: print(line, flush=True) if first else None)
    except EsgError as error:
        _tell_error(request, str(error), error.exit_code)
        return error.exit_code
    # Whatever went wrong, the user gets a line and the traceback goes to a file.
    except Exception as error:
        if not _is_lost_connection(error):
            _tell_error(request, _described(error), EsgError.exit_code)
        return EsgError.exit_code
    if first:
        write_json(_result_of(request), result)
    leave()
    return 0


def _described(error: Exception) -> str:
    """Write the traceback and return one line about an error."""
    rank = os.environ["RANK"]
    log = store_root() / "work_dirs" / f"error-rank-{rank}.txt"
    write_text(log, traceback.format_exc())
    reason = (str(error).strip() or "no message").splitlines()[0]
    return f"process {rank}: {type(error).__name__}: {reason}; the traceback is in {log}"


def _is_lost_connection(error: Exception) -> bool:
    """Whether an error says no more than that another process is gone."""
    import torch

    return isinstance(error, torch.distributed.DistError) or "gloo/" in str(error)


def _tell_error(request: Path, line: str, exit_code: int) -> None:
    """Leave an error for the process that waits, unless another process was first."""
    with contextlib.suppress(FileExistsError), _error_of(request).open("x") as stream:
        json.dump({"line": line, "exit_code": exit_code}, stream)


def _read(request: Path, kind: type[JobT]) -> JobT:
    return kind(**json.loads(request.read_text(encoding="utf-8")))


def _result_of(request: Path) -> Path:
    return request.with_suffix(".result.json")


def _error_of(request: Path) -> Path:
    return request.with_suffix(".error.json")
