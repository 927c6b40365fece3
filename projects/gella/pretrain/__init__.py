"""Training of the small stand-ins for weights that are downloaded at paper scale."""

from projects.gella.pretrain.clip import ClipPretraining, PhrasePictureDataset
from projects.gella.pretrain.language import CaptionDataset, LanguagePretraining
from projects.gella.pretrain.mask_path import MaskPathPretraining, UnrelatedPictureDataset
from projects.gella.pretrain.masks import ColormapDataset, ColormapReconstructor

__all__ = [
    "CaptionDataset",
    "ClipPretraining",
    "ColormapDataset",
    "ColormapReconstructor",
    "LanguagePretraining",
    "MaskPathPretraining",
    "PhrasePictureDataset",
    "UnrelatedPictureDataset",
]
