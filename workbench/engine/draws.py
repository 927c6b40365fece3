"""Training data as a pure function of the seed and the number of the draw.

A sampler does not shuffle: it counts. Draw number n of a run stands for one sample, and the data
set alone turns (seed, n) into an image and into the random numbers of its augmentations. So what
iteration i sees depends on neither workers nor earlier iterations, and a resumed run needs no
stored random state: it starts counting where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

MAX_ATTEMPTS = 100


class Draw(NamedTuple):
    """Number ``number`` of the endless sequence of samples that belongs to ``seed``."""

    seed: int
    number: int


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, length: int) -> NDArray[np.int64]:
    """Order of the data set's indices in one pass over it, (length,) int64."""
    return np.random.default_rng([seed, epoch]).permutation(length)


def index_of(draw: Draw, length: int) -> int:
    """Return the data set index that a draw stands for, in [0, length)."""
    epoch, position = divmod(draw.number, length)
    return int(_permutation(draw.seed, epoch, length)[position])


def seed_everything(*entropy: int) -> None:
    """Seed ``random``, numpy and torch from non-negative integers.

    Numpy's SeedSequence mixes them, so that neighbouring numbers give unrelated streams.
    """
    state = np.random.SeedSequence(entropy).generate_state(3, np.uint32)
    random.seed(int(state[0]))
    np.random.seed(int(state[1]))
    torch.manual_seed(int(state[2]))


@DATA_SAMPLERS.register_module()
class DrawSampler(Sampler[Draw]):
    """Endless sampler that yields the draws of one process, in order.

    Over all processes, iteration i uses draws ``i * batch * world_size`` and following, whatever
    the number of processes is.

    Args:
        dataset: Data set, for the length of one pass.
        seed: Seed of the run; MMEngine's runner passes its own.
        start: First draw of this process, counted within the process.
    """

    def __init__(self, dataset: Any, seed: int | None = None, start: int = 0) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed = seed or 0
        self.start = start
        self.length = len(dataset)

    def __iter__(self) -> Iterator[Draw]:
        count = self.start
        while True:
            yield Draw(self.seed, count * self.world_size + self.rank)
            count += 1

    def __len__(self) -> int:
        return -(-self.length // self.world_size)

    def skip(self, num_samples: int) -> None:
        """Leave out the next ``num_samples`` draws of this process (MMEngine resumes so)."""
        self.start += num_samples


class DrawDataset(Dataset[Any]):
    """Data set that is read by draw in training and by plain index elsewhere.

    A subclass gives ``__len__`` and ``load``.
    """

    def load(self, index: int) -> Any | None:
        """Return the finished sample ``index``, or None if the pipeline rejected it."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, item: int | Draw) -> Any:
        """Return the sample of a draw or of an index.

        The draw's random numbers are set before the pipeline runs. A sample that the pipeline
        rejects is replaced by one that (seed, number, attempt) selects.

        Raises:
            RuntimeError: The pipeline rejected too many samples, or a sample read by index.
        """
        draw = item if isinstance(item, Draw) else None
        index = index_of(draw, len(self)) if draw else int(item)  # type: ignore[arg-type]
        seed, number = draw or (0, index)
        for attempt in range(MAX_ATTEMPTS if draw else 1):
            seed_everything(seed, number, attempt)
            if attempt:
                index = random.randrange(len(self))
            sample = self.load(index)
            if sample is not None:
                return sample
        raise RuntimeError(f"the pipeline rejected sample {index} ({attempt + 1} attempts)")
