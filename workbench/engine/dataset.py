"""Entity segmentation data set for MMEngine, read through ``workbench.datasets``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdet.registry import DATASETS
from mmengine.dataset import Compose

from workbench.engine.draws import DrawDataset
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.datasets import EntityImage


def _boxes_xyxy(masks: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Return the tight boxes of RLE masks, xyxy in pixels; ``[]`` for no masks."""
    from pycocotools import mask as coco_mask

    if not masks:
        return []
    xywh = coco_mask.toBbox(list(masks))
    return [[x, y, x + w, y + h] for x, y, w, h in xywh.tolist()]


def sample_of(image: EntityImage) -> dict[str, Any]:
    """Return what a pipeline starts from: file, sizes (height, width) and instances.

    Instances hold ``mask`` (RLE), ``bbox`` (xyxy, pixels), ``bbox_label`` (always 0) and
    ``ignore_flag`` (1 for a crowd region), as MMDetection's LoadAnnotations reads them.
    """
    instances = [
        {"mask": mask, "bbox": box, "bbox_label": 0, "ignore_flag": int(crowd)}
        for mask, box, crowd in zip(
            image.masks, _boxes_xyxy(image.masks), image.iscrowd, strict=True
        )
    ]
    return {
        "img_path": str(image.file),
        "img_id": image.image_id,
        "file_name": image.file_name,
        "height": image.height,
        "width": image.width,
        "ori_shape": (image.height, image.width),
        "instances": instances,
    }


@DATASETS.register_module()
class EntityImageDataset(DrawDataset):
    """Images with class-agnostic entity masks.

    Args:
        manifest: File that ``prep`` wrote for the data set.
        split: Name of a split in the manifest.
        pipeline: MMEngine transforms.
        max_images: Keep the first images only, e.g. for a short validation.

    Raises:
        BadInput: The split has no images.
    """

    METAINFO: dict[str, Any] = {"classes": ("entity",), "palette": [(220, 20, 60)]}

    def __init__(
        self,
        manifest: str,
        split: str,
        pipeline: Sequence[dict[str, Any]],
        max_images: int | None = None,
    ) -> None:
        from workbench.datasets import load_entities

        entities = load_entities(Path(manifest), split)
        count = len(entities) if max_images is None else min(max_images, len(entities))
        if count == 0:
            raise BadInput(manifest, f"splits.{split}", "no images", "make the data set again")
        self.entities = entities
        self.count = count
        self.pipeline = Compose(list(pipeline))

    @property
    def metainfo(self) -> dict[str, Any]:
        """Class names, for MMDetection's visualizers and metrics."""
        return dict(self.METAINFO)

    def __len__(self) -> int:
        return self.count

    def load(self, index: int) -> Any | None:
        """Run the pipeline on image ``index``."""
        return self.pipeline(sample_of(self.entities[index]))
