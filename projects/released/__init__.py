"""Released checkpoints of CropFormer, Mask2Former and their backbones, and what ours are called.

Apart from the models, so that nothing that is trained depends on it.
"""

from projects.released.backbones import ResNetRelease, SwinRelease
from projects.released.cropformer import CropFormerRelease
from projects.released.mask2former import Mask2FormerRelease

__all__ = ["CropFormerRelease", "Mask2FormerRelease", "ResNetRelease", "SwinRelease"]
