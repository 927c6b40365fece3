"""Checkpoints that survive a kill and that cannot run code when they are read.

Files hold tensors and plain values only, so that ``torch.load(weights_only=True)`` reads them.
They are written aside, flushed and renamed, and a ``.sha256`` file beside each tells a whole file
from a damaged one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench.errors import BadInput, shown
from workbench.files import atomic_path, sha256_file, write_text

RESUME_FORMAT = "esg-resume-1"
WEIGHTS_FORMAT = "esg-weights-1"
KEPT = 2
REMOTE_SCHEMES = (
    "http://", "https://", "torchvision://", "modelzoo://", "open-mmlab://", "openmmlab://",
    "mmcls://", "pavi://", "s3://",
)  # fmt: skip


def plain(value: Any) -> Any:
    """Return a copy with tensors on the CPU, without anything but tensors and plain values.

    Entries of other types are dropped: schedulers keep functions among their state, which the
    object that loads the state already has.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if _is_plain(inner)}
    if isinstance(value, list | tuple):
        kind = list if isinstance(value, list) else tuple
        return kind([plain(inner) for inner in value if _is_plain(inner)])
    return value.item() if isinstance(value, np.generic) else value


def _is_plain(value: Any) -> bool:
    kinds = (Tensor, dict, list, bool, int, float, str, bytes, np.generic)
    return value is None or type(value) is tuple or isinstance(value, kinds)


def save_whole(content: dict[str, Any], path: Path) -> str:
    """Write a checkpoint aside, flush and rename it, then its ``.sha256``; return the hash."""
    with atomic_path(path) as aside:
        torch.save(content, aside)
        digest = sha256_file(aside)
    write_text(path.with_suffix(".sha256"), digest + "\n")
    return digest


def reason_of(error: Exception) -> str:
    """Return one line of what torch says, without its advice to load the file another way."""
    parts = re.split(r"WeightsUnpickler error:|trusted source\.", str(error))
    said = next((part.strip() for part in reversed(parts) if part.strip()), type(error).__name__)
    line = re.split(r" (?:Please use|In PyTorch) ", said.splitlines()[0])[0].rstrip(".")
    return shown(line)


def read_weights_only(
    path: Path, map_location: Any = "cpu", fix: str = "get it again or convert it"
) -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Args:
        path: The checkpoint.
        map_location: Where its tensors go, as of ``torch.load``.
        fix: What to do about a file that is damaged or holds more.

    Raises:
        BadInput: Missing, damaged, not a mapping, or it holds objects besides tensors and plain
            values.
    """
    if not path.is_file():
        raise BadInput(path, "checkpoint", "no such file", "give the path of a checkpoint")
    try:
        content = torch.load(path, map_location=map_location, weights_only=True)
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        problem = f"damaged, or holds more than weights ({reason_of(error)})"
        raise BadInput(path, "checkpoint", problem, fix) from error
    if not isinstance(content, dict):
        problem = f"holds a {type(content).__name__}, not a mapping"
        raise BadInput(path, "checkpoint", problem, "give a checkpoint with weights")
    return content


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of a finished, released or resumable checkpoint.

    Raises:
        BadInput: As `read_weights_only`, or no weights inside.
    """
    content = read_weights_only(path)
    for name in ("state_dict", "model"):
        if isinstance(content.get(name), dict):
            content = content[name]
            break
    weights = {re.sub(r"^module\.", "", str(name)): value for name, value in content.items()}
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        names = ", ".join(list(map(str, content))[:3]) or "nothing"
        problem = f"no weights inside (found {names})"
        raise BadInput(path, "state_dict", problem, "give a checkpoint with weights")
    return weights


def apply_weights(model: nn.Module, path: Path, fresh: Sequence[str] = ()) -> None:
    """Load a checkpoint's weights into a model that has exactly these.

    Args:
        model: Receives them.
        path: A checkpoint.
        fresh: Parts of the model, e.g. ``head.cls_embed``, that stay as they are initialised,
            whatever the checkpoint has in their place.

    Raises:
        BadInput: As `load_weights`, names or shapes differ from the model's, or it has no such
            part.
    """
    weights, own = load_weights(path), model.state_dict()
    for part in fresh:
        own_part = {name: value for name, value in own.items() if _is_of(name, part)}
        if not own_part:
            raise BadInput(path, "fresh", f"the model has no {part}", "name a part of it")
        weights = {name: value for name, value in weights.items() if not _is_of(name, part)}
        weights |= own_part
    missing, extra = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    shapes = [
        name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape
    ]
    faults = []
    for title, names in (("missing", missing), ("unknown", extra), ("other shape", sorted(shapes))):
        if names:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            faults.append(f"{title}: {', '.join(names[:2])}{more}")
    if faults:
        fix = "use the config that the checkpoint was trained with"
        raise BadInput(path, "state_dict", "; ".join(faults), fix)
    model.load_state_dict(weights)


def _is_of(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def checkpoint_path(work_dir: Path, iteration: int) -> Path:
    """Return where the state after ``iteration`` iterations is kept."""
    return work_dir / f"iter_{iteration:08d}.pth"


def resumable(work_dir: Path) -> list[Path]:
    """Return the resumable checkpoints of a work folder, newest first, valid or not."""
    return sorted(work_dir.glob("iter_*.pth"), reverse=True)


def save_resumable(work_dir: Path, iteration: int, content: dict[str, Any]) -> Path:
    """Write the state after ``iteration`` iterations and keep the newest two."""
    path = checkpoint_path(work_dir, iteration)
    save_whole({"format": RESUME_FORMAT, **plain(content)}, path)
    for old in resumable(work_dir)[KEPT:]:
        discard(old)
    return path


def discard(path: Path) -> None:
    """Remove a checkpoint with its hash."""
    path.unlink(missing_ok=True)
    path.with_suffix(".sha256").unlink(missing_ok=True)


def newest_valid(work_dir: Path, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the content of the newest checkpoint that is whole, or None.

    Each damaged one is named in one line and removed.
    """
    for path in resumable(work_dir):
        try:
            return _read_resumable(path)
        except BadInput as error:
            say(f"damaged checkpoint left out: {error}")
            discard(path)
    return None


def _read_resumable(path: Path) -> dict[str, Any]:
    recorded = path.with_suffix(".sha256")
    fix = "the next older checkpoint is used"
    if recorded.is_file() and recorded.read_text().strip() != sha256_file(path):
        raise BadInput(path, "bytes", "differ from the hash written with them", fix)
    content = read_weights_only(path)
    if content.get("format") != RESUME_FORMAT:
        raise BadInput(path, "format", repr(content.get("format")), fix)
    return content


def save_final(path: Path, state_dict: dict[str, Tensor], meta: dict[str, Any]) -> str:
    """Write finished weights with plain ``meta``; return the file's SHA-256."""
    content = {"format": WEIGHTS_FORMAT, "meta": plain(meta), "state_dict": plain(state_dict)}
    return save_whole(content, path)


def guard_mmengine_loading() -> None:
    """Make MMEngine read every checkpoint with ``weights_only`` and none from the network.

    MMEngine falls back to an unrestricted load where the restricted one refuses.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    def from_file(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
        return read_weights_only(Path(filename), map_location or "cpu")

    def refuse(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
        fix = "download it and give the path of the file"
        raise BadInput(filename, "checkpoint", "weights are not fetched in a run", fix)

    CheckpointLoader.register_scheme(prefixes="", loader=from_file, force=True)
    CheckpointLoader.register_scheme(prefixes=REMOTE_SCHEMES, loader=refuse, force=True)
