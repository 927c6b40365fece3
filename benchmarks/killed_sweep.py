"""Whether a sweep of real trainings ends whole after one of two workers is killed.

    python benchmarks/killed_sweep.py [NAME] [--heartbeat S] [--storage URL]

Runs ``esg sweep NAME`` (default: quick) with two workers, kills one with SIGKILL in the middle of a
trial once a third of the trials are finished, waits for the end and prints the counts as JSON. The
exit code is 0 if as many different trials were completed or pruned as the sweep has, each once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workbench.sweeps.claims import WORKER, original_number
from workbench.sweeps.prepare import prepare
from workbench.sweeps.study import open_study

POLL_S = 0.2


def main() -> int:
    """Run, kill, count; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="quick")
    parser.add_argument("--heartbeat", default="10")
    parser.add_argument("--storage")
    asked = parser.parse_args()
    sweep = prepare(asked.name)
    total = sweep.total(None)
    place = sweep.place(asked.storage, int(asked.heartbeat))
    command = [sys.executable, "-m", "workbench.cli.main", "sweep", asked.name, "--workers", "2",
               "--heartbeat", asked.heartbeat]  # fmt: skip
    begin = time.perf_counter()
    process = subprocess.Popen(command + (["--storage", asked.storage] if asked.storage else []))
    while not place.begun:
        time.sleep(POLL_S)
    study, _ = open_study(place, sweep.spec)
    victim, worker = _victim(study, total // 3, process)
    os.kill(worker, signal.SIGKILL)
    print(f"killed worker {worker} in trial {victim}", flush=True)
    code = process.wait()
    trials = study.get_trials()
    ended = [original_number(t) for t in trials if t.state.name in ("COMPLETE", "PRUNED")]
    begun = [t.number for t in trials if original_number(t) == t.number]
    states = [t.state.name for t in trials]
    result = {
        "exit_code": code,
        "seconds": round(time.perf_counter() - begin),
        "total": total,
        "begun": len(begun),
        "ended_once": len(set(ended)),
        "ended_twice": len(ended) - len(set(ended)),
        "lost": sorted(set(begun) - set(ended)),
        "killed_trial": victim,
        "run_again_as": [t.number for t in trials if original_number(t) == victim != t.number],
        "states": {name: states.count(name) for name in sorted(set(states))},
    }
    print(json.dumps(result, indent=2))
    return int(not (sorted(ended) == begun and len(begun) == total))


def _victim(study: Any, after: int, process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Return a running trial and the process that trains it, once ``after`` trials are finished."""
    while process.poll() is None:
        trials = study.get_trials(deepcopy=False)
        finished = sum(trial.state.is_finished() for trial in trials)
        for trial in trials:
            # One that has been validated is in the middle of its training.
            if trial.state.name == "RUNNING" and trial.intermediate_values and finished >= after:
                return trial.number, int(trial.user_attrs[WORKER].rpartition(":")[2])
        time.sleep(POLL_S)
    raise SystemExit("the sweep ended before a worker could be killed")


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    raise SystemExit(main())
