"""The processes of one run, its ranks: joining them, telling them things, means over all."""

from __future__ import annotations

import os
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, init_dist, is_distributed
from torch import Tensor

from workbench.errors import BadInput


def rank() -> int:
    """Number of this process among those of the run, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes of the run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join_ranks() -> None:
    """Connect this process with the others of its run; alone, do nothing."""
    if world_size() == 1 or is_distributed():
        return
    if torch.cuda.is_available():
        init_dist(os.environ.get("ESG_LAUNCHER", "pytorch"), backend="nccl")
    else:
        # MMEngine sets a CUDA device whatever the backend is.
        torch.distributed.init_process_group(backend="gloo")


def from_first(value: Any) -> Any:
    """Return the value that the first process has, in all of them."""
    told = [value]
    if is_distributed():
        broadcast_object_list(told)
    return told[0]


def weight_among_ranks(count: int, device: torch.device) -> Tensor | float:
    """Return what a mean over ``count`` items of this process weighs in the mean over all.

    Distributed training takes the mean of the processes' gradients: with this factor on their
    means it is the gradient of the mean over all items. Every process must call it, also for none.

    Args:
        count: Items here, e.g. tokens.
        device: Where the losses are.

    Returns:
        Items here by items of the average process; 1 in a run of one process.
    """
    if not is_distributed():
        return 1.0
    total = torch.tensor(float(count), device=device)
    torch.distributed.all_reduce(total)
    return count * world_size() / total.clamp(min=1.0)


def batch_of_process(config: Config, where: str) -> int:
    """Return how many samples of a training batch each process takes.

    A config's ``train_dataloader.batch_size`` is that of the whole run, so that rates and schedule
    mean the same on any number of processes.

    Raises:
        BadInput: It cannot be divided.
    """
    batch, processes = int(config.train_dataloader.get("batch_size") or 1), world_size()
    if batch % processes:
        problem = f"{batch} samples cannot be split evenly over {processes} processes"
        fix = "set launch.processes in params.yaml to a divisor of it"
        raise BadInput(where, "train_dataloader.batch_size", problem, fix)
    return batch // processes
