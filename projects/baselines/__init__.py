"""Methods that the paper compares with and that MMDetection lacks.

V-Mask2Former needs no file of its own: it is ``MultiViewHead`` on several views.
"""

import workbench.engine  # noqa: F401  (mmcv stand-in must be there before MMDetection is imported)
from projects.baselines.scale_matching import ScaleMatchedSegmentor
from projects.baselines.vita_head import VITAHead

__all__ = ["ScaleMatchedSegmentor", "VITAHead"]
