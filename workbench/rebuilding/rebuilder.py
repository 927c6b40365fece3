"""A trained reconstructor, from its checkpoint to the entities that a colormap encodes."""

from __future__ import annotations

import zlib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from workbench.errors import BadInput, EsgError, MissingInput
from workbench.segmentation.config_text import config_of
from workbench.segmentation.segmenter import ENTITY_CATEGORY

Entities = list[dict[str, Any]]


class Source(NamedTuple):
    """What is rebuilt: a split of a data set, by the path of its manifest."""

    manifest: Path
    split: str


class Rebuilder:
    """Paints the annotated entities of one picture at a time and rebuilds them from the colours.

    Args:
        model: MMEngine model that in the mode "predict" takes lists of what ``colormaps`` gives and
            returns, for each picture, ``pred_entities`` with ``masks`` (COCO RLE at the picture's
            size) and ``scores`` (0-1).
        colormaps: Data set with ``load(index)``, a dict with ``colormaps``, (3, S, S) uint8, whose
            colours are drawn from the global random state.
    """

    def __init__(self, model: Any, colormaps: Any) -> None:
        self.model, self.colormaps = model.eval(), colormaps

    @classmethod
    def from_checkpoint(
        cls, path: Path, source: Source, device: str, overrides: dict[str, Any], field: str
    ) -> Rebuilder:
        """Build the model of a finished checkpoint, and its validation set on another split.

        Args:
            path: File of the train stage.
            source: What to rebuild.
            device: "cpu" or "cuda".
            overrides: Nested values merged into the config; every key must exist already.
            field: Where in ``params.yaml`` the overrides are, for errors.

        Raises:
            MissingInput: No such file.
            BadInput: Damaged, without a config, of a config that does not build or reads no
                colormaps, or weights that do not fit it.
        """
        from workbench.engine.checkpoint import apply_weights, read_weights_only
        from workbench.overrides import merge_overrides

        if not path.is_file():
            raise MissingInput(path, "train it first")
        config = config_of(read_weights_only(path), path)
        merge_overrides(config, overrides, field)
        model, colormaps = _build(config, path, source)
        if len(colormaps) and "colormaps" not in colormaps.load(0):
            problem = f"{type(colormaps).__name__} has no colormaps"
            fix = "give a training on colormaps, as colormap-mobilenetv2 is"
            raise BadInput(path, "val_dataloader.dataset", problem, fix)
        apply_weights(model, path)
        return cls(model.to(device), colormaps)

    def __len__(self) -> int:
        return len(self.colormaps)

    def paint(self, index: int, image_id: int | str) -> dict[str, Any]:
        """Return the colormap of a picture as a batch of one; its colours follow from its id."""
        from workbench.engine.draws import seed_everything

        seed_everything(zlib.crc32(str(image_id).encode()))
        return {name: [value] for name, value in self.colormaps.load(index).items()}

    def rebuild(self, batch: dict[str, Any]) -> Entities:
        """Return a painted picture's entities as COCO results, the highest score first."""
        import torch

        with torch.inference_mode():
            found = self.model(**batch, mode="predict")[0]["pred_entities"]
        entities = [
            {"category_id": ENTITY_CATEGORY, "segmentation": mask, "score": float(score)}
            for mask, score in zip(found["masks"], found["scores"], strict=True)
        ]
        return sorted(entities, key=lambda entity: -entity["score"])


def _build(config: Any, path: Path, source: Source) -> tuple[Any, Any]:
    """Build a config's model, without weights, and its validation set, on another split.

    What MMDetection prints on import is dropped.
    """
    with redirect_stdout(StringIO()):
        from mmdet.registry import DATASETS, MODELS
        from mmengine.registry import init_default_scope
        from mmengine.utils import import_modules_from_strings

        from workbench.engine import registry  # noqa: F401  (registers types)

        try:
            init_default_scope(config.get("default_scope", "mmdet"))
            import_modules_from_strings(**(config.get("custom_imports") or {"imports": []}))
            place = {"manifest": str(source.manifest), "split": source.split}
            colormaps = DATASETS.build({**config.val_dataloader.dataset, **place})
            return MODELS.build(config.model), colormaps
        except EsgError:
            raise
        # Registries pass on whatever a constructor raises.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            fix = "use the version of the code that the checkpoint was trained with"
            raise BadInput(path, "meta.config", f"does not build ({reason[:200]})", fix) from error
