"""Measures what GELLA's cache of frozen image features and label maps is worth.

Trains the same model from the same weights twice for the same time, with the cache and without it,
in turns of a few iterations, and prints how many iterations each got done. Data loading runs in the
process itself, so that all of its cost is seen. Filling the cache is timed apart: it is done once
for all runs on the same data and encoder.

    python benchmarks/feature_cache.py [--config artifacts/mini/configs/gella-7b.py] [--seconds 60]

Needs the resolved config and its pretrained parts (`dvc repro resolve_finetune@gella-7b
pretrain@clip pretrain@llm pretrain@masks`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings

BLOCK = 3


class Training:
    """A model in training, its data drawn with or without the cache."""

    def __init__(self, config: Config, cache: bool) -> None:
        began = time.perf_counter()
        torch.manual_seed(0)
        np.random.seed(0)
        self.dataset = DATASETS.build({**config.train_dataloader.dataset, "cache": cache})
        self.model = MODELS.build(config.model)
        self.model.init_weights()
        self.model.train()
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4)
        self.batches = self._batches(config.train_dataloader.batch_size)
        self.startup = time.perf_counter() - began
        self.seconds, self.iterations = 0.0, 0

    def _batches(self, size: int) -> Iterator[list[Any]]:
        order = np.random.default_rng(0)
        while True:
            yield [
                self.dataset.load(int(at))["samples"]
                for at in order.integers(len(self.dataset), size=size)
            ]

    def run(self, iterations: int) -> None:
        """Train on and add up the time."""
        began = time.perf_counter()
        for _ in range(iterations):
            losses = self.model.loss(next(self.batches))
            total = sum(value for name, value in losses.items() if "loss" in name)
            self.optimizer.zero_grad()
            total.backward()
            self.optimizer.step()
        self.seconds += time.perf_counter() - began
        self.iterations += iterations


def main() -> None:
    """Print iterations in the same time, side by side, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("artifacts/mini/configs/gella-7b.py"))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each, at least")
    options = parser.parse_args()
    config = Config.fromfile(str(options.config), import_custom_modules=False)
    import_modules_from_strings(**config.custom_imports)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        cached, plain = Training(config, cache=True), Training(config, cache=False)
    for training in (cached, plain):
        training.run(1)
        training.seconds, training.iterations = 0.0, 0
    while min(cached.seconds, plain.seconds) < options.seconds:
        cached.run(BLOCK)
        plain.run(BLOCK)
    rates = [training.iterations / training.seconds for training in (cached, plain)]
    threads = torch.get_num_threads()
    print(f"start, with filling the cache where it was not there: {cached.startup:.1f} s")
    print(f"start without: {plain.startup:.1f} s")
    for name, rate in zip(("cached", "not cached"), rates, strict=True):
        print(f"{name}: {60 * rate:.1f} iterations a minute ({threads} threads)")
    print(f"ratio: {rates[0] / rates[1]:.2f}")


if __name__ == "__main__":
    main()
