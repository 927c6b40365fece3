"""From a released checkpoint to ours and back, tensor by tensor.

What a kind of release looks like is known next to the model that it becomes: there a
:class:`Release` is registered, and ``configs/released/<kind>.py`` names it.
"""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import Registry
from torch import Tensor, nn

from workbench.conversion.name_map import NameMap
from workbench.conversion.released_file import FIX, read_released
from workbench.conversion.settings import differences
from workbench.engine.checkpoint import WEIGHTS_FORMAT, read_weights_only, save_final, save_whole
from workbench.errors import BadInput
from workbench.files import sha256_file
from workbench.segmentation.config_text import config_of

RELEASES = Registry("release")
Tensors = dict[str, Tensor]
# Batch norms count batches in training only; frozen ones, as released, do not.
COUNTERS = "*.num_batches_tracked"
NAMED = 3


class Release(ABC):
    """One kind of released checkpoint.

    Attributes:
        names: Released names and ours.
        unused: Patterns of released tensors that have no place in our model.
        has_config: Whether what is converted is a whole model, which goes with its config, and
            which can be written back.
        optional: Patterns of our tensors that a release may lack; the model starts them itself.
    """

    names: NameMap
    unused: tuple[str, ...] = ()
    has_config: bool = True
    optional: tuple[str, ...] = ()

    def modernise(self, tensors: Tensors) -> Tensors:
        """Return the tensors under the names of the newest release."""
        return tensors

    def as_read(self, tensors: Tensors) -> Tensors:
        """Return tensors of the newest release under the names that the released code reads."""
        return tensors

    def adopt(self, config: Config, own: Config) -> None:  # noqa: B027  (most have nothing)
        """Set in ``config`` what a model of ours knows of itself and released tensors do not."""

    @abstractmethod
    def fit(self, config: Config, tensors: Tensors, path: Path) -> None:
        """Give the model of ``config`` the sizes of the tensors, in place.

        Args:
            config: Changed in place.
            tensors: All of the file, under the names of the newest release.
            path: Their file, for errors.

        Raises:
            BadInput: The tensors are not those of this kind of release.
        """

    def build(self, config: Config) -> nn.Module:
        """Build the model that the tensors are for, without memory for its weights."""
        from workbench.engine.meta import build_on_meta

        return build_on_meta(config.model)


class Translated(NamedTuple):
    """Released tensors under our names.

    Attributes:
        ours: The tensors, with counters of batches at zero where the release has none.
        mapped: How many of them come from the release.
        unused: Released tensors that have no place in our model.
        missing: Our tensors that the release lacks.
    """

    ours: Tensors
    mapped: int
    unused: list[str]
    missing: list[str]


@dataclass(frozen=True)
class Converted:
    """What became of a checkpoint's tensors.

    Attributes:
        source: File that was read.
        target: File that was written.
        sha256: Of ``target``.
        mapped: Number of tensors that were carried over.
        parameters: Numbers in them.
        unused: Tensors of the source that have no place in the target.
        missing: Tensors of the model that the source lacks.
        beside: What else the source holds and the target does not, e.g. ``optimizer``.
        settings: What decides the output beside the weights, is not in the target, and differs
            from the released config of this kind.
    """

    source: str
    target: str
    sha256: str
    mapped: int
    parameters: int
    unused: list[str]
    missing: list[str]
    beside: list[str]
    settings: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


def convert(release: Release, config: Config, source: Path, target: Path) -> Converted:
    """Convert a released checkpoint and write it with the config of its model.

    Args:
        release: What ``source`` is.
        config: Its model but for sizes, and the pipeline that feeds it. Sizes are set here.
        source: Released file.
        target: File to write.

    Raises:
        BadInput: A file that is not of this kind, with a tensor unknown, missing or of another
            shape.
        MissingInput: No such file.
    """
    released = read_released(source)
    found = translate(release, config, released.tensors, source)
    meta = {"released": source.name, "released_sha256": sha256_file(source)}
    if release.has_config:
        meta["config"] = config.pretty_text
    # Each of its own, so that the file holds these values and no others.
    digest = save_final(target, {name: value.clone() for name, value in found.ours.items()}, meta)
    return Converted(
        str(source),
        str(target),
        digest,
        found.mapped,
        sum(value.numel() for value in found.ours.values()),
        found.unused,
        found.missing,
        released.beside,
        [],
    )


