"""The families of numbers that ``esg evaluate`` scores from files alone, by name."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import BadInput
from workbench.scoring.annotations import Agreement, Statistics
from workbench.scoring.dichotomous import Dichotomous
from workbench.scoring.files import FileMetric
from workbench.scoring.instances import Instances, SegmentationInTheWild
from workbench.scoring.panoptic import PanopticImages
from workbench.scoring.panoptic_video import PanopticVideos
from workbench.scoring.referring import Referring
from workbench.scoring.semantic import SemanticMaps
from workbench.scoring.videos import Tubes

FILE_METRICS: dict[str, FileMetric] = {
    "instance_ap": Instances(),
    "sginw_ap": SegmentationInTheWild(),
    "mean_iou": SemanticMaps(),
    "panoptic_quality": PanopticImages(),
    "referring_iou": Referring(),
    "dichotomous": Dichotomous(),
    "tube_ap": Tubes(class_agnostic=False),
    "tube_entity_ap": Tubes(class_agnostic=True),
    "vpq": PanopticVideos(),
    "annotator_agreement": Agreement(),
    "shape_statistics": Statistics(),
}


def check_needed(predictions: Path | None, metric: str) -> None:
    """Refuse a metric without the predictions that it scores.

    Raises:
        BadInput: There is nothing to score.
    """
    family = FILE_METRICS.get(metric)
    if predictions is None and (family is None or family.needs_predictions):
        raise BadInput("PREDICTIONS", metric, "not given", "name the file or folder to score")
