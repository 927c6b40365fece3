"""Released Mask2Former checkpoints with the classes of their task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from projects.released.cropformer import HeadRelease, num_classes, oldest_name
from workbench.conversion.release import RELEASES, Tensors
from workbench.errors import BadInput

TASKS = ("entity", "instance", "panoptic", "semantic")
NO_OBJECT_WEIGHT = 0.1  # of the released loss


@RELEASES.register_module()
class Mask2FormerRelease(HeadRelease):
    """Mask2Former of one of four tasks, which differ in their classes.

    Args:
        task: ``entity`` has one class; the classes of ``instance`` and ``semantic`` all count as
            things, as in the models trained here; ``panoptic`` has those of COCO: 80 things, then
            53 kinds of stuff. Other panoptic data sets mix the two, and which is which is not in
            the file.
        backbones: See :class:`HeadRelease`.

    Raises:
        ValueError: Unknown task.
    """

    def __init__(self, task: str, backbones: dict[str, Any]) -> None:
        super().__init__(backbones)
        if task not in TASKS:
            raise ValueError(f"task {task!r} is not one of {', '.join(TASKS)}")
        self.task = task

    def fit(self, config: Config, tensors: Tensors, path: Path) -> None:
        super().fit(config, tensors, path)
        classes = num_classes(tensors)
        if self.task in ("entity", "panoptic"):
            self._check_classes(config, classes, path)
            return
        _set_classes(config.model, classes, 0)

    def as_read(self, tensors: Tensors) -> Tensors:
        """Return the oldest names for facebookresearch/Mask2Former, the newest for qqlu/Entity.

        The former's head takes every file for one of the oldest and renames its tensors. The
        latter's, for which models with one class are, does not.
        """
        if self.task == "entity":
            return tensors
        return {oldest_name(name): value for name, value in tensors.items()}

    def adopt(self, config: Config, own: Config) -> None:
        """Take over how many classes of a panoptic model are things."""
        model = own.get("model", {})
        if self.task == "panoptic" and model.get("type") == config.model.type:
            head = model.head
            _set_classes(config.model, head.num_things_classes, head.num_stuff_classes)

    def _check_classes(self, config: Config, classes: int, path: Path) -> None:
        head = config.model.head
        expected = head.num_things_classes + head.num_stuff_classes
        if classes != expected:
            problem = f"{classes} classes, not the {expected} of {self.task}"
            fix = f"give --task, one of {', '.join(TASKS)}"
            raise BadInput(path, "class_embed", problem, fix)


def _set_classes(model: ConfigDict, things: int, stuff: int) -> None:
    sizes = {"num_things_classes": things, "num_stuff_classes": stuff}
    model.head.update(sizes)
    model.fusion.update(sizes)
    model.head.loss_cls.class_weight = [1.0] * (things + stuff) + [NO_OBJECT_WEIGHT]
