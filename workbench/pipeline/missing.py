"""What planned stages need that no stage makes: data sets, downloaded weights, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.files import read_yaml
from workbench.pipeline.changes import INPUT, MISSING, Change
from workbench.pipeline.stages import PARAMS, Pipeline


@dataclass(frozen=True)
class Missing:
    """Something that is not there.

    Attributes:
        path: Where it was looked for.
        fix: How to get it, or where to say that it is elsewhere.
        stage: The first stage that needs it.
    """

    path: str
    fix: str
    stage: str

    def __str__(self) -> str:
        return f"{self.path} for {self.stage}: {self.fix}"


def find_missing(
    root: Path,
    params: Mapping[str, Any],
    pipeline: Pipeline,
    stale: Sequence[str],
    changes: Mapping[str, Sequence[Change]],
) -> tuple[Missing, ...]:
    """Return what stages would not find, each thing once.

    Args:
        root: The project.
        params: Content of ``params.yaml``.
        pipeline: All stages.
        stale: Names of the stages that would run.
        changes: What changed of them.
    """
    found = [*_unmade_inputs(pipeline, changes)]
    if params["scale"] == "paper":
        found += [*_data(root, params, stale), *_weights(root, params, stale)]
    found += _sam_weights(root, params, stale)
    return tuple({each.path: each for each in reversed(found)}.values())[::-1]


def _unmade_inputs(
    pipeline: Pipeline, changes: Mapping[str, Sequence[Change]]
) -> Iterator[Missing]:
    for name, found in changes.items():
        for change in found:
            if (change.kind, change.state) == (INPUT, MISSING) and not pipeline.makers(
                change.where
            ):
                yield Missing(change.where, "put it there, or correct params.yaml", name)


def _data(root: Path, params: Mapping[str, Any], stale: Sequence[str]) -> Iterator[Missing]:
    """Yield the folders of real data sets."""
    from workbench.datasets.catalogue import CATALOGUE

    worlds = read_yaml(root / "configs" / "paper" / "worlds.yaml")
    for name in stale:
        kind, _, key = name.partition("@")
        if kind != "prep" or key not in worlds:
            continue
        place = root / Path(str(params.get("data_root"))).expanduser()
        folder = place / str(worlds[key].get("root", key))
        if not folder.is_dir():
            source = CATALOGUE.get(key)
            where = f"; obtain {source.obtain}" if source else ""
            yield Missing(str(folder), f"set data_root in {PARAMS}{where}", name)


def _weights(root: Path, params: Mapping[str, Any], stale: Sequence[str]) -> Iterator[Missing]:
    """Yield the folders of downloaded models that stand where pretrainings are at other scales."""
    for name in stale:
        kind, _, key = name.partition("@")
        if kind not in ("pretrain", "pretrain_joint"):
            continue
        weights = ((params.get(kind) or {}).get(key) or {}).get("weights")
        place = root / Path(str(params.get("weights_root"))).expanduser()
        if weights and not (place / str(weights) / "config.json").is_file():
            fix = f"put the model there, or set weights_root in {PARAMS}"
            yield Missing(str(place / str(weights)), fix, name)


def _sam_weights(root: Path, params: Mapping[str, Any], stale: Sequence[str]) -> Iterator[Missing]:
    weights = params.get("sam_weights")
    if weights and not (root / Path(str(weights)).expanduser()).is_dir():
        for name in stale:
            if name.startswith("sam@"):
                yield Missing(str(weights), f"correct sam_weights in {PARAMS}", name)
