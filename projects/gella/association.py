"""Association of noun embeddings with entity embeddings (Eq. 16)."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

STRUCTURES = ("fc", "fc-relu-fc")


@MODELS.register_module()
class AssociationHead(BaseModule):
    """Dot products of nouns and entities, each mapped to a common space.

    Args:
        language_channels: Width of the ``<SEG>`` embeddings.
        entity_channels: Width of the mask decoder's query embeddings.
        channels: Width of the common space.
        structure: "fc", one fully connected layer each, or "fc-relu-fc" (Table XXIII).

    Raises:
        ValueError: Unknown structure.
    """

    def __init__(
        self,
        language_channels: int,
        entity_channels: int,
        channels: int,
        structure: str = "fc",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if structure not in STRUCTURES:
            raise ValueError(f"AssociationHead: structure is one of {STRUCTURES}")
        self.language = _mapping(language_channels, channels, structure)
        self.entity = _mapping(entity_channels, channels, structure)

    def forward(self, nouns: Tensor, entities: Tensor) -> Tensor:
        """Return (V, N) logits of V nouns (V, language) and N entities (N, entity channels)."""
        return self.language(nouns) @ self.entity(entities).transpose(-1, -2)


def association_loss(logits: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Binary cross-entropy over all noun-entity pairs of a batch, Eq. 16.

    Args:
        logits: Per image (V, N).
        targets: Per image (V, N), 1 where the noun means the entity.

    Returns:
        Scalar mean over pairs; 0 without any.
    """
    flat = [each.flatten() for each in logits]
    pairs = sum(len(each) for each in flat)
    total = sum(
        F.binary_cross_entropy_with_logits(each, target.flatten().to(each), reduction="sum")
        for each, target in zip(flat, targets, strict=True)
    )
    return total / max(pairs, 1)


def _mapping(channels: int, common: int, structure: str) -> nn.Module:
    if structure == "fc":
        return nn.Linear(channels, common)
    return nn.Sequential(
        nn.Linear(channels, common), nn.ReLU(inplace=True), nn.Linear(common, common)
    )
