"""Metrics of ``workbench.metrics`` as MMEngine metrics, for validation during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric


def detections_of(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """Return COCO-style detections of one image from a data sample's ``pred_entities``."""
    image_id = sample["image_id"] if "image_id" in sample else sample["img_id"]
    entities = sample["pred_entities"]
    return [
        {"image_id": image_id, "category_id": 1, "segmentation": mask, "score": float(score)}
        for mask, score in zip(entities["masks"], entities["scores"], strict=True)
    ]


@METRICS.register_module()
class EntityAP(BaseMetric):
    """Class-agnostic mask AP of predicted entities, as fractions.

    Args:
        manifest: Data manifest that holds the ground truth.
        split: Split that is validated on. Images that were not predicted do not count, so that
            a shortened validation is scored on what it saw.
    """

    def __init__(self, manifest: str, split: str) -> None:
        super().__init__()
        self.manifest, self.split = Path(manifest), split

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the detections of a batch."""
        for sample in data_samples:
            image_id = sample["image_id"] if "image_id" in sample else sample["img_id"]
            self.results.append((image_id, detections_of(sample)))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Score all collected detections against the images that were seen."""
        from workbench.datasets import load_entities
        from workbench.metrics.entity_ap import score_entities

        truth = load_entities(self.manifest, self.split).to_coco()
        seen = {image_id for image_id, _ in results}
        truth["images"] = [image for image in truth["images"] if image["id"] in seen]
        truth["annotations"] = [a for a in truth["annotations"] if a["image_id"] in seen]
        detections = [detection for _, found in results for detection in found]
        scores = score_entities(truth, detections).metrics
        return {name: float(scores[name]) for name in ("APe", "AP50", "AP75") if name in scores}
