"""SAM's automatic masks of a photograph: a grid of prompts, filtered as SAM's own generator does.

Transformers does it all but the suppression of duplicates, for which it wants torchvision.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput
from workbench.segmentation.segmenter import Entity

if TYPE_CHECKING:
    from torch import Tensor

FILES = ("config.json", "preprocessor_config.json")
HUB_FIX = "give a folder of a SAM model as transformers' `save_pretrained` writes it"


@dataclass(frozen=True)
class Settings:
    """Settings of the mask generator.

    Source: facebookresearch/segment-anything ``automatic_mask_generator.py``, its defaults; 100
    masks are what Table VIII counts.
    """

    points_per_side: int = 32
    predicted_iou: float = 0.88
    stability: float = 0.95
    box_nms: float = 0.7
    max_masks: int = 100


class AutomaticMasks:
    """Finds entities without a prompt of the user's.

    Args:
        folder: Model and image processor as transformers writes them.
        device: "cpu" or "cuda".
        settings: Of the generator.

    Raises:
        MissingInput: A file of the folder is not there.
        BadInput: It is not a SAM model, or damaged.
    """

    def __init__(self, folder: Path, device: str, settings: Settings | None = None) -> None:
        for name in FILES:
            if not (folder / name).is_file():
                raise MissingInput(folder / name, HUB_FIX)
        self.settings = settings or Settings()
        with redirect_stdout(StringIO()):
            self._generate = _pipeline(folder, device)

    def segment(self, image: NDArray[np.uint8]) -> list[Entity]:
        """Return the best masks of a photograph, (H, W, 3) uint8 BGR, the highest score first.

        The score is the IoU that the model predicts for its own mask.
        """
        from PIL import Image
        from pycocotools import mask as mask_utils

        found = self._generate(
            Image.fromarray(image[..., ::-1]),
            points_per_crop=self.settings.points_per_side,
            pred_iou_thresh=self.settings.predicted_iou,
            stability_score_thresh=self.settings.stability,
            crops_nms_thresh=self.settings.box_nms,
        )
        entities = []
        for mask, score in zip(found["masks"], found["scores"].tolist(), strict=True):
            code = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
            rle = {"size": list(mask.shape), "counts": code["counts"].decode("ascii")}
            entities.append(Entity(rle, float(score), float(score)))
        entities.sort(key=lambda entity: -entity.score)
        return entities[: self.settings.max_masks]


def _pipeline(folder: Path, device: str) -> Any:
    """Build transformers' mask generator from local files."""
    from transformers import SamModel, pipeline
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    class Processor(SamImageProcessorPil):
        """The processor that works on PIL pictures, with suppression of our own."""

        def post_process_for_mask_generation(
            self, all_masks: list[Any], all_scores: Tensor, all_boxes: Tensor, threshold: float
        ) -> tuple[list[Any], Tensor, list[Any], Tensor]:
            kept = suppress(all_boxes.cpu().numpy(), all_scores.float().cpu().numpy(), threshold)
            codes = [all_masks[index] for index in kept]
            return [_decode(code) for code in codes], all_scores[kept], codes, all_boxes[kept]

    try:
        model = SamModel.from_pretrained(str(folder), local_files_only=True)
        processor = Processor.from_pretrained(str(folder), local_files_only=True)
    # The library raises many kinds of errors for a folder of something else.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(folder, "model", reason[:200], HUB_FIX) from error
    return pipeline("mask-generation", model=model, image_processor=processor, device=device)


def suppress(boxes: NDArray[Any], scores: NDArray[np.floating[Any]], threshold: float) -> list[int]:
    """Return which boxes stay, the highest score first, when those that overlap a better one go.

    Args:
        boxes: (N, 4) xyxy in pixels.
        scores: (N,).
        threshold: IoU above which the lower score goes.
    """
    boxes = boxes.astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        waiting = rest[shared <= threshold * (areas[best] + areas[rest] - shared)]
    return kept


def _decode(code: dict[str, Any]) -> NDArray[np.bool_]:
    """Return the (H, W) mask of plain counts, column by column."""
    counts: Sequence[int] = code["counts"]
    height, width = code["size"]
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T
