"""Segmentation with classes, by Mask2Former and by those before it; grey maps of one object."""

import workbench.engine  # noqa: F401  (mmcv stand-in must be there before MMDetection is imported)
from projects.mask2former.box_segmentors import BoxPanopticSegmentor, BoxSegmentor
from projects.mask2former.class_data import ClassImageDataset, PackClassViews
from projects.mask2former.deeplabv3 import ASPPHead, SemanticNet
from projects.mask2former.grey_map import GreyMapSegmentor
from projects.mask2former.panoptic import PanopticSegmentor
from projects.mask2former.tasks import InstanceSegmentor, SemanticSegmentor

__all__ = [
    "ASPPHead",
    "BoxPanopticSegmentor",
    "BoxSegmentor",
    "ClassImageDataset",
    "GreyMapSegmentor",
    "InstanceSegmentor",
    "PackClassViews",
    "PanopticSegmentor",
    "SemanticNet",
    "SemanticSegmentor",
]
