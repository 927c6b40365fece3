#!/usr/bin/env python3
"""Stand-in for Slurm's ``srun``: starts the tasks here, with the variables that srun sets."""

import os
import subprocess
import sys
import time

options = [each for each in sys.argv[1:] if each.startswith("--")]
command = sys.argv[1 + len(options) :]
count = int(next(each.split("=")[1] for each in options if each.startswith("--ntasks=")))
assert "--kill-on-bad-exit=1" in options
with open(os.environ["SRUN_LOG"], "w") as stream:
    print(*options, file=stream)
step = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_ID": "0", "SLURM_NTASKS": str(count)}
step |= {"SLURM_NNODES": "1", "SLURM_NODELIST": "here", "SLURM_STEP_TASKS_PER_NODE": str(count)}
tasks = [
    subprocess.Popen(
        command, env={**os.environ, **step, "SLURM_PROCID": str(n), "SLURM_LOCALID": str(n)}
    )
    for n in range(count)
]
codes = [None] * count
while None in codes:
    time.sleep(0.05)
    codes = [task.poll() for task in tasks]
    if any(codes):
        for task in tasks:
            task.terminate()
        codes = [task.wait() for task in tasks]
sys.exit(max(128 - code if code < 0 else code for code in codes))
