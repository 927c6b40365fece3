"""The only place that knows where things are kept: ``artifacts/``, ``reports/``, ``work_dirs/``.

All paths are relative to the project's root, which is the nearest folder upwards from the
working directory that holds ``params.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import MissingInput

PAPER = "paper"
SCALES = ("mini", "smoke", PAPER)


def project_root(start: Path | None = None) -> Path:
    """Return the folder that holds ``params.yaml``, searching upwards from ``start``.

    Raises:
        MissingInput: No such folder.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise MissingInput(here / "params.yaml", "run the command inside a checkout of the project")


def store_root(start: Path | None = None) -> Path:
    """Return the root that holds run stores and work folders.

    ``dvc exp run --temp`` works in a copy under ``.dvc/tmp/exps``; runs made there belong to the
    original checkout, so that they outlive the copy.
    """
    root = project_root(start)
    parts = root.parts
    for index in range(len(parts) - 2):
        if parts[index : index + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:index])
    return root


@dataclass(frozen=True)
class Layout:
    """Paths of one scale, relative to the project's root."""

    scale: str

    @property
    def artifacts(self) -> Path:
        return Path("artifacts") / self.scale

    def manifest(self, dataset: str) -> Path:
        return self.artifacts / "data" / dataset / "manifest.json"

    def source_config(self, name: str) -> Path:
        return Path("configs") / self.scale / f"{name}.py"

    def resolved_config(self, key: str) -> Path:
        return self.artifacts / "configs" / f"{key}.py"

    def checkpoints(self, key: str) -> Path:
        return self.artifacts / "checkpoints" / key

    def pretrained(self, key: str) -> Path:
        return self.artifacts / "pretrained" / key

    def groundings(self, key: str) -> Path:
        return self.artifacts / "groundings" / key

    def referrings(self, key: str) -> Path:
        return self.artifacts / "referrings" / key

    def labels(self, key: str) -> Path:
        return self.artifacts / "labels" / key

    def maps(self, key: str) -> Path:
        return self.artifacts / "maps" / key

    def entities(self, key: str) -> Path:
        return self.artifacts / "entities" / key

    def sweep(self, name: str) -> Path:
        return self.artifacts / "sweeps" / name

    def score(self, table: str, row: str) -> Path:
        return self.artifacts / "scores" / table / f"{row}.json"

    def table(self, table: str, suffix: str) -> Path:
        return Path("reports") / self.scale / "tables" / f"{table}.{suffix}"

    def headline(self) -> Path:
        return Path("reports") / self.scale / "headline.md"

    def report(self) -> Path:
        return Path("reports") / self.scale / "index.html"

    def report_index(self) -> Path:
        return Path("reports") / self.scale / "README.md"

    def metrics(self, table: str) -> Path:
        """Folder of what ``dvc metrics`` shows of a table, one file a row."""
        return Path("reports") / self.scale / "metrics" / table

    def bars(self, table: str) -> Path:
        """What ``dvc plots`` shows of a table."""
        return Path("reports") / self.scale / "bars" / f"{table}.json"

    def curves(self, kind: str) -> Path:
        """Folder of what ``dvc plots`` shows of trainings: kind "loss" or "score"."""
        return Path("reports") / self.scale / "curves" / kind
