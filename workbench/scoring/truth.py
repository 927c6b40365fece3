"""Opens the annotations that masks are scored against."""

from __future__ import annotations

from pathlib import Path

from workbench.datasets import load_entities
from workbench.datasets.load import read_manifest
from workbench.errors import BadInput
from workbench.metrics.coco_truth import CocoTruthFile, DatasetTruth, Truth
from workbench.scoring.files import locate

# Forms whose annotation file is COCO's own: its ids, areas and order are kept.
_PLAIN_FORMS = ("coco_instances", "sginw")


def open_truth(source: Path, split: str) -> Truth:
    """Open the annotations of a data set: a manifest's or a COCO annotation file's.

    Raises:
        BadInput, MissingInput: They cannot be read.
    """
    where = locate(source, split)
    if where.is_manifest:
        content = read_manifest(source)
        form = content["splits"][split].get("format", content["format"])
        if form not in _PLAIN_FORMS:
            return DatasetTruth(load_entities(source, split))
    if where.annotations is None:
        fix = "give a manifest or COCO annotations"
        raise BadInput(source, "--dataset", "no annotation file", fix)
    return CocoTruthFile(where.annotations)
