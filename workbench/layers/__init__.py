"""Layers of segmenters that compute what MMDetection's do in less time and memory.

They take the same arguments and hold the same parameters by the same names, so that checkpoints fit
both. The models of `projects` are built of them; a config chooses them by their type.
"""

import workbench.engine  # noqa: F401  (mmcv stand-in must be there before MMDetection is imported)
from workbench.layers.mask2former_head import Decoded, FusedMask2FormerHead, PixelFeatures
from workbench.layers.pixel_decoder import FusedPixelDecoder
from workbench.layers.swin import FusedSwinTransformer

__all__ = [
    "Decoded",
    "FusedMask2FormerHead",
    "FusedPixelDecoder",
    "FusedSwinTransformer",
    "PixelFeatures",
]