def translate(release: Release, config: Config, tensors: Tensors, path: Path) -> Translated:
    """Rename released tensors, set the sizes of ``config``'s model and compare the two.

    Raises:
        BadInput: A tensor is unknown, missing or of another shape.
    """
    modern = release.modernise(tensors)
    if len(modern) < len(tensors):
        raise BadInput(path, "model", "has tensors under an old and a new name", FIX)
    release.fit(config, modern, path)
    unused = sorted(name for name in modern if _matches(name, release.unused))
    used = {name: value for name, value in modern.items() if name not in unused}
    ours = _renamed(release.names.to_ours, used, path)
    expected = _expected(release, config, path)
    missing = _check(ours, expected, release, path)
    counters = {
        name: torch.zeros((), dtype=expected[name].dtype)
        for name in missing
        if _matches(name, (COUNTERS,))
    }
    return Translated({**ours, **counters}, len(ours), unused, missing)


def convert_back(release: Release, config: Config, source: Path, target: Path) -> Converted:
    """Write one of our checkpoints under released names, as the released code reads them.

    Args:
        release: What ``target`` is to be.
        config: As in :func:`convert`.
        source: File that training or :func:`convert` wrote.
        target: File to write.

    Raises:
        BadInput: No whole model, not a checkpoint of ours, or one with a tensor unknown, missing
            or of another shape than this kind of release has.
    """
    if not release.has_config:
        fix = "use the file that it was converted from"
        raise BadInput(source, "--back", "only whole models are written back, no backbones", fix)
    content = read_weights_only(source)
    if content.get("format") != WEIGHTS_FORMAT:
        fix = "give a file that training or `esg convert` wrote"
        raise BadInput(source, "format", "not a checkpoint of this project", fix)
    own = config_of(content, source)
    ours: Tensors = content["state_dict"]
    counters = [name for name in ours if _matches(name, (COUNTERS,))]
    weights = {name: value for name, value in ours.items() if name not in counters}
    theirs = release.as_read(_renamed(release.names.to_released, weights, source))
    release.adopt(config, own)
    translate(release, config, theirs, source)
    # Each of its own, so that the file holds these values and no others.
    digest = save_whole({"model": {name: value.clone() for name, value in theirs.items()}}, target)
    return Converted(
        str(source),
        str(target),
        digest,
        len(theirs),
        sum(value.numel() for value in theirs.values()),
        sorted(counters),
        [],
        [],
        differences(own, config),
    )


def _renamed(
    rename: Callable[[str, Tensor], tuple[str, Tensor] | None], tensors: Tensors, path: Path
) -> Tensors:
    """Return the tensors under other names.

    Raises:
        BadInput: A name that no rule knows, or a shape that cannot be reordered.
    """
    renamed, unknown = {}, []
    for name, value in tensors.items():
        try:
            found = rename(name, value)
        except (RuntimeError, IndexError) as error:
            problem = f"shape {tuple(value.shape)} cannot be reordered"
            raise BadInput(path, name, problem, FIX) from error
        if found is None:
            unknown.append(name)
        else:
            renamed[found[0]] = found[1]
    if unknown:
        fix = "name the kind of model that it is, see `esg convert --help`"
        raise BadInput(path, "model", f"unknown tensors: {_some(unknown)}", fix)
    return renamed


def _expected(release: Release, config: Config, path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of the model that a file's sizes ask for.

    Raises:
        BadInput: There is no such model.
    """
    try:
        return release.build(config).state_dict()
    # Constructors raise whatever they find wrong with a size.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"no model has these sizes ({reason[:160]})"
        raise BadInput(path, "model", problem, FIX) from error


def _check(
    ours: Tensors, expected: Mapping[str, Tensor], release: Release, path: Path
) -> list[str]:
    """Return our names of what the file lacks and may lack.

    Raises:
        BadInput: It lacks others, has more, or shapes differ; with the released names.
    """

    def released(name: str, value: Tensor) -> tuple[str, tuple[int, ...]]:
        theirs, tensor = release.names.to_released(name, value) or (name, value)
        return theirs, tuple(tensor.shape)

    missing = sorted(expected.keys() - ours.keys())
    needed = [name for name in missing if not _matches(name, (COUNTERS, *release.optional))]
    more = sorted(ours.keys() - expected.keys())
    both = [name for name in ours if name in expected]
    shapes = [
        f"{theirs} {shape}, not {released(name, expected[name])[1]}"
        for name in both
        for theirs, shape in [released(name, ours[name])]
        if ours[name].shape != expected[name].shape
    ]
    faults = {
        "missing": [released(name, expected[name])[0] for name in needed],
        "too many": [released(name, ours[name])[0] for name in more],
        "other shape": shapes,
    }
    problem = "; ".join(f"{title}: {_some(names)}" for title, names in faults.items() if names)
    if problem:
        raise BadInput(path, "model", problem, "get the file again or name the kind that it is")
    return missing


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
