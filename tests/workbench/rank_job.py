"""A job for tests: what its processes do is said in the request."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from workbench.errors import BadInput
from workbench.jobs import answer_job
from workbench.shards import Shard


@dataclass(frozen=True)
class Wish:
    """What process 1 does: "work", "refuse", "break" or end by the signal of that number."""

    title: str
    second: str


def work(job: Wish, say: Callable[[str], None]) -> dict[str, Any]:
    say("working")
    shard = Shard()
    if not shard.first and job.second == "refuse":
        raise BadInput("a.yaml", "b", "wrong", "correct it")
    if not shard.first and job.second == "break":
        raise ArithmeticError("broke\nfor good")
    if not shard.first and job.second.isdigit():
        os.kill(os.getpid(), int(job.second))
    threads = int(os.environ["OMP_NUM_THREADS"])
    gathered = shard.gather((list(shard.of(range(5))), threads))
    return (
        {"parts": [part for part, _ in gathered], "threads": max(t for _, t in gathered)}
        if (gathered)
        else {}
    )


if __name__ == "__main__":
    code = answer_job(sys.argv[1:], Wish, work)
    if code == 0 and torch.distributed.is_initialized():
        print("still with the other processes", file=sys.stderr)
    raise SystemExit(code)
