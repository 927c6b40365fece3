"""Entities with their classes as training targets.

Classes are numbered things first, then stuff, each by ascending category id: MMDetection's heads
tell the two apart by the number alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, TRANSFORMS

from projects.cropformer import PackViews
from workbench.engine.dataset import EntityImageDataset, sample_of
from workbench.errors import BadInput


@DATASETS.register_module()
class ClassImageDataset(EntityImageDataset):
    """Images whose instances have the number of their class as ``bbox_label``.

    Args:
        num_things: Classes of things that the model has.
        num_stuff: Classes of stuff that the model has.
        kwargs: Arguments of :class:`EntityImageDataset`.

    Raises:
        BadInput: The data set has other numbers of classes, or the split has no images.
    """

    def __init__(self, num_things: int, num_stuff: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        classes = sorted(
            self.entities.categories, key=lambda each: (not each.isthing, each.category_id)
        )
        things = sum(each.isthing for each in classes)
        if (things, len(classes) - things) != (num_things, num_stuff):
            problem = f"{things} things and {len(classes) - things} stuff"
            fix = f"the config has {num_things} and {num_stuff}: use another config or data set"
            raise BadInput(kwargs["manifest"], "categories", problem, fix)
        self.number_of = {each.category_id: place for place, each in enumerate(classes)}

    def load(self, index: int) -> Any | None:
        """Run the pipeline on image ``index``.

        Raises:
            BadInput: An entity's category is not among the data set's.
        """
        image = self.entities[index]
        sample = sample_of(image)
        for instance, category in zip(sample["instances"], image.category_ids, strict=True):
            if category not in self.number_of:
                field = f"image {image.image_id!r}: category_id"
                fix = "use annotations with all their categories"
                raise BadInput(image.file, field, f"{category} is no category", fix)
            instance["bbox_label"] = self.number_of[category]
        return self.pipeline(sample)


@TRANSFORMS.register_module()
class PackClassViews(PackViews):
    """Pack views as :class:`PackViews` does, with the classes of their entities.

    Required keys: those of :class:`PackViews`, gt_bboxes_labels (G,) int64 and gt_ignore_flags.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` uint8 (T, 3, h, w) BGR and ``data_samples``."""
        packed = super().transform(results)
        if "view_masks" in results:
            keep = results["view_masks"].any(axis=(1, 2, 3))
            keep &= ~np.asarray(results["gt_ignore_flags"], dtype=bool)
            labels = torch.from_numpy(results["gt_bboxes_labels"][keep])
            packed["data_samples"].gt_instances.labels = labels
        return packed
