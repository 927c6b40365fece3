"""CropFormer, entity segmentation from a full view and its corner crops (paper 4.1)."""

import workbench.layers  # noqa: F401  (registers layers; before MMDetection, which needs its stand-in)
from projects.cropformer.corner_crop import CornerCropViews, PackViews
from projects.cropformer.cropformer import MultiViewSegmentor
from projects.cropformer.cropformer_head import CropFormerHead
from projects.cropformer.multi_view_head import MultiViewHead
from projects.cropformer.view_association import ViewAssociation
from projects.cropformer.view_preprocessor import ViewPreprocessor

__all__ = [
    "CornerCropViews",
    "CropFormerHead",
    "MultiViewHead",
    "MultiViewSegmentor",
    "PackViews",
    "ViewAssociation",
    "ViewPreprocessor",
]
