"""What a grounding model is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

WITHHELD = (None, "image", "colormap")


def category_sentence(names: Sequence[str]) -> str:
    """Return the sentence that asks for classes by one name or more (paper 5.3.3)."""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"There might exist a {listed}."


@dataclass(frozen=True)
class GroundingRequest:
    """One picture with its entities and a caption.

    Attributes:
        photo: (H, W, 3) uint8 BGR.
        masks: (N, H, W) bool, best first: where masks overlap the earlier one is on top.
        caption: Text whose nouns are to be grounded; None lets the model describe the picture.
        nouns: The nouns, where they are given instead of found ("teacher-forced").
    """

    photo: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    caption: str | None
    nouns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class GroundingAnswer:
    """What a model says about one request.

    Attributes:
        caption: The request's, or the model's own.
        answer: Text that the model generated, with its markers; empty under teacher forcing.
        nouns: V nouns in the order of the answer.
        probabilities: (V, N) in [0, 1], that noun v means entity n.
        reconstructed: (N, H, W) bool, the entities as the model rebuilt them from the colormap, at
            the photograph's size.
        entityness: (N,) in [0, 1], the model's own confidence that there is an entity.
    """

    caption: str
    answer: str
    nouns: tuple[str, ...]
    probabilities: NDArray[np.float32]
    reconstructed: NDArray[np.bool_]
    entityness: NDArray[np.float32]


class GroundingModel(Protocol):
    """Any model that grounds; it is reached through MMDetection's registry."""

    def ground_photos(
        self, requests: list[GroundingRequest], withheld: str | None = None
    ) -> list[GroundingAnswer]:
        """Answer requests, several at once.

        Args:
            requests: Pictures, of any sizes.
            withheld: One of ``WITHHELD``: what is hidden from the model, as a control.
        """

    def component_times(self) -> dict[str, float]:
        """Return the seconds spent in each component since the last call."""
