"""A training step of CropFormer: this project's layers against the straightforward way.

Forward, losses and gradients of one picture in two views (Swin-T, 100 queries), with the same
weights and random draws on both sides, which take turns in one process. Of a side's times the
shortest is told, of the clock and of the processors.

    python benchmarks/cropformer_training.py [--input 416x672] [--repeats 3]
"""

from __future__ import annotations

import argparse
import time

import torch
from cropformer_inference import CONFIG, SIDES, build, size
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

VIEWS, ENTITIES = 2, 20


def draw_sample(input_size: tuple[int, int]) -> tuple[Tensor, list[DetDataSample]]:
    """Return random views (1, T, 3, H, W) and entities that are stripes of them."""
    height, width = input_size
    stripes = torch.arange(width) * ENTITIES // width == torch.arange(ENTITIES)[:, None]
    sample = DetDataSample()
    sample.gt_instances = InstanceData(
        labels=torch.zeros(ENTITIES, dtype=torch.long),
        masks=stripes[:, None, None].expand(-1, VIEWS, height, -1),
    )
    generator = torch.Generator().manual_seed(0)
    return torch.randn((1, VIEWS, 3, height, width), generator=generator), [sample]


def step(model: nn.Module, inputs: Tensor, samples: list[DetDataSample]) -> float:
    """Return the sum of the losses, after their gradients."""
    torch.manual_seed(0)
    model.zero_grad()
    total = sum(model.loss(inputs, samples).values())
    total.backward()
    return float(total.detach())


def main() -> None:
    """Measure both sides and print times, ratio and losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=size, default=(416, 672), help="HEIGHTxWIDTH of a view")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    models = {side: build(side, CONFIG).train() for side in SIDES}
    given = draw_sample(options.input)
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    losses = {}
    for _ in range(options.repeats):
        for side, model in models.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            losses[side] = step(model, *given)
            taken[side].append((time.perf_counter() - began, time.process_time() - began_cpu))
    best = [[min(times) for times in zip(*taken[side], strict=True)] for side in SIDES]
    print(f"{torch.get_num_threads()} threads")
    for side, (seconds, cpu_seconds) in zip(SIDES, best, strict=True):
        print(f"{side:<16} {seconds:7.2f} s {cpu_seconds:7.2f} s of CPU, loss {losses[side]:.4f}")
    (slow, slow_cpu), (fast, fast_cpu) = best
    print(f"ratio {slow / fast:.2f}, of CPU {slow_cpu / fast_cpu:.2f}")


if __name__ == "__main__":
    main()
