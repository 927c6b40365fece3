"""A sweep made ready: its spec, the config that trials share, its study's name and folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.params import load_params
from workbench.paths import Layout, project_root, store_root
from workbench.sweeps.spec import SweepSpec, load_spec
from workbench.sweeps.study import SQLITE, Place, checked_url

if TYPE_CHECKING:
    from mmengine.config import Config

    from workbench.engine.fingerprint import Fingerprint

# Optuna's own variable for a storage's address.
STORAGE_VARIABLE = "OPTUNA_STORAGE"
RESERVED = ("apply", "show")


@dataclass(frozen=True)
class Sweep:
    """A sweep at one scale.

    Attributes:
        spec: As declared.
        params: Content of ``params.yaml``.
        base: Config that trials share.
        fingerprint: What the results depend on. Another one is another study.
    """

    spec: SweepSpec
    params: dict[str, Any]
    base: Config
    fingerprint: Fingerprint

    @property
    def layout(self) -> Layout:
        return Layout(self.params["scale"])

    @property
    def outputs(self) -> Path:
        return self.layout.sweep(self.spec.name)

    @property
    def study_name(self) -> str:
        return f"{self.layout.scale}/{self.spec.name}/{self.fingerprint.digest[:16]}"

    @property
    def folder(self) -> Path:
        """Resumable state: outside of DVC's outputs, named by the fingerprint."""
        return store_root() / "work_dirs" / "sweeps" / self.fingerprint.digest[:16]

    def place(self, storage: str | None, heartbeat_s: int) -> Place:
        """Return where the study is kept: in the folder unless ``storage`` or Optuna's variable.

        Raises:
            BadInput: An address that cannot be used.
        """
        own = f"{SQLITE}{self.folder / 'study.db'}"
        url = storage or os.environ.get(STORAGE_VARIABLE) or own
        return Place(checked_url(url), self.study_name, heartbeat_s)

    def total(self, asked: int | None) -> int:
        """Return the trials of the whole study.

        Raises:
            BadInput: More than the grid has points.
        """
        total = asked or self.spec.budget.n_trials
        if self.spec.sampler.name != "grid":
            return total
        points = 1
        for parameter in self.spec.space:
            points *= len(parameter.grid())
        if total > points:
            where, field = (
                ("--n-trials", "TOTAL") if asked else (str(self.spec.path), "budget.n_trials")
            )
            raise BadInput(where, field, str(total), f"give at most the grid's {points} points")
        return total


def prepare(name: str) -> Sweep:
    """Return the sweep ``configs/sweeps/NAME.yaml`` at the scale of ``params.yaml``.

    Raises:
        BadInput, MissingInput: The spec, the training or its data cannot be used.
    """
    from workbench.engine.fingerprint import Fingerprint, compute_fingerprint
    from workbench.sweeps.config import base_config

    root = project_root()
    spec, params = load_spec(name, root), load_params(root)
    if name in RESERVED:
        raise BadInput(spec.path, "name", f"{name} is a verb", "name the file otherwise")
    base = base_config(spec, params)
    owner = {"key": name, "scale": params["scale"], "project": "sweeps"}
    shared = compute_fingerprint(base, spec.seed, 1, owner)
    return Sweep(spec, params, base, Fingerprint({**shared.parts, "sweep": spec.identity()}, owner))
