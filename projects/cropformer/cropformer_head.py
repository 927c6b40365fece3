"""CropFormer's head: image-level decoder, view association, batch-level decoder (Eq. 2-7)."""

from __future__ import annotations

from typing import Any, NamedTuple

from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.structures import InstanceData
from torch import Tensor

from projects.cropformer.multi_view_head import Losses, MultiViewHead
from workbench.layers import Decoded, PixelFeatures


class CropFormerOutput(NamedTuple):
    """Both levels' predictions: ``image`` (B T images of one view), ``batch`` (B images)."""

    image: Decoded
    batch: Decoded


@MODELS.register_module()
class CropFormerHead(MultiViewHead):
    """Segment every view alone, associate the results, and decode all views together.

    The batch-level decoder shares layers, query positions and prediction head with the
    image-level one (source: qqlu/Entity d67e36f, ``cropformer_transformer_decoder.py``).

    Args:
        association: Config of the view association module.
        image_loss_weight: Factor on the image-level losses; released value 0.5.
        kwargs: Arguments of :class:`MultiViewHead`.
    """

    def __init__(
        self, association: ConfigType, image_loss_weight: float = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.association = MODELS.build(association)
        self.image_loss_weight = image_loss_weight

    def init_weights(self) -> None:
        """Initialise the base head and the association module."""
        super().init_weights()
        self.association.init_weights()

    def forward(self, features: list[Tensor], num_views: int) -> CropFormerOutput:
        """Predict at both levels from backbone maps, each (B T, c, h, w)."""
        pixels = self.pixel_features(features, num_views)
        image = self.decode(*self.learned_queries(len(features[0])), pixels.each_view_alone())
        return CropFormerOutput(
            image, self.decode(*self._associated(image.queries, num_views), pixels)
        )

    def _associated(self, embeddings: Tensor, num_views: int) -> tuple[Tensor, Tensor]:
        """Return batch-level queries and positions, (B, N, C), of embeddings (B T, N, C)."""
        queries = self.association(
            embeddings.unflatten(0, (-1, num_views)), self.query_embed.weight
        )
        _, positions = self.learned_queries(len(queries))
        return queries, positions

    def loss(self, features: list[Tensor], entities: list[InstanceData]) -> Losses:
        """Return the image-level (weighted) and batch-level losses of a batch (Eq. 7)."""
        output = self(features, entities[0].masks.shape[1])
        image = self.set_losses(output.image, entities_per_view(entities))
        batch = self.set_losses(output.batch, entities)
        losses = {f"image.{name}": self.image_loss_weight * loss for name, loss in image.items()}
        losses.update({f"batch.{name}": loss for name, loss in batch.items()})
        return losses

    def decode_pixels(self, pixels: PixelFeatures) -> tuple[Tensor, Tensor]:
        """Return batch-level class logits (B, N, 2) and mask logits (B, N, T, h, w)."""
        batch_size, num_views = pixels.mask_features.shape[:2]
        queries = self.learned_queries(batch_size * num_views)
        embeddings = self.refine(*queries, pixels.each_view_alone())[-1]
        batch = self.decode(*self._associated(embeddings, num_views), pixels, every_layer=False)
        return batch.class_logits[-1], batch.mask_logits[-1]


def entities_per_view(entities: list[InstanceData]) -> list[InstanceData]:
    """Split each image's entities by view and drop those that a view does not show.

    Args:
        entities: B items, ``labels`` (G,) and ``masks`` (G, T, H, W) bool.

    Returns:
        B T items, ``masks`` (G', 1, H, W) with G' entities visible in that view, and their
        places ``ids`` (G',) among the image's entities.
    """
    split = []
    for item in entities:
        for view in range(item.masks.shape[1]):
            masks = item.masks[:, view : view + 1]
            visible = masks.flatten(1).any(1)
            split.append(
                InstanceData(
                    labels=item.labels[visible],
                    masks=masks[visible],
                    ids=visible.nonzero().flatten(),
                )
            )
    return split
