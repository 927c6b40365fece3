"""The whole mask path: colormap encoder, ResoBlend and mask decoder on pictures that do not match.

Trained on matching pictures from the start, the path rebuilds masks from CLIP's tokens and makes
no use of the colormap. Here the tokens are of *another* picture: they say nothing about the masks,
which the colormap alone tells, and each query must tell the tokens under its mask, which the
colormap does not. So segmenting by the colormap and describing by the image are learned apart
(*ours*, see the project's README).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import DATASETS, MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn

from projects.gella.dataset import cached_pictures
from projects.gella.gella import start_from
from projects.gella.pretrain.masks import save_model
from projects.gella.samples import colored
from workbench.datasets import load_entities
from workbench.engine.draws import DrawDataset


@DATASETS.register_module()
class UnrelatedPictureDataset(DrawDataset):
    """Colormaps with the image tokens of another picture.

    Args:
        manifest: Data manifest.
        split: Name of a split.
        image_encoder: Config of the frozen image encoder.
        colormap_size: Side of the square colormap in pixels.
        assignment: "random" or "location".
    """

    def __init__(
        self,
        manifest: str,
        split: str,
        image_encoder: dict[str, Any],
        colormap_size: int,
        assignment: str = "random",
    ) -> None:
        entities = load_entities(Path(manifest), split)
        self.assignment = assignment
        self.counts = [len(image.masks) for image in entities]
        self.arrays = cached_pictures(Path(manifest), split, entities, image_encoder, colormap_size)

    def __len__(self) -> int:
        return len(self.counts)

    def load(self, index: int) -> dict[str, Tensor]:
        """Return a colormap (3, S, S) uint8, its masks (G, S, S) bool, tokens (C, g, g) float."""
        rng = np.random.default_rng(np.random.randint(2**31))
        other = int(rng.integers(len(self) - 1))
        other += other >= index
        labels = np.asarray(self.arrays["labels"][index])
        colormap, masks = colored(labels, self.counts[index], self.assignment, rng)
        tokens = torch.from_numpy(self.arrays["features"][other].astype(np.float32))
        return {"colormaps": colormap, "masks": masks, "images": tokens}


@MODELS.register_module()
class MaskPathPretraining(BaseModel):
    """Masks by the colormap and contents by the image, both out of the query embeddings.

    Args:
        image_channels: Width of the image tokens.
        colormap_encoder: MMDetection backbone with four levels of strides 4 to 32.
        resoblend: ``ResoBlend``.
        mask_decoder: ``EntityMaskDecoder``.
        masks_pretrained: Folder of a colormap-only model that encoder and decoder start from.
        content_weight: Factor of the loss of the contents.
    """

    def __init__(
        self,
        image_channels: int,
        colormap_encoder: dict,
        resoblend: dict,
        mask_decoder: dict,
        masks_pretrained: str,
        content_weight: float,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.config = {
            "colormap_encoder": colormap_encoder,
            "resoblend": resoblend,
            "mask_decoder": mask_decoder,
        }
        self.colormap_encoder = MODELS.build(colormap_encoder)
        self.resoblend = MODELS.build({**resoblend, "image_channels": image_channels})
        levels = [self.resoblend.out_channels] * len(self.resoblend.levels)
        self.mask_decoder = MODELS.build({**mask_decoder, "in_channels": levels})
        self.content = nn.Linear(self.mask_decoder.decoder_embed_dims, image_channels)
        self.masks_pretrained, self.content_weight = Path(masks_pretrained), content_weight

    def init_weights(self) -> None:
        """Initialise, then start from the colormap-only model."""
        super().init_weights()
        start_from(self, self.masks_pretrained)

    def forward(
        self,
        colormaps: Sequence[Tensor],
        masks: Sequence[Tensor],
        images: Sequence[Tensor],
        mode: str = "loss",
    ) -> dict[str, Tensor]:
        """Return the losses of Eq. 13 and that of the contents.

        Args:
            colormaps: B times (3, S, S) uint8.
            masks: B times (G, S, S) bool.
            images: B times (C, g, g) float, tokens of unrelated pictures.
            mode: As in MMEngine; there is nothing but training.
        """
        device = self.content.weight.device
        pyramid = self.colormap_encoder(torch.stack(list(colormaps)).to(device).float() / 127.5 - 1)
        image = torch.stack(list(images)).to(device)
        decoded = self.mask_decoder.reconstruct(self.resoblend(image, list(pyramid)))
        given = [m.to(device) for m in masks]
        losses, matches = self.mask_decoder.losses_and_matches(decoded, given)
        told = self.content(decoded.embeddings)
        errors = [
            (told[row, queries] - contents(image[row], given[row])[entities]).square().mean(1)
            for row, (queries, entities) in enumerate(matches)
        ]
        # In units of the tokens' variance, so that the factor fits any encoder.
        spread = image.var(dim=(0, 2, 3)).mean()
        return {**losses, "loss_content": torch.cat(errors).mean() / spread * self.content_weight}

    def export(self, folder: Path) -> None:
        """Write the weights as safetensors with the config beside them."""
        save_model(self, folder, {"model_type": "esg-mask-path", **self.config})


def contents(image: Tensor, masks: Tensor) -> Tensor:
    """Return (G, C), the mean of the tokens (C, g, g) under each mask (G, H, W) bool."""
    area = F.interpolate(masks[None].float(), image.shape[-2:], mode="area")[0].flatten(1)
    share = area / area.sum(1, keepdim=True).clamp(min=1e-6)
    return share @ image.flatten(1).T
