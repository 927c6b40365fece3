"""One of the processes that torchrun or ``srun`` started, before it turns to its work.

Run as ``python -m workbench.rank MODULE REQUEST``: sets the variables that torchrun would set from
Slurm's, shares out the cores, and goes on as ``python -m MODULE REQUEST``.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping

from workbench.processes import cores, die_with_parent

FIRST_PORT, PORTS = 20_000, 20_000


def from_slurm(slurm: Mapping[str, str]) -> dict[str, str]:
    """Return torchrun's variables for one task of an ``srun`` step.

    Args:
        slurm: The task's environment.
    """
    nodes = int(slurm.get("SLURM_STEP_NUM_NODES", slurm.get("SLURM_NNODES", "1")))
    step = 64 * int(slurm.get("SLURM_JOB_ID", "0")) + int(slurm.get("SLURM_STEP_ID", "0"))
    found = {
        "RANK": slurm["SLURM_PROCID"],
        "WORLD_SIZE": slurm.get("SLURM_STEP_NUM_TASKS", slurm["SLURM_NTASKS"]),
        "LOCAL_RANK": slurm.get("SLURM_LOCALID", "0"),
        "LOCAL_WORLD_SIZE": str(_tasks_here(slurm)),
        "MASTER_ADDR": "127.0.0.1" if nodes == 1 else _first_node(slurm),
        "MASTER_PORT": str(FIRST_PORT + step % PORTS),
        "ESG_LAUNCHER": "slurm",
    }
    return {name: slurm.get(name, value) if "MASTER" in name else value
            for name, value in found.items()}  # fmt: skip


def _tasks_here(slurm: Mapping[str, str]) -> int:
    """Return how many tasks share the cores that this one sees."""
    if "SLURM_CPUS_PER_TASK" in slurm:
        return max(1, cores() // int(slurm["SLURM_CPUS_PER_TASK"]))
    # "4(x2),3": tasks of the nodes in order, equal ones together. The largest is on the safe side.
    counts = slurm.get("SLURM_STEP_TASKS_PER_NODE", slurm.get("SLURM_NTASKS", "1")).split(",")
    return max(int(each.split("(")[0]) for each in counts)


def _first_node(slurm: Mapping[str, str]) -> str:
    names = slurm.get("SLURM_STEP_NODELIST", slurm["SLURM_NODELIST"])
    listed = subprocess.run(
        ["scontrol", "show", "hostnames", names], check=True, capture_output=True, text=True
    )
    return listed.stdout.split()[0]


def main(module: str, request: str) -> None:
    """Prepare the process and run the module in it."""
    die_with_parent()
    if "RANK" not in os.environ:
        os.environ.update(from_slurm(os.environ))
    share = max(1, cores() // int(os.environ["LOCAL_WORLD_SIZE"]))
    os.environ["OMP_NUM_THREADS"] = str(min(share, int(os.environ.get("OMP_NUM_THREADS", share))))
    sys.argv = [module, request]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
