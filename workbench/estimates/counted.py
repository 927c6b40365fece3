"""Counts of a training's samples, each kept in ``work_dirs/counted`` by what it was counted of."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.cli.output import StatusLine
from workbench.errors import BadInput
from workbench.estimates.work import Work
from workbench.files import sha256_tree, write_json
from workbench.paths import PAPER, Layout, store_root
from workbench.stages.resolve import load_config

# What of a config a sample's cost depends on.
COUNTED_OF = ("custom_imports", "model", "train_pipeline", "test_pipeline")
CODE = ("workbench/estimates", "workbench/costs")


class Counted:
    """Counts what is not kept yet, which takes seconds.

    Args:
        root: The project.

    Attributes:
        source: The file ``configs/paper/plan.py``.
        assumed: Its content, with the ``components`` of the config that it names.
        status: Says what is being counted.

    Raises:
        BadInput, MissingInput: A config that cannot be read.
    """

    def __init__(self, root: Path) -> None:
        layout = Layout(PAPER)
        self.source = root / layout.source_config("plan")
        own = load_config(self.source).to_dict()
        listed = load_config(root / layout.source_config(own["components_of"])).to_dict()
        self.assumed = {**own, **{k: listed[k] for k in ("components", "custom_imports")}}
        self.folder = store_root(root) / "work_dirs" / "counted"
        self.status = StatusLine()
        self.code = [sha256_tree(root / folder, "*.py") for folder in CODE]

    def work(self, config: Mapping[str, Any], weights: str | None) -> Work | None:
        """Return what a sample costs; None for a model that cannot be counted.

        Args:
            config: Of a training.
            weights: Folder of the language model's weights, for a model that has one.
        """
        path = self.folder / f"{self._key(config, weights)}.json"
        try:
            return Work(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            from workbench.estimates.sample import count_work

            if self.status.due:
                self.status.show(f"counting {config['model']['type']} at the paper's size")
            try:
                work = count_work(config, self.assumed, weights, self.source)
            except BadInput:
                raise
            # Whatever a model needs that the meta device lacks: the plan calls it not known.
            except Exception:
                return None
            write_json(path, asdict(work))
            return work

    def _key(self, config: Mapping[str, Any], weights: str | None) -> str:
        ratios = config["train_dataloader"]["dataset"].get("ratios")
        names = ("aspect", "parts", "components", "language")
        parts = {name: self.assumed[name] for name in names}
        own = {name: config.get(name) for name in COUNTED_OF}
        torch = importlib.metadata.version("torch")
        content = [own, ratios, weights, parts, torch, *self.code]
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
