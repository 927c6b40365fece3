"""What data sets hand to GELLA: one narrative with its picture, colormap and tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from projects.gella.colormap import location_colors, paint, random_colors
from projects.gella.tokens import Tokens


@dataclass(frozen=True)
class GroundingSample:
    """One draw.

    Attributes:
        task: One of ``prompts.TASKS``.
        image: (3, S, S) float input of CLIP, or its grid features (C_v, g, g) float.
        tokens: Prompt, with the answer in training and under teacher forcing.
        colormap: (3, H, W) uint8; None where the task needs no masks.
        masks: (G, H, W) bool, the entities of the colormap; None likewise.
        targets: (V, G) bool, whether noun v means entity g; None likewise.
        grounded: (V,) bool, whether the annotation grounds noun v: others are not judged.
    """

    task: str
    image: Tensor
    tokens: Tokens
    colormap: Tensor | None = None
    masks: Tensor | None = None
    targets: Tensor | None = None
    grounded: Tensor | None = None


def colored(
    labels: NDArray[np.integer], count: int, assignment: str, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return a colormap (3, H, W) uint8 and its masks (count, H, W) bool.

    Args:
        labels: (H, W) numbers 1 to ``count``; 0 is background.
        count: Number of entities.
        assignment: "random" or "location" (Table XVb).
        rng: Source of random colours.
    """
    by_place = assignment == "location"
    colors = location_colors(labels, count) if by_place else random_colors(count, rng)
    picture = torch.from_numpy(paint(labels, colors)).permute(2, 0, 1)
    numbers = torch.arange(1, count + 1)[:, None, None]
    return picture, torch.from_numpy(labels.astype(np.int32))[None] == numbers
