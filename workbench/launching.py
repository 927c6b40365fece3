"""How the work of training and prediction is started: `launch` of params.yaml.

``launcher`` is ``none`` (one process), ``torchrun`` (``processes`` on this machine) or ``slurm``
(``processes`` as tasks of one ``srun`` step, to which ``srun`` gives further arguments).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from workbench.errors import BadInput
from workbench.processes import cores

LAUNCHERS = ("none", "torchrun", "slurm")
# Seconds in which processes that are asked to stop may save their state.
SAVING_S = 600


@dataclass(frozen=True)
class Launch:
    """How processes are started.

    Attributes:
        launcher: One of ``LAUNCHERS``.
        processes: How many in all, a GPU each where there are GPUs.
        srun: Further arguments of ``srun``.
    """

    launcher: str = "none"
    processes: int = 1
    srun: tuple[str, ...] = ()

    @property
    def distributed(self) -> bool:
        return self.launcher != "none"

    def command(self, module: str, request: str) -> list[str]:
        """Return the command that runs ``python -m module request`` in every process."""
        if self.launcher == "torchrun":
            options = ["--standalone", f"--nproc-per-node={self.processes}"]
            options.append(f"--shutdown-timeout={SAVING_S}")
            entry = ["-m", "workbench.rank", module, request]
            return [sys.executable, "-m", "workbench.torchrun", *options, *entry]
        if self.launcher == "slurm":
            options = [f"--ntasks={self.processes}", "--kill-on-bad-exit=1", *self.srun]
            return ["srun", *options, sys.executable, "-m", "workbench.rank", module, request]
        return [sys.executable, "-m", module, request]


ALONE = Launch()


def launch_of(params: dict[str, Any]) -> Launch:
    """Return what ``launch`` of ``params.yaml`` says; one process if it says nothing.

    Raises:
        BadInput: An unknown field or launcher, or a number of processes that does not fit it.
    """
    given = params.get("launch") or {}
    known = set(Launch.__dataclass_fields__)
    if not isinstance(given, dict) or set(given) - known:
        fix = f"give {', '.join(sorted(known))} only"
        raise BadInput("params.yaml", "launch", repr(given), fix)
    launcher, processes = given.get("launcher", "none"), given.get("processes", 1)
    if launcher not in LAUNCHERS:
        fix = f"use one of {', '.join(LAUNCHERS)}"
        raise BadInput("params.yaml", "launch.launcher", repr(launcher), fix)
    if type(processes) is not int or processes < 1:
        raise BadInput("params.yaml", "launch.processes", repr(processes), "give a number from 1")
    if launcher == "none" and processes > 1:
        fix = "name torchrun or slurm as launch.launcher, or 1 process"
        raise BadInput("params.yaml", "launch.processes", f"{processes} without launcher", fix)
    srun = given.get("srun") or []
    if not isinstance(srun, list) or not all(isinstance(each, str) for each in srun):
        fix = "give a list of arguments, e.g. [--gpus-per-task=1]"
        raise BadInput("params.yaml", "launch.srun", repr(srun), fix)
    return Launch(launcher, processes, tuple(srun))


def environment(launch: Launch) -> dict[str, str]:
    """Return the environment of launched processes: libraries say what is an error, no more."""
    variables = {"TORCH_CPP_LOG_LEVEL": "ERROR", **os.environ}
    if launch.launcher == "torchrun":
        # Torchrun would set 1.
        variables.setdefault("OMP_NUM_THREADS", str(max(1, cores() // launch.processes)))
    return variables
