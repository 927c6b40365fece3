"""Stages pretrain and pretrain_joint: stand-ins for downloaded weights, trained here.

Run as ``python -m workbench.stages.pretrain KEY``; reads ``pretrain.KEY`` of ``params.yaml``, or
``pretrain_joint.KEY`` for one that starts from other stand-ins. Writes ``save_pretrained`` folders.
At paper scale nothing is trained: the folder ``weights_root``/``weights`` is linked.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, write_json
from workbench.jobs import run_job
from workbench.params import instance, load_params
from workbench.paths import Layout
from workbench.stages.cli import run_stage
from workbench.stages.train import TRAINER, seeds_of


def pretrain(key: str) -> Path:
    """Train one model and write it as an ordinary model folder.

    Returns:
        The folder; ``pretrain.json`` in it says how it was made.

    Raises:
        BadInput: More than one seed, or a model that cannot be exported.
        MissingInput: The resolved config, the data or the weights are not there.
        Interrupted: Stopped by a signal; the same call resumes.
    """
    from workbench.engine.launch import TrainJob

    params = load_params()
    stage = "pretrain_joint" if key in (params.get("pretrain_joint") or {}) else "pretrain"
    item = instance(params, stage, key)
    layout = Layout(params["scale"])
    target = layout.pretrained(key)
    if layout.scale == "paper":
        return _link(params, f"{stage}.{key}", item, target)
    seeds = seeds_of(key, item)
    if len(seeds) != 1:
        raise BadInput("params.yaml", f"{stage}.{key}.seeds", repr(seeds), "give one seed")
    config = layout.resolved_config(key)
    if not config.is_file():
        fix = f"make it with its own stage (`dvc repro resolve_{stage}@{key}`)"
        raise MissingInput(config, fix)
    project = str(item.get("project", "gella"))
    job = TrainJob(str(config), key, project, layout.scale, seeds[0], resume=True, options={})
    run = run_job(TRAINER, job)
    with atomic_folder(target) as aside:
        _export(config, Path(run.pop("weights")), aside)
        write_json(aside / "pretrain.json", {"key": key, "scale": layout.scale, "runs": [run]})
    print(f"{key}: model folder {target}")
    return target


def _export(config_path: Path, weights: Path, folder: Path) -> None:
    """Have the trained model write its ``save_pretrained`` folder."""
    with redirect_stdout(StringIO()):
        from mmdet.registry import MODELS
        from mmengine.config import Config
        from mmengine.registry import init_default_scope
        from mmengine.utils import import_modules_from_strings

        from workbench.engine import registry  # noqa: F401  (registers types)
        from workbench.engine.checkpoint import apply_weights

        config = Config.fromfile(str(config_path), import_custom_modules=False)
        init_default_scope(config.get("default_scope", "mmdet"))
        import_modules_from_strings(**config.custom_imports)
        model: Any = MODELS.build(config.model)
    if not hasattr(model, "export"):
        fix = "give a model with a method export(folder)"
        raise BadInput(config_path, "model.type", f"{config.model.type} has no export", fix)
    apply_weights(model, weights)
    model.export(folder)


def _link(params: dict[str, Any], field: str, item: dict[str, Any], target: Path) -> Path:
    """Link the files of a downloaded model folder; ``weights: null`` gives an empty folder."""
    if "weights" not in item:
        fix = "name the folder of the downloaded model, or null if there is none"
        raise BadInput("params.yaml", f"{field}.weights", "missing", fix)
    root, name = params.get("weights_root"), item["weights"]
    if name is None:
        with atomic_folder(target) as aside:
            write_json(aside / "pretrain.json", {"key": target.name, "scale": "paper", "runs": []})
        return target
    if not root:
        fix = "name the folder that holds downloaded models"
        raise BadInput("params.yaml", "weights_root", "missing", fix)
    source = Path(str(root)).expanduser() / str(name)
    if not (source / "config.json").is_file():
        raise MissingInput(source / "config.json", f"put the model {name} there")
    with atomic_folder(target) as aside:
        for path in sorted(p for p in source.iterdir() if p.is_file()):
            (aside / path.name).symlink_to(path.resolve())
    return target


if __name__ == "__main__":
    sys.exit(run_stage(pretrain, sys.argv))
