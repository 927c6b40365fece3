"""Stage ``pretrain`` of a small CLIP: phrases against pictures of what they name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import DATASETS, MODELS
from mmengine.model import BaseModel
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from projects.gella.image_encoder import clip_pixels
from projects.gella.pretrain.tokenizer import captions_of, train_tokenizer
from workbench.datasets.narratives import load_narratives
from workbench.engine.draws import DrawDataset
from workbench.photos import read_photo

MARGIN = (1.0, 2.5)


@DATASETS.register_module()
class PhraseCropDataset(DrawDataset):
    """Singular grounded phrases, each with a crop around the entity that it names.

    Args:
        manifest: Data manifest with narratives.
        split: Split of grounded narratives.
        size: Side of the crops in pixels.
        vocab_size: Of the tokenizer, trained on the split's captions.
    """

    def __init__(self, manifest: str, split: str, size: int, vocab_size: int) -> None:
        self.size = size
        self.tokenizer = train_tokenizer(captions_of(Path(manifest), [split]), vocab_size)
        self.narratives = load_narratives(Path(manifest), split)
        self.phrases = [
            (at, phrase)
            for at, narrative in enumerate(self.narratives.narratives)
            for phrase in narrative.phrases
            if len(phrase.segment_ids) == 1
        ]
        self.pictures: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.phrases)

    def load(self, index: int) -> dict[str, Any]:
        """Return a crop (3, size, size), token ids (L,) and the phrase's text."""
        at, phrase = self.phrases[index]
        _, image = self.narratives[at]
        mask = image.masks[image.segment_ids.index(phrase.segment_ids[0])]
        crop = self._crop(read_photo(image.file), coco_mask.toBbox(mask))
        text = phrase.text.lower()
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([self.tokenizer.bos_token_id, *ids, self.tokenizer.eos_token_id])
        return {"crops": crop, "tokens": tokens, "texts": text}

    def _crop(self, photo: np.ndarray, box: np.ndarray) -> Tensor:
        """Cut a square with a random margin around a box (x, y, w, h), kept in the picture."""
        x, y, width, height = box
        side = max(width, height) * np.random.uniform(*MARGIN)
        side = int(min(max(side, 8), *photo.shape[:2]))
        left = int(np.clip(x + width / 2 - side / 2, 0, photo.shape[1] - side))
        top = int(np.clip(y + height / 2 - side / 2, 0, photo.shape[0] - side))
        cut = photo[top : top + side, left : left + side]
        return clip_pixels(
            cv2.resize(cut, (self.size, self.size), interpolation=cv2.INTER_AREA), self.size
        )


@MODELS.register_module()
class ClipPretraining(BaseModel):
    """A CLIP with random weights, trained by contrast within a batch.

    Equal phrases of a batch are not each other's negatives: their rows share the target.

    Args:
        vision: Fields of ``CLIPVisionConfig``.
        text: Fields of ``CLIPTextConfig``.
        projection_dim: Width of the common space.
        tokenizer: ``manifest``, ``splits`` and ``vocab_size`` of the tokenizer to save beside it.
    """

    def __init__(
        self,
        vision: dict,
        text: dict,
        projection_dim: int,
        tokenizer: dict,
        init_cfg: dict | None = None,
    ) -> None:
        from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

        super().__init__(init_cfg=init_cfg)
        self.tokenizer_config = tokenizer
        ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
        text_config = CLIPTextConfig(vocab_size=tokenizer["vocab_size"], **ends, **text)
        vision_config = CLIPVisionConfig(**vision)
        self.model = CLIPModel(
            CLIPConfig(
                text_config=text_config.to_dict(),
                vision_config=vision_config.to_dict(),
                projection_dim=projection_dim,
            )
        )

    def forward(
        self,
        crops: Sequence[Tensor],
        tokens: Sequence[Tensor],
        texts: Sequence[str],
        mode: str = "tensor",
    ) -> Any:
        """Return the symmetric contrastive loss, or the (B, B) similarities image by text."""
        device = self.model.device
        ids = pad_sequence([row.to(device) for row in tokens], batch_first=True, padding_value=2)
        lengths = torch.tensor([len(row) for row in tokens], device=device)[:, None]
        there = (torch.arange(ids.shape[1], device=device)[None] < lengths).long()
        pixels = torch.stack(list(crops)).to(device)
        out = self.model(input_ids=ids, pixel_values=pixels, attention_mask=there)
        logits = out.logits_per_image
        if mode != "loss":
            return logits
        same = torch.tensor([[a == b for b in texts] for a in texts], device=device)
        wanted = same.float() / same.sum(1, keepdim=True)
        loss = (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2
        with torch.no_grad():
            right = same.gather(1, logits.argmax(1, keepdim=True)).float().mean()
        return {"loss": loss, "accuracy": right}

    def export(self, folder: Path) -> None:
        """Write model and tokenizer as an ordinary ``save_pretrained`` folder."""
        self.model.save_pretrained(folder)
        given = self.tokenizer_config
        texts = captions_of(Path(given["manifest"]), given["splits"])
        train_tokenizer(texts, given["vocab_size"]).save_pretrained(folder)
