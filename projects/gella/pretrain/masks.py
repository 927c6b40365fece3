"""Colormap-only reconstruction: colormap encoder and mask decoder without image and language.

It is what Table XVI measures, and gives GELLA's mask path its start at the mini scale, where the
released weights that the paper starts from (ImageNet's for the encoder) do not exist.
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
from pycocotools import mask as coco_mask
from torch import Tensor

from projects.gella.picture_cache import entity_labels
from projects.gella.samples import colored
from workbench.datasets import load_entities
from workbench.datasets.schema import EntityImage
from workbench.engine.draws import DrawDataset
from workbench.files import write_json


@DATASETS.register_module()
class ColormapDataset(DrawDataset):
    """Colormaps of annotated entities; no photograph is read.

    Args:
        manifest: Data manifest.
        split: Name of a split.
        colormap_size: Side of the square colormap in pixels.
        assignment: "random" or "location".
        max_images: Keep the first images only.
    """

    METAINFO: dict[str, Any] = {"classes": ("entity",)}

    def __init__(
        self,
        manifest: str,
        split: str,
        colormap_size: int,
        assignment: str = "random",
        max_images: int | None = None,
    ) -> None:
        entities = load_entities(Path(manifest), split)
        count = len(entities) if max_images is None else min(max_images, len(entities))
        self.size, self.assignment = colormap_size, assignment
        records = [entities[index] for index in range(count)]
        self.sizes = [(record.height, record.width) for record in records]
        self.ids = [record.image_id for record in records]
        self.counts = [len(record.masks) for record in records]
        self.labels = np.stack(
            [entity_labels(_decoded(record), colormap_size) for record in records]
        )

    @property
    def metainfo(self) -> dict[str, Any]:
        """Class names, for MMEngine's evaluators."""
        return dict(self.METAINFO)

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, index: int) -> dict[str, Any]:
        """Return a colormap (3, S, S) uint8, its masks (G, S, S) bool, id and (height, width)."""
        rng = np.random.default_rng(np.random.randint(2**31))
        labels = self.labels[index]
        colormap, masks = colored(labels, self.counts[index], self.assignment, rng)
        height, width = self.sizes[index]
        sizes = {"heights": height, "widths": width}
        return {"colormaps": colormap, "masks": masks, "image_ids": self.ids[index], **sizes}


@MODELS.register_module()
class ColormapReconstructor(BaseModel):
    """Colormap encoder and mask decoder on their own (Table XVI).

    Args:
        colormap_encoder: MMDetection backbone with four levels of strides 4 to 32.
        mask_decoder: ``EntityMaskDecoder``.
    """

    def __init__(
        self, colormap_encoder: dict, mask_decoder: dict, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.config = {"colormap_encoder": colormap_encoder, "mask_decoder": mask_decoder}
        self.colormap_encoder = MODELS.build(colormap_encoder)
        self.mask_decoder = MODELS.build(mask_decoder)

    def forward(
        self,
        colormaps: Sequence[Tensor],
        masks: Sequence[Tensor],
        image_ids: Sequence[int],
        heights: Sequence[int],
        widths: Sequence[int],
        mode: str = "tensor",
    ) -> Any:
        """Return the losses of Eq. 13, or per picture the entities as rebuilt."""
        device = next(self.parameters()).device
        pyramid = self.colormap_encoder(torch.stack(list(colormaps)).to(device).float() / 127.5 - 1)
        decoded = self.mask_decoder.reconstruct(list(pyramid), every_layer=mode == "loss")
        if mode == "loss":
            return self.mask_decoder.losses_and_matches(decoded, [m.to(device) for m in masks])[0]
        scores = F.softmax(decoded.class_logits[-1], dim=-1)[..., 0]
        return [
            self._entities(mask_logits, score, int(image_id), (int(height), int(width)))
            for mask_logits, score, image_id, height, width in zip(
                decoded.mask_logits[-1], scores, image_ids, heights, widths, strict=True
            )
        ]

    def _entities(
        self, logits: Tensor, scores: Tensor, image_id: int, size: tuple[int, int]
    ) -> dict[str, Any]:
        """Return the entities of one picture as `workbench.engine.metric_adapters` reads them."""
        longer = max(size)
        inner = [max(round(side * logits.shape[-1] / longer), 1) for side in size]
        cut = logits[None, :, : inner[0], : inner[1]]
        full = F.interpolate(cut, size, mode="bilinear", align_corners=False)[0]
        inside = full > 0
        sharpness = (full.sigmoid() * inside).flatten(1).sum(1) / (inside.flatten(1).sum(1) + 1e-6)
        stacked = inside.cpu().numpy().transpose(1, 2, 0).astype(np.uint8)
        codes = coco_mask.encode(np.asfortranarray(stacked))
        rles = [{"size": c["size"], "counts": c["counts"].decode("ascii")} for c in codes]
        entities = {"masks": rles, "scores": (scores * sharpness).tolist()}
        return {"img_id": image_id, "pred_entities": entities}

    def export(self, folder: Path) -> None:
        """Write the weights as safetensors with the config beside them."""
        save_model(self, folder, {"model_type": "esg-colormap", **self.config})


def save_model(model: BaseModel, folder: Path, config: dict[str, Any]) -> None:
    """Write a model's weights as safetensors with a config beside them."""
    from safetensors.torch import save_file

    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, str(folder / "model.safetensors"))
    write_json(folder / "config.json", config)


def _decoded(record: EntityImage) -> np.ndarray:
    codes = list(record.masks)
    if not codes:
        return np.zeros((0, record.height, record.width), bool)
    return coco_mask.decode(codes).astype(bool).transpose(2, 0, 1)
