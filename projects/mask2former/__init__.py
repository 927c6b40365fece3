"""Mask2Former for other tasks than entities: panoptic segmentation, and grey maps of one object."""

import workbench.engine  # noqa: F401  (mmcv stand-in must be there before MMDetection is imported)
from projects.mask2former.class_data import ClassImageDataset, PackClassViews
from projects.mask2former.grey_map import GreyMapSegmentor
from projects.mask2former.panoptic import PanopticSegmentor

__all__ = ["ClassImageDataset", "GreyMapSegmentor", "PackClassViews", "PanopticSegmentor"]
