"""One seed's work in a process of its own: a request file in, a result file beside it out.

A process of its own gives each seed its own peak memory and libraries' state.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from workbench.errors import AlreadyReported, BadInput, EsgError, Interrupted, MissingInput
from workbench.files import write_json
from workbench.paths import project_root
from workbench.processes import die_with_parent


class Job(Protocol):
    """A dataclass whose fields fit into JSON.

    Attributes:
        title: For messages, e.g. ``cropformer seed 0``.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def title(self) -> str: ...


JobT = TypeVar("JobT", bound=Job)


def run_job(module: str, job: Job) -> dict[str, Any]:
    """Run ``python -m module REQUEST`` and return its result.

    Raises:
        AlreadyReported: Bad or missing input; the process has said which.
        Interrupted: The process was ended by a signal.
        EsgError: It failed.
    """
    with tempfile.TemporaryDirectory(prefix="esg-job-") as folder:
        request = Path(folder) / "job.json"
        write_json(request, asdict(job))
        command = [sys.executable, "-m", module, str(request)]
        code = subprocess.run(command, check=False, preexec_fn=die_with_parent).returncode
        if code < 0:
            raise Interrupted(f"{job.title}: ended by signal {-code}; the same command starts anew")
        if code in (BadInput.exit_code, MissingInput.exit_code):
            raise AlreadyReported(code)
        if code != 0:
            raise EsgError(f"{job.title}: ended with exit code {code}; see the lines above")
        result: dict[str, Any] = json.loads(_result_of(request).read_text(encoding="utf-8"))
        return result


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
    try:
        job = kind(**json.loads(request.read_text(encoding="utf-8")))
        result = work(job, lambda line: print(line, flush=True))
    except EsgError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_json(_result_of(request), result)
    return 0


def _result_of(request: Path) -> Path:
    return request.with_suffix(".result.json")
