"""Runs a function in several processes that are told of one another as torchrun tells them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def in_ranks(work: Callable[[int], Any], count: int = 2) -> list[Any]:
    """Return ``work(rank)`` of every process, in order; forks share what is imported and made."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        context = multiprocessing.get_context("fork")
        arguments = [(work, rank, count, port, folder) for rank in range(count)]
        processes = [context.Process(target=_one, args=each) for each in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=120)
        alive = [process for process in processes if process.is_alive()]
        for process in alive:
            process.kill()
        assert not alive, "processes wait for one another"
        assert [process.exitcode for process in processes] == [0] * count
        return [pickle.loads((Path(folder) / str(rank)).read_bytes()) for rank in range(count)]


def _one(work: Callable[[int], Any], rank: int, count: int, port: int, folder: str) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    addresses = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in {**places, **addresses}.items()})
    torch.set_num_threads(1)
    try:
        (Path(folder) / str(rank)).write_bytes(pickle.dumps(work(rank)))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
