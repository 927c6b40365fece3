"""GELLA: captions grounded in entity masks (section 4.2), as MMDetection components."""

from projects.gella.association import AssociationHead
from projects.gella.dataset import GroundingDataset
from projects.gella.gella import Gella
from projects.gella.image_encoder import ClipImageEncoder
from projects.gella.language import LanguageDecoder
from projects.gella.mask_decoder import EntityMaskDecoder
from projects.gella.resoblend import ResoBlend

__all__ = [
    "AssociationHead",
    "ClipImageEncoder",
    "EntityMaskDecoder",
    "Gella",
    "GroundingDataset",
    "LanguageDecoder",
    "ResoBlend",
]
