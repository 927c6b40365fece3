"""Measures what tracking adds to a training iteration.

Runs iterations of a fixed amount of tensor work with and without the tracking hook, in turn, and
prints the extra time as a fraction of an iteration. Also timed: what the training loop itself
spends inside the hook, and the processor time of all of tracking, with the thread that writes to
the store and reads the system's metrics. Both are to stay within the limit.

    python benchmarks/tracking_overhead.py [--iteration-ms 300] [--iterations 200]

On 2 cores of an x86-64 machine: see the closing line it prints; at most 2% is asked for.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from workbench.engine.hooks import CostMeter, TrackingHook
from workbench.engine.memory import PeakMemory
from workbench.tracking.mlflow_run import RunIdentity, open_run

LIMIT = 0.02
LOSSES = ("loss", "loss_cls", "loss_mask", "loss_dice")
LAYER_LOSSES = tuple(f"d{layer}.{name}" for layer in range(9) for name in LOSSES[1:])


def work(side: int, repeats: int) -> None:
    """Multiply matrices, which holds no Python lock, as most of a training iteration."""
    matrix = torch.rand(side, side)
    for _ in range(repeats):
        matrix = torch.tanh(matrix @ matrix)


def repeats_for(seconds: float, side: int) -> int:
    """Return how many multiplications take about ``seconds``."""
    began = time.perf_counter()
    work(side, 20)
    return max(1, round(20 * seconds / (time.perf_counter() - began)))


def measure(hook: TrackingHook, iterations: int, repeats: int, side: int) -> tuple[float, ...]:
    """Alternate iterations with and without the hook.

    Returns:
        Median seconds of the work without the hook's thread busy, of the work after a tracked
        iteration, and mean seconds inside the hook.
    """
    rates = {"lr": [0.1]}
    runner = SimpleNamespace(iter=0, max_iters=10**9, optim_wrapper=SimpleNamespace())
    runner.optim_wrapper.get_lr = lambda: rates
    outputs = {name: torch.rand((), requires_grad=True) for name in (*LOSSES, *LAYER_LOSSES)}
    times: dict[bool, list[float]] = {False: [], True: []}
    inside = []
    block = 20
    for index in range(2 * iterations):
        tracked = (index // block) % 2 == 1
        began = time.perf_counter()
        work(side, repeats)
        done = time.perf_counter()
        if tracked:
            hook.after_train_iter(runner, index, None, outputs)
            inside.append(time.perf_counter() - done)
            runner.iter += 1
        times[tracked].append(time.perf_counter() - began)
    plain, with_hook = (statistics.fmean(times[tracked]) for tracked in (False, True))
    return plain, with_hook, statistics.fmean(inside)


def beside(hook: TrackingHook, iterations: int, seconds: float) -> float:
    """Return the share of a core that tracking takes while iterations only wait."""
    runner = SimpleNamespace(iter=0, max_iters=10**9, optim_wrapper=SimpleNamespace())
    runner.optim_wrapper.get_lr = lambda: {"lr": [0.1]}
    outputs = {name: torch.rand((), requires_grad=True) for name in (*LOSSES, *LAYER_LOSSES)}
    began, began_cpu = time.perf_counter(), time.process_time()
    for index in range(iterations):
        time.sleep(seconds)
        hook.after_train_iter(runner, index, None, outputs)
        runner.iter += 1
    return (time.process_time() - began_cpu) / (time.perf_counter() - began)


def main() -> None:
    """Print the overhead; exit code 1 if it is more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iteration-ms", type=float, default=300.0)
    parser.add_argument("--iterations", type=int, default=60)
    options = parser.parse_args()
    side = 384
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run = open_run(root, RunIdentity("train", "overhead", 0, "benchmarks"), root / "run")
        hook = TrackingHook(run, CostMeter(PeakMemory("cpu")))
        repeats = repeats_for(options.iteration_ms / 1000, side)
        plain, tracked, inside = measure(hook, options.iterations, repeats, side)
        share = beside(hook, options.iterations, options.iteration_ms / 1000)
        run.close("FINISHED")
    print(f"iteration without tracking {1000 * plain:.1f} ms, with {1000 * tracked:.1f} ms")
    print(f"difference {(tracked - plain) / plain:+.2%} (noise included)")
    print(f"inside the hook {1000 * inside:.3f} ms an iteration, {inside / plain:.3%} of it")
    print(f"all of tracking, its thread included, takes {share:.3%} of a core")
    raise SystemExit(0 if max(inside / plain, share) <= LIMIT else 1)


if __name__ == "__main__":
    main()
