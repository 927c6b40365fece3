"""A trained segmenter, from its checkpoint to the scored entities of a photograph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, MissingInput
from workbench.segmentation.config_text import config_of
from workbench.segmentation.label_map import Rle

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

ENTITY_CATEGORY = 1
LOADERS = ("LoadPhoto", "LoadImageFromFile", "LoadAnnotations")


@dataclass(frozen=True)
class Entity:
    """One scored mask.

    Attributes:
        segmentation: COCO RLE at the photograph's size.
        score: Class score times mask quality, 0-1.
        class_score: Probability of being an entity, 0-1.
    """

    segmentation: Rle
    score: float
    class_score: float

    def record(self) -> dict[str, Any]:
        """Return a COCO result without its image."""
        return {
            "category_id": ENTITY_CATEGORY,
            "segmentation": self.segmentation,
            "score": self.score,
            "class_score": self.class_score,
        }


class Segmenter:
    """Runs a model on one photograph at a time.

    Args:
        model: MMDetection detector whose ``test_step`` gives samples with ``pred_entities``.
        pipeline: From a dict with ``img``, (H, W, 3) uint8 BGR, ``img_shape`` and ``ori_shape`` to
            model input.
        score: Which score the model gives, ``double_sigmoid`` or ``single_sigmoid``.
    """

    def __init__(
        self, model: nn.Module, pipeline: Callable[[dict[str, Any]], Any], score: str
    ) -> None:
        # To mypy every attribute of a module is a tensor or a module, not a method.
        self.model: Any = model.eval()
        self.pipeline, self.score = pipeline, score

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        device: str | None = None,
        overrides: dict[str, Any] | None = None,
        field: str = "overrides",
    ) -> Segmenter:
        """Build the model of a finished checkpoint from the config inside it.

        Args:
            path: File that the train stage or ``esg convert`` wrote.
            device: "cpu" or "cuda"; CUDA where there is one by default.
            overrides: Nested values merged into the config; every key must exist already.
            field: Where in ``params.yaml`` the overrides are, for errors.

        Raises:
            MissingInput: No such file.
            BadInput: Damaged, no config inside, a config that does not build, weights that do not
                fit it, or an override of something that it does not have.
        """
        import torch

        from workbench.engine.checkpoint import apply_weights, read_weights_only
        from workbench.overrides import merge_overrides

        if not path.is_file():
            raise MissingInput(path, "train it first, or give --checkpoint")
        config = config_of(read_weights_only(path), path)
        merge_overrides(config, overrides or {}, field)
        model, pipeline = _build(config, path)
        apply_weights(model, path)
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        test_cfg = config.model.get("test_cfg") or {}
        return cls(model, pipeline, test_cfg.get("score", "double_sigmoid"))

    def prepare(self, image: NDArray[np.uint8], name: str = "") -> dict[str, Any]:
        """Return a photograph, (H, W, 3) uint8 BGR, as a batch of one for the model."""
        from mmengine.dataset import pseudo_collate

        size = image.shape[:2]
        sample = {"img": image, "img_shape": size, "ori_shape": size, "img_path": name}
        batch: dict[str, Any] = pseudo_collate([self.pipeline(sample)])
        return batch

    def predict(self, batch: dict[str, Any]) -> list[Entity]:
        """Return the entities of a prepared photograph, the highest score first."""
        import torch

        with torch.inference_mode():
            found = self.model.test_step(batch)[0].pred_entities
        entities = [
            Entity(mask, float(score), float(class_score))
            for mask, score, class_score in zip(
                found.masks, found.scores.tolist(), found.class_scores.tolist(), strict=True
            )
        ]
        return sorted(entities, key=lambda entity: -entity.score)

    def segment(self, image: NDArray[np.uint8]) -> list[Entity]:
        """Return the entities of a photograph, (H, W, 3) uint8 BGR, the highest score first."""
        return self.predict(self.prepare(image))


def _build(config: Config, path: Path) -> tuple[nn.Module, Callable[[dict[str, Any]], Any]]:
    """Build a config's model, without weights, and its test pipeline, without its loaders.

    MMDetection prints a remark about an optional package when it is imported, which would mix with
    JSON on standard output: what is printed here is dropped.
    """
    with redirect_stdout(StringIO()):
        from mmdet.registry import MODELS
        from mmengine.dataset import Compose
        from mmengine.registry import init_default_scope
        from mmengine.utils import import_modules_from_strings

        from workbench.engine import registry, transforms  # noqa: F401  (registers types)

        try:
            init_default_scope(config.get("default_scope", "mmdet"))
            import_modules_from_strings(**(config.get("custom_imports") or {"imports": []}))
            pipeline = Compose(_photo_pipeline(config))
            return MODELS.build(config.model), pipeline
        # Registries pass on whatever a constructor raises.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            fix = "use the version of the code that the checkpoint was trained with"
            raise BadInput(path, "meta.config", f"does not build ({reason[:200]})", fix) from error


def _photo_pipeline(config: Config) -> list[dict[str, Any]]:
    """Return the test transforms that follow loading: photographs are read by `read_photo`."""
    for name in ("test_dataloader", "val_dataloader"):
        dataset = (config.get(name) or {}).get("dataset")
        while dataset and "dataset" in dataset:
            dataset = dataset["dataset"]
        if dataset and dataset.get("pipeline"):
            return [step for step in dataset.pipeline if step["type"] not in LOADERS]
    raise KeyError("neither test_dataloader nor val_dataloader has a pipeline")
