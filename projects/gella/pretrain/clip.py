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
from workbench.datasets.narratives import Narrative, load_narratives
from workbench.engine.draws import DrawDataset
from workbench.photos import read_photo

# Side of a crop as a share of the picture's, at least; at most the whole picture.
SMALLEST_CROP = 0.6


@DATASETS.register_module()
class PhrasePictureDataset(DrawDataset):
    """Grounded phrases, each with a crop of its picture that holds what it names.

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
            if phrase.grounded
        ]

    def __len__(self) -> int:
        return len(self.phrases)

    def load(self, index: int) -> dict[str, Any]:
        """Return a crop (3, size, size), token ids (L,), the phrase and all of its picture."""
        at, phrase = self.phrases[index]
        narrative, image = self.narratives[at]
        masks = [image.masks[image.segment_ids.index(number)] for number in phrase.segment_ids]
        crop = self._crop(read_photo(image.file), coco_mask.toBbox(coco_mask.merge(masks)))
        text = phrase.text.lower()
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([self.tokenizer.bos_token_id, *ids, self.tokenizer.eos_token_id])
        return {"crops": crop, "tokens": tokens, "texts": text, "present": _texts(narrative)}

    def _crop(self, photo: np.ndarray, box: np.ndarray) -> Tensor:
        """Cut a square at random that holds a box (x, y, w, h), as far as it fits."""
        x, y, width, height = box
        limit = min(photo.shape[:2])
        side = int(limit * np.random.uniform(SMALLEST_CROP, 1))
        side = min(max(side, int(np.ceil(max(width, height)))), limit)
        left = _offset(x, width, side, photo.shape[1])
        top = _offset(y, height, side, photo.shape[0])
        cut = photo[top : top + side, left : left + side]
        return clip_pixels(
            cv2.resize(cut, (self.size, self.size), interpolation=cv2.INTER_AREA), self.size
        )


def _offset(begin: float, length: float, side: int, limit: int) -> int:
    """Draw where a window of ``side`` begins that holds the interval and stays below ``limit``."""
    lowest = max(int(np.ceil(begin + length)) - side, 0)
    highest = max(min(int(begin), limit - side), lowest)
    return min(int(np.random.randint(lowest, highest + 1)), limit - side)


def _texts(narrative: Narrative) -> frozenset[str]:
    return frozenset(phrase.text.lower() for phrase in narrative.phrases)


@MODELS.register_module()
class ClipPretraining(BaseModel):
    """A CLIP with random weights, trained by contrast within a batch.

    A phrase is compared with the image tokens that are most like it, as FILIP does (arXiv
    2111.07783, Eq. 4; here the mean of the best few), since those tokens are what GELLA reads; the
    class token of CLIP's own loss would leave them unsupervised. A phrase that names something of
    another picture of the batch is not that picture's negative.

    Args:
        vision: Fields of ``CLIPVisionConfig``.
        text: Fields of ``CLIPTextConfig``.
        projection_dim: Width of the common space.
        best: Image tokens that a phrase is compared with.
        tokenizer: ``manifest``, ``splits`` and ``vocab_size`` of the tokenizer to save beside it.
    """

    def __init__(
        self,
        vision: dict,
        text: dict,
        projection_dim: int,
        tokenizer: dict,
        best: int = 6,
        init_cfg: dict | None = None,
    ) -> None:
        from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

        super().__init__(init_cfg=init_cfg)
        self.tokenizer_config, self.best = tokenizer, best
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
        present: Sequence[frozenset[str]],
        mode: str = "tensor",
    ) -> Any:
        """Return the symmetric contrastive loss, or the (B, B) similarities image by text.

        Args:
            crops: B pictures (3, S, S).
            tokens: B phrases (L,).
            texts: The phrases as text.
            present: Of each picture, all its phrases.
            mode: "loss" or "tensor".
        """
        device = self.model.device
        ids = pad_sequence([row.to(device) for row in tokens], batch_first=True, padding_value=2)
        lengths = torch.tensor([len(row) for row in tokens], device=device)[:, None]
        there = (torch.arange(ids.shape[1], device=device)[None] < lengths).long()
        pixels = torch.stack(list(crops)).to(device)
        words = self._text(ids, there)
        places = self._places(pixels)
        similar = torch.einsum("bpc,tc->btp", places, words)
        logits = similar.topk(self.best, dim=-1).values.mean(-1) * self.model.logit_scale.exp()
        if mode != "loss":
            return logits
        same = torch.tensor([[a == b for b in texts] for a in texts], device=device)
        known = torch.tensor([[text in own for text in texts] for own in present], device=device)
        logits = logits.masked_fill(known & ~same, float("-inf"))
        loss = (_contrast(logits, same) + _contrast(logits.T, same)) / 2
        with torch.no_grad():
            right = same.gather(1, logits.argmax(1, keepdim=True)).float().mean()
        return {"loss": loss, "accuracy": right}

    def _text(self, ids: Tensor, there: Tensor) -> Tensor:
        """Return (B, C) unit vectors of phrases."""
        out = self.model.text_model(input_ids=ids, attention_mask=there)
        return F.normalize(self.model.text_projection(out.pooler_output), dim=-1)

    def _places(self, pixels: Tensor) -> Tensor:
        """Return (B, P, C) unit vectors of the P image tokens."""
        hidden = self.model.vision_model(pixel_values=pixels).last_hidden_state[:, 1:]
        return F.normalize(self.model.visual_projection(hidden), dim=-1)

    def export(self, folder: Path) -> None:
        """Write model and tokenizer as an ordinary ``save_pretrained`` folder."""
        self.model.save_pretrained(folder)
        given = self.tokenizer_config
        texts = captions_of(Path(given["manifest"]), given["splits"])
        train_tokenizer(texts, given["vocab_size"]).save_pretrained(folder)


def _contrast(logits: Tensor, same: Tensor) -> Tensor:
    """Return the cross-entropy of rows whose targets share their weight equally."""
    log_shares = F.log_softmax(logits, dim=1)
    return -(log_shares.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()
