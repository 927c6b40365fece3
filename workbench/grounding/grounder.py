"""A trained grounding model, from its checkpoint to the answers of requests."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, EsgError, MissingInput
from workbench.grounding.schema import GroundingAnswer, GroundingRequest


class Grounder:
    """Runs a grounding model.

    Args:
        model: Module with the methods of `workbench.grounding.schema.GroundingModel`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval()

    @classmethod
    def from_checkpoint(
        cls,
        path: Path,
        device: str | None = None,
        overrides: dict[str, Any] | None = None,
        field: str = "overrides",
    ) -> Grounder:
        """Build the model of a finished checkpoint from the config inside it.

        Args:
            path: File of the finetune stage; the pretrained folders that its config names give
                architectures and tokenizer.
            device: "cpu" or "cuda"; CUDA where there is one by default.
            overrides: Nested values merged into the config; every key must exist already.
            field: Where in ``params.yaml`` the overrides are, for errors.

        Raises:
            MissingInput: No such file, or a pretrained folder is not there.
            BadInput: Damaged, a config that does not build or is of no grounding model.
        """
        import torch

        from workbench.engine.checkpoint import apply_weights, read_weights_only
        from workbench.overrides import merge_overrides
        from workbench.segmentation.config_text import config_of

        if not path.is_file():
            raise MissingInput(path, "train it first, or give --checkpoint")
        config = config_of(read_weights_only(path), path)
        merge_overrides(config, overrides or {}, field)
        model = _build(config, path)
        apply_weights(model, path)
        return cls(model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")))

    def ground(
        self, requests: list[GroundingRequest], withheld: str | None = None
    ) -> list[GroundingAnswer]:
        """Answer requests; see `workbench.grounding.schema.GroundingModel`."""
        import torch

        with torch.inference_mode():
            answers: list[GroundingAnswer] = self.model.ground_photos(requests, withheld)
        return answers


def _build(config: Any, path: Path) -> Any:
    """Build a config's model without weights; what MMDetection prints on import is dropped."""
    with redirect_stdout(StringIO()):
        from mmdet.registry import MODELS
        from mmengine.registry import init_default_scope
        from mmengine.utils import import_modules_from_strings

        from workbench.engine import registry  # noqa: F401  (registers types)

        try:
            init_default_scope(config.get("default_scope", "mmdet"))
            import_modules_from_strings(**(config.get("custom_imports") or {"imports": []}))
            model = MODELS.build(config.model)
        except EsgError:
            raise
        # Registries pass on whatever a constructor raises.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            fix = "use the version of the code that the checkpoint was trained with"
            raise BadInput(path, "meta.config", f"does not build ({reason[:200]})", fix) from error
    if not hasattr(model, "ground_photos"):
        fix = "give a checkpoint of the stage finetune"
        raise BadInput(path, "model.type", f"{config.model.type} does not ground", fix)
    return model
