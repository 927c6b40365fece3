"""Stage ``resolve``: one training config as one file, with inheritance and overrides flattened.

Training depends on the flattened text alone: an edit of a base config that leaves it as it was
stops here. So that this stage in turn depends on few files, a config may inherit from
``configs/_base_`` and from installed packages (``mmdet::...``) only; what two experiments share
belongs there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, MissingInput
from workbench.files import write_text
from workbench.overrides import merge_overrides
from workbench.params import load_params, training
from workbench.paths import Layout, project_root
from workbench.stages.cli import run_stage

if TYPE_CHECKING:
    from mmengine.config import Config

SHARED = Path("configs") / "_base_"
# The second is the variable by which configs/_base_ gives it to all that need it.
MANIFEST_KEYS = {"manifest", "data_manifest"}
# A value "pretrained:NAME" stands for the folder that `pretrained` in params.yaml gives NAME.
PRETRAINED = "pretrained:"


def resolve(key: str) -> Path:
    """Write ``artifacts/<scale>/configs/<key>.py`` whole and return its path.

    Raises:
        BadInput: Unknown key, a config that cannot be read or inherits from a file that no stage
            tracks, or an override of something that the config does not have.
        MissingInput: The config is not there.
    """
    params = load_params()
    item = training(params, key)
    for field in ("config", "dataset"):
        if not isinstance(item.get(field), str):
            raise BadInput("params.yaml", f"train.{key}.{field}", "missing", "name it")
    layout = Layout(params["scale"])
    resolved = layout.resolved_config(key)
    write_text(resolved, dump(flattened(params, layout, key, item)))
    return resolved


def flattened(params: dict[str, Any], layout: Layout, key: str, item: dict[str, Any]) -> Config:
    """Return a training's config with inheritance, overrides, data and starting weights resolved.

    Raises:
        BadInput, MissingInput: See `resolve`.
    """
    config = load_config(layout.source_config(item["config"]))
    merge_overrides(config, item.get("overrides") or {}, f"train.{key}.overrides")
    set_manifest(config._cfg_dict, layout.manifest(item["dataset"]))
    set_pretrained(config._cfg_dict, layout, item.get("pretrained") or {}, key)
    if "start" in item:
        config.load_from = start_weights(params, layout, key, item["start"]).as_posix()
        if item.get("fresh"):
            config.start_fresh = list(item["fresh"])
    return config


def load_config(path: Path) -> Config:
    """Read a config file with all it inherits.

    Raises:
        BadInput: Python or MMEngine cannot read it, or it inherits from outside ``configs/_base_``.
        MissingInput: It, or a file it inherits from, is not there.
    """
    from mmengine.config import Config
    from mmengine.config.utils import ConfigParsingError

    if not path.is_file():
        raise MissingInput(path, "correct `config` in params.yaml or write the config")
    _check_parents(path, path, set())
    try:
        return Config.fromfile(
            str(path),
            import_custom_modules=False,
            use_environment_variables=False,
            lazy_import=False,
        )
    except FileNotFoundError as error:
        raise MissingInput(error.filename or str(error), f"correct _base_ in {path}") from error
    except (ConfigParsingError, SyntaxError, TypeError, KeyError, NameError) as error:
        problem = str(error).replace("\n", " ")
        raise BadInput(path, "config", problem, "correct it") from error


def set_manifest(config: Any, manifest: Path) -> None:
    """Point all data sets and evaluators at a manifest (relative to the project's root)."""
    values = config.values() if isinstance(config, dict) else config
    if isinstance(config, dict):
        for name in MANIFEST_KEYS & set(config):
            config[name] = manifest.as_posix()
    for value in values:
        if isinstance(value, dict | list | tuple):
            set_manifest(value, manifest)


def set_pretrained(config: Any, layout: Layout, folders: dict[str, str], key: str) -> None:
    """Replace ``pretrained:NAME`` values by folders, in place.

    Raises:
        BadInput: ``params.yaml`` gives that name no folder.
    """
    items = config.items() if isinstance(config, dict) else enumerate(config)
    for name, value in list(items):
        if isinstance(value, dict | list):
            set_pretrained(value, layout, folders, key)
        elif isinstance(value, str) and value.startswith(PRETRAINED):
            part = value.removeprefix(PRETRAINED)
            if part not in folders:
                field = f"{key}.pretrained.{part}"
                raise BadInput("params.yaml", field, "missing", "name an instance of `pretrain`")
            config[name] = layout.pretrained(folders[part]).as_posix()


def start_weights(params: dict[str, Any], layout: Layout, key: str, start: Any) -> Path:
    """Return the weights that a training starts from: those of another one's first seed.

    Raises:
        BadInput: It is no training of the map ``train``.
    """
    trained = params.get("train") or {}
    if start not in trained:
        fix = f"use one of: {', '.join(trained) or 'none'}"
        raise BadInput("params.yaml", f"transfer.{key}.start", repr(start), fix)
    first = (trained[start].get("seeds") or [0])[0]
    return layout.checkpoints(start) / f"seed-{first}.pth"


def dump(config: Config) -> str:
    """Return the flattened text, the same for the same content whatever the order of its keys."""
    from mmengine.config import Config

    return str(Config(_sorted(config.to_dict())).pretty_text)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return type(value)(_sorted(item) for item in value)
    return value


def _check_parents(path: Path, child: Path, seen: set[Path]) -> None:
    """Refuse parents that DVC does not know of: a change of theirs would go unseen."""
    from mmengine.config import Config

    if not path.is_file():
        raise MissingInput(path, f"correct _base_ in {child}")
    if path in seen:
        return
    seen.add(path)
    try:
        parents = Config._get_base_files(str(path))
    except SyntaxError as error:
        problem = str(error).replace("\n", " ")
        raise BadInput(path, "Python", problem, "correct the syntax") from error
    shared = (project_root() / SHARED).resolve()
    for parent in parents:
        if "::" in parent:
            continue
        target = (path.parent / parent).resolve()
        if not target.is_relative_to(shared):
            problem = f"inherits from {os.path.relpath(target)}"
            fix = f"move what is shared to {SHARED.as_posix()}, the only folder tracked for this"
            raise BadInput(path, "_base_", problem, fix)
        _check_parents(target, path, seen)


if __name__ == "__main__":
    sys.exit(run_stage(resolve, sys.argv))
