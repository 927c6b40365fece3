"""CropFormer, entity segmentation from a full view and its corner crops (paper 4.1)."""

import workbench.layers  # noqa: F401  (registers layers; before MMDetection, which needs its stand-in)
from projects.cropformer.corner_crop import CornerCropViews, PackViews
from projects.cropformer.cropformer import MultiViewSegmentor
from projects.cropformer.cropformer_head import CropFormerHead
from projects.cropformer.multi_view_head import MultiViewHead
from projects.cropformer.released import CropFormerRelease
from projects.cropformer.released_backbones import ResNetRelease, SwinRelease
from projects.cropformer.view_association import ViewAssociation
from projects.cropformer.view_preprocessor import ViewPreprocessor

__all__ = [
    "CornerCropViews",
    "CropFormerHead",
    "CropFormerRelease",
    "MultiViewHead",
    "MultiViewSegmentor",
    "PackViews",
    "ResNetRelease",
    "SwinRelease",
    "ViewAssociation",
    "ViewPreprocessor",
]
