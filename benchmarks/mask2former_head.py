"""Compares Mask2Former's head with MMDetection's: inference and training step, time and outputs.

Both sides have the same random weights and get the same random maps of a Swin-T; they take turns in
one process. Of a side's times the shortest is told, of the clock and of the processors; on a busy
machine only the latter tell.

    python benchmarks/mask2former_head.py [--size 800 1344] [--train-size 416 672] [--repeats 3]
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

import workbench.layers  # noqa: F401

CONFIG = Path(__file__).parents[1] / "configs" / "_base_" / "models" / "mask2former_swin-t.py"
TYPES = {
    "stock": ("Mask2FormerHead", "MSDeformAttnPixelDecoder"),
    "ours": ("FusedMask2FormerHead", "FusedPixelDecoder"),
}
ENTITIES = 20


def build_heads() -> dict[str, nn.Module]:
    """Build both heads with the same weights; zeros, as training starts with, are moved away."""
    config = Config.fromfile(str(CONFIG)).model.head
    heads = {}
    for name, (head, pixel_decoder) in TYPES.items():
        one = copy.deepcopy(config)
        one.type, one.pixel_decoder.type = head, pixel_decoder
        heads[name] = MODELS.build(one)
    heads["stock"].init_weights()
    for layer in heads["stock"].pixel_decoder.encoder.layers:
        nn.init.normal_(layer.self_attn.sampling_offsets.weight, std=0.05)
        nn.init.normal_(layer.self_attn.attention_weights.weight, std=0.1)
    heads["ours"].load_state_dict(heads["stock"].state_dict())
    return heads


def draw_maps(views: int, size: tuple[int, int]) -> list[Tensor]:
    """Draw the maps of a Swin-T, strides 4 to 32."""
    strides = zip((96, 192, 384, 768), (4, 8, 16, 32), strict=True)
    return [torch.randn(views, c, size[0] // s, size[1] // s) for c, s in strides]


@torch.no_grad()
def infer(head: nn.Module, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the last layer's class and mask logits."""
    if not hasattr(head, "decode"):
        classes, masks = head(maps, [])
        return classes[-1], masks[-1]
    pixels = head.pixel_features(maps, num_views=1)
    decoded = head.decode(*head.learned_queries(len(maps[0])), pixels, every_layer=False)
    return decoded.class_logits[-1], decoded.mask_logits[-1][:, :, 0]


def train_step(head: nn.Module, maps: list[Tensor], masks: Tensor) -> tuple[Tensor]:
    """Return the sum of the losses on the given masks, after their gradients."""
    torch.manual_seed(0)
    truth = InstanceData(labels=torch.zeros(len(masks), dtype=torch.long), masks=masks)
    views = len(maps[0])
    losses = head.loss_by_feat(*head(maps, []), [truth] * views, [{}] * views)
    total = sum(losses.values())
    head.zero_grad()
    total.backward()
    return (total.detach(),)


def compare(
    what: str,
    heads: dict[str, nn.Module],
    names: list[str],
    repeats: int,
    run: Callable[..., Any],
    *given: Any,
) -> None:
    """Print the time of each side, the ratio, and the largest difference of each output."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in heads}
    results = {}
    for _ in range(repeats):
        for name, head in heads.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            results[name] = run(head, *given)
            taken[name].append((time.perf_counter() - began, time.process_time() - began_cpu))
    best = {
        name: [min(times) for times in zip(*sides, strict=True)] for name, sides in taken.items()
    }
    for name, (seconds, cpu) in best.items():
        print(f"{what}, {name:<6} {seconds:7.2f} s, {cpu:7.2f} s of CPU")
    ratios = [a / b for a, b in zip(best["stock"], best["ours"], strict=True)]
    print(f"{what}, ratio {ratios[0]:.2f}, of CPU {ratios[1]:.2f}")
    for name, stock, ours in zip(names, results["stock"], results["ours"], strict=True):
        apart = (stock - ours).abs()
        beyond = (apart > 1e-4).double().mean()
        print(f"{what}, {name}: at most {apart.max():.1e} apart, {beyond:.1e} of them by over 1e-4")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1344))
    parser.add_argument("--train-size", type=int, nargs=2, default=(416, 672))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        heads = build_heads()
    print(f"{torch.get_num_threads()} threads")
    repeats = arguments.repeats
    logits = ["class logits", "mask logits"]
    for head in heads.values():
        head.eval()
    compare("inference", heads, logits, repeats, infer, draw_maps(1, arguments.size))
    for head in heads.values():
        head.train()
    height, width = arguments.train_size
    masks = torch.arange(width) * ENTITIES // width == torch.arange(ENTITIES)[:, None, None]
    given = (draw_maps(2, (height, width)), masks.long().expand(-1, height, -1))
    compare("training step", heads, ["loss"], repeats, train_step, *given)


if __name__ == "__main__":
    main()
