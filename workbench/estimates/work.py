"""What a sample costs, and what that makes of a training and a prediction: the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

GIB = 2**30
S_PER_HOUR = 3600
# Bytes a parameter in single precision: itself, its gradient, and AdamW's two moments.
WEIGHT_BYTES, GRADIENT_BYTES, ADAMW_BYTES = 4, 4, 8
HALF = "half"


@dataclass(frozen=True)
class Work:
    """Counts of one sample, in single precision.

    Attributes:
        parameters: All of the model.
        trained: Those that get gradients.
        train_flops: Of a training step on a sample: ``BACKWARD`` times the forward pass, once that
            of frozen parts; 2 a multiply-add.
        saved_bytes: What autograd keeps of it for the backward pass.
        test_flops: Of a forward pass as predictions are made.
        test_bytes: The most that its tensors take at once.
    """

    # A forward pass, and a backward pass that costs twice as much: a gradient each of inputs and
    # weights (Kaplan et al., arXiv 2001.08361, section 2.1).
    BACKWARD: ClassVar[int] = 3

    parameters: int
    trained: int
    train_flops: float
    saved_bytes: int
    test_flops: float
    test_bytes: int


@dataclass(frozen=True)
class Machine:
    """Devices of one kind.

    Attributes:
        device: Name in ``configs/paper/plan.py``.
        count: How many.
        memory_gib: Of each.
        tflops: Dense peak by precision ("float32", "half").
        utilisation: Share of the peak that is sustained, in (0, 1].
    """

    device: str
    count: int
    memory_gib: float
    tflops: dict[str, float]
    utilisation: float

    def hours(self, flops: float, precision: str) -> float:
        """Return the hours that one device takes for FLOPs."""
        return flops / (self.tflops[precision] * 1e12 * self.utilisation) / S_PER_HOUR


@dataclass(frozen=True)
class TrainingRun:
    """A training of one seed.

    Attributes:
        iterations: Steps.
        batch: Samples a step, of all devices.
        precision: "float32" or, with automatic mixed precision, "half".
    """

    iterations: int
    batch: int
    precision: str

    def flops(self, work: Work) -> float:
        """Return the FLOPs of all steps."""
        return self.iterations * self.batch * work.train_flops

    def memory_gib(self, work: Work, devices: int) -> float:
        """Return the memory of a device: weights, gradients, AdamW's state and activations."""
        state = work.parameters * WEIGHT_BYTES + work.trained * (GRADIENT_BYTES + ADAMW_BYTES)
        samples = -(-self.batch // devices)
        activations = samples * work.saved_bytes / (2 if self.precision == HALF else 1)
        return (state + activations) / GIB


def prediction_memory_gib(work: Work) -> float:
    """Return a device's memory while predictions are made: weights and tensors of one picture."""
    return (work.parameters * WEIGHT_BYTES + work.test_bytes) / GIB


def checkpoint_gib(work: Work) -> tuple[float, float]:
    """Return the size of finished weights, and of the state that a training resumes from."""
    weights = work.parameters * WEIGHT_BYTES
    return weights / GIB, (weights + work.trained * ADAMW_BYTES) / GIB
