"""Kinds of released checkpoints that can be converted, each a config in ``configs/released``."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import MissingInput

if TYPE_CHECKING:
    from mmengine.config import Config

    from workbench.conversion.release import Release

KINDS = ("cropformer", "mask2former", "swin", "r50")
TASKED = "mask2former"
TASKS = ("entity", "instance", "panoptic", "semantic")
FOLDER = Path("configs/released")


def open_kind(root: Path, kind: str, task: str | None) -> tuple[Release, Config]:
    """Return what is known about a kind of release, and the config that its model starts from.

    Args:
        root: Of the project.
        kind: One of ``KINDS``.
        task: One of ``TASKS`` for ``TASKED``, None for other kinds.

    Raises:
        MissingInput: The project has no such config.
    """
    name = f"{kind}_{task}" if task else kind
    path = root / FOLDER / f"{name}.py"
    if not path.is_file():
        raise MissingInput(path, "restore it from the repository")
    # MMDetection prints a remark when it is imported, which would mix with JSON.
    with redirect_stdout(StringIO()):
        from mmengine.config import Config
        from mmengine.registry import init_default_scope
        from mmengine.utils import import_modules_from_strings

        from workbench.conversion.release import RELEASES
        from workbench.engine import registry  # noqa: F401  (registers types)

        config = Config.fromfile(str(path), import_custom_modules=False)
        settings = config.pop("release")
        init_default_scope(config.default_scope)
        import_modules_from_strings([*config.custom_imports.imports, *settings.pop("imports")])
    settings["backbones"] = {
        name: Config.fromfile(str(root / file), import_custom_modules=False).model.backbone
        for name, file in settings["backbones"].items()
    }
    release: Release = RELEASES.get(settings.pop("type"))(**settings)
    return release, config
