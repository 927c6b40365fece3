"""CLIP vision encoder on low-resolution images (Eq. 9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from numpy.typing import NDArray
from torch import Tensor

from workbench.errors import MissingInput

# Mean and standard deviation of CLIP's training images, RGB in [0, 1] (arXiv 2103.00020, release).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def square(picture: NDArray[np.uint8], size: int, interpolation: int) -> NDArray[np.uint8]:
    """Resize so that the longer side is ``size``, and pad with zeros at bottom and right (5.3).

    Args:
        picture: (H, W) or (H, W, 3).
        size: Side of the result in pixels.
        interpolation: OpenCV's code.
    """
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    target = (max(round(width * scale), 1), max(round(height * scale), 1))
    resized = picture
    if target != (width, height):
        resized = cv2.resize(picture, target, interpolation=interpolation)
    padded = np.zeros((size, size, *picture.shape[2:]), picture.dtype)
    padded[: target[1], : target[0]] = resized
    return padded


def clip_pixels(image_bgr: NDArray[np.uint8], size: int) -> Tensor:
    """Return the (3, size, size) float input of CLIP for an (H, W, 3) uint8 BGR photograph."""
    rgb = square(image_bgr, size, cv2.INTER_AREA)[..., ::-1].astype(np.float32) / 255
    normed = (rgb - np.float32(CLIP_MEAN)) / np.float32(CLIP_STD)
    return torch.from_numpy(np.ascontiguousarray(normed.transpose(2, 0, 1)))


@MODELS.register_module()
class ClipImageEncoder(BaseModule):
    """A CLIP ViT from `transformers`, frozen or trained along.

    Args:
        pretrained: ``save_pretrained`` folder of a CLIP model or of its vision part.
        config: Instead of it, fields of ``CLIPVisionConfig``: random weights.
        frozen: Whether weights stay as they are.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        config: dict | None = None,
        frozen: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.clip = load_vision_model(pretrained, config)
        self.frozen = frozen
        if frozen:
            self.clip.requires_grad_(False)

    @property
    def channels(self) -> int:
        """Width C_v of the tokens."""
        return int(self.clip.config.hidden_size)

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return int(self.clip.config.image_size)

    @property
    def grid(self) -> int:
        """Side of the token grid: the number of visual tokens is its square."""
        return self.size // int(self.clip.config.patch_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the grid features (B, C_v, g, g) after the last layer of (B, 3, size, size)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            hidden = self.clip(pixel_values=pixels).last_hidden_state[:, 1:]
        return hidden.transpose(1, 2).unflatten(2, (self.grid, self.grid))

    def train(self, mode: bool = True) -> ClipImageEncoder:
        """Keep a frozen encoder in evaluation mode."""
        return super().train(mode and not self.frozen)


def load_vision_model(pretrained: str | None, config: dict | None) -> torch.nn.Module:
    """Load a CLIP vision model from a local folder, or build one from its config."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    if pretrained is None:
        return CLIPVisionModel(CLIPVisionConfig(**(config or {})))
    if not (Path(pretrained) / "config.json").is_file():
        raise MissingInput(pretrained, "run the stage pretrain, or give a CLIP folder")
    with quiet():
        return CLIPVisionModel.from_pretrained(
            pretrained, local_files_only=True, use_safetensors=True
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what `transformers` tells when it loads: a CLIP folder has a text part as well."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
