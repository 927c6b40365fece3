"""What is the same in every run of a data set, computed once: label maps and frozen features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from projects.gella.colormap import label_map
from projects.gella.image_encoder import square
from workbench.files import atomic_folder, sha256_file, write_json

Arrays = dict[str, NDArray[Any]]


def cached_arrays(root: Path, depends_on: dict[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Return arrays from the cache, or make and keep them.

    A cache is named by a hash of all that its content depends on, and is used only if it says the
    same itself and its files are whole; otherwise it is made again.

    Args:
        root: Folder of all caches.
        depends_on: JSON-able description of the inputs, with content hashes.
        make: Computes the arrays.

    Returns:
        Arrays by name, memory-mapped and read-only.
    """
    text = json.dumps(depends_on, sort_keys=True)
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:24]
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{folder.name}.lock"):
        if not _is_whole(folder, depends_on):
            _write(folder, depends_on, make())
        names = json.loads((folder / "index.json").read_text(encoding="utf-8"))["files"]
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}


def _write(folder: Path, depends_on: dict[str, Any], arrays: Arrays) -> None:
    with atomic_folder(folder) as aside:
        for name, array in arrays.items():
            np.save(aside / f"{name}.npy", array, allow_pickle=False)
        files = {name: sha256_file(aside / f"{name}.npy") for name in arrays}
        write_json(aside / "index.json", {"depends_on": depends_on, "files": files})


def _is_whole(folder: Path, depends_on: dict[str, Any]) -> bool:
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        same = index["depends_on"] == json.loads(json.dumps(depends_on))
        return same and all(
            sha256_file(folder / f"{name}.npy") == digest for name, digest in index["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def entity_labels(masks: NDArray[np.bool_], size: int) -> NDArray[np.uint16]:
    """Return the (size, size) label map of masks (N, H, W): resized by nearest pixel and padded.

    Where masks overlap the earlier one is on top.
    """
    labels = label_map(masks).astype(np.uint16)
    return square(labels, size, cv2.INTER_NEAREST_EXACT)
