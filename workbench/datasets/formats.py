"""The on-disk forms that can be read: one reader class a form."""

from __future__ import annotations

from workbench.datasets.binary_masks import BinaryMaskReader, FewShotReader
from workbench.datasets.entityseg import EntitySegReader
from workbench.datasets.instances import InstanceReader
from workbench.datasets.label_maps import InstanceMapReader, OcidReader, SemanticMapReader
from workbench.datasets.lvis import LvisReader
from workbench.datasets.panoptic import PanopticReader
from workbench.datasets.reader import Reader
from workbench.datasets.reasonseg import ReasonsegReader
from workbench.datasets.refcoco import RefcocoReader
from workbench.datasets.sginw import SginwReader
from workbench.datasets.vipseg import Vipseg720Reader, VipsegReader
from workbench.datasets.ytvis import UvoReader, YtvisReader

FORMATS: dict[str, type[Reader]] = {
    "entityseg": EntitySegReader,
    "coco_panoptic": PanopticReader,
    "coco_instances": InstanceReader,
    "lvis": LvisReader,
    "sginw": SginwReader,
    "semantic_maps": SemanticMapReader,
    "instance_maps": InstanceMapReader,
    "ocid": OcidReader,
    "binary_masks": BinaryMaskReader,
    "fss1000": FewShotReader,
    "refcoco": RefcocoReader,
    "reasonseg": ReasonsegReader,
    "ytvis": YtvisReader,
    "uvo": UvoReader,
    "vipseg": VipsegReader,
    "vipseg_720p": Vipseg720Reader,
}

# Fields that the entry of any split may have, beside those that its reader needs.
COMMON_FIELDS = ("annotations", "images", "masks", "num_images", "narratives", "format")


def split_fields() -> tuple[str, ...]:
    """Return the fields that a split's description may have, over all forms."""
    more = [field for reader in FORMATS.values() for field in (*reader.needs, *reader.options)]
    return tuple(dict.fromkeys([*COMMON_FIELDS, *more]))
