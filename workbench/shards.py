"""Work on a split that several processes share: whose an item is, and one result out of theirs.

Items go round: item n belongs to process n modulo their number. What is alike in one process and in
several is the item, so what must stay together, such as a batch, is one item.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from workbench.files import atomic_path

T = TypeVar("T")
# Processes wait for the slowest, which may have a day's work less an hour.
LONGEST_WAIT = timedelta(days=1)


class Shard:
    """The part of this process, one of those that `workbench.launching` started.

    Attributes:
        rank: Number of this process, from 0.
        count: Number of processes.
    """

    def __init__(self, rank: int | None = None, count: int | None = None) -> None:
        self.rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        self.count = int(os.environ.get("WORLD_SIZE", "1")) if count is None else count

    @property
    def first(self) -> bool:
        """Whether this is the process that writes what is of all."""
        return self.rank == 0

    def of(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items of this process."""
        return islice(items, self.rank, None, self.count)

    def device(self) -> str:
        """Return "cuda" or "cpu", having chosen this process's GPU of several."""
        import torch

        if not torch.cuda.is_available():
            return "cpu"
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        return "cuda"

    def gather(self, own: T) -> list[T]:
        """Return what every process has, in their order, when all have come here; [] but in one.

        Args:
            own: Of plain values, small: measurements, not masks.
        """
        if self.count == 1:
            return [own]
        gathered: list[Any] = [None] * self.count
        _processes().gather_object(own, gathered if self.first else None)
        return gathered if self.first else []

    def everyone(self, own: T) -> list[T]:
        """Return what every process has, in their order, in all of them when all have come here."""
        if self.count == 1:
            return [own]
        gathered: list[Any] = [None] * self.count
        _processes().all_gather_object(gathered, own)
        return gathered

    def part(self, output: Path) -> Path:
        """Return where this process writes its lines of a file: beside it, or it, if alone."""
        return output if self.count == 1 else _part(output, self.rank)

    def join(self, output: Path, each: int = 1) -> None:
        """Put the parts together to the file that one process would write.

        Args:
            output: The file.
            each: Lines that an item has, the last one perhaps fewer.
        """
        if self.count == 1:
            return
        parts = [_part(output, rank) for rank in range(self.count)]
        with ExitStack() as stack:
            aside = stack.enter_context(atomic_path(output))
            streams = [stack.enter_context(path.open("rb")) for path in parts]
            with aside.open("wb") as stream:
                stream.writelines(in_turns(streams, each))
        for path in parts:
            path.unlink()


# Does all the work, also where other processes are beside it.
ALONE = Shard(0, 1)


def in_turns(parts: Iterable[Iterable[T]], each: int = 1) -> Iterator[T]:
    """Yield ``each`` entries of every part in turn until there are no more."""
    sources = [iter(part) for part in parts]
    while True:
        none_left = True
        for source in sources:
            for entry in islice(source, each):
                none_left = False
                yield entry
        if none_left:
            return


def _processes() -> Any:
    """Return PyTorch's module of distributed processes, which have found one another."""
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group(backend="gloo", timeout=LONGEST_WAIT)
    return distributed


def leave() -> None:
    """Part from the other processes when all have come here, if this one has met them.

    Without it, gloo's threads may still run when the interpreter takes them down, which aborts.
    """
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _part(output: Path, rank: int) -> Path:
    return output.with_name(f"{output.name}.part-{rank}")
