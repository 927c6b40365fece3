"""Fingerprint of a training run: everything that its weights depend on.

Resumable state is kept in a work folder named by it, so that a checkpoint can only be resumed by
the run that wrote it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mmengine.config import Config

from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file, write_json

VERSIONED = ("torch", "numpy", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection")
ALWAYS_USED = ("workbench.engine", "workbench.datasets", "workbench.layers", "workbench.photos")
FOLDER_BYTES_LIMIT = 1 << 30
FILE_NAME = "fingerprint.json"


@dataclass(frozen=True)
class Fingerprint:
    """Parts a run depends on, and who it belongs to (``owner`` is not hashed).

    Attributes:
        parts: config (plain mapping), code and data (name to SHA-256), seed, world_size,
            versions.
        owner: key, scale and project of the run, for messages.
    """

    parts: dict[str, Any]
    owner: dict[str, Any]

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over the parts."""
        text = json.dumps(self.parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def code_sha256(self) -> str:
        """Hexadecimal SHA-256 over the code's part alone."""
        return hashlib.sha256(json.dumps(self.parts["code"], sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        return {"fingerprint": self.digest, **self.owner, "parts": self.parts}


def compute_fingerprint(
    config: Config, seed: int, world_size: int, owner: dict[str, Any]
) -> Fingerprint:
    """Collect what the weights of a run depend on.

    Raises:
        MissingInput: The config names a data manifest or a weights file that is not there.
    """
    plain = json.loads(json.dumps(config.to_dict(), default=repr, sort_keys=True))
    parts = {
        "config": plain,
        "code": code_hashes(imports_of(config)),
        "data": data_hashes(plain),
        "seed": seed,
        "world_size": world_size,
        "versions": {name: _version(name) for name in VERSIONED},
    }
    return Fingerprint(parts, owner)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def imports_of(config: Config) -> list[str]:
    """Return the modules that a config's ``custom_imports`` names."""
    imports = (config.get("custom_imports") or {}).get("imports") or []
    return [imports] if isinstance(imports, str) else list(imports)


def code_hashes(modules: list[str]) -> dict[str, str]:
    """Return package name to SHA-256 of its Python files.

    Of ``projects``, the packages that the given ones import are followed. Installed third-party
    modules are left out: their versions stand for them.
    """
    hashes: dict[str, str] = {}
    waiting = [*ALWAYS_USED, *(_unit(name) for name in modules)]
    while waiting:
        name = waiting.pop()
        files = _python_files(name)
        if name in hashes or not files:
            continue
        digest = hashlib.sha256()
        for relative, path in files:
            text = path.read_bytes()
            digest.update(relative.encode() + b"\0" + hashlib.sha256(text).digest())
            if name not in ALWAYS_USED:
                found = re.findall(rb"^\s*(?:from|import)\s+(projects\.\w+)", text, re.MULTILINE)
                waiting += [match.decode() for match in found]
        hashes[name] = digest.hexdigest()
    return dict(sorted(hashes.items()))


def _unit(module: str) -> str:
    """Return the package that is hashed as one for a module: two levels of ours, else one."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] in ("projects", "workbench") else 1])


def _python_files(name: str) -> list[tuple[str, Path]]:
    """Return (relative name, path) of a module's Python files, sorted; [] if not ours."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return []
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = [(p.relative_to(f).as_posix(), p) for f in folders for p in f.rglob("*.py")]
    if not folders and spec.origin and Path(spec.origin).is_file():
        files = [(Path(spec.origin).name, Path(spec.origin))]
    installed = Path(sysconfig.get_path("purelib"))
    return sorted((relative, p) for relative, p in files if installed not in p.parents)


def manifests_of(plain: Any) -> set[str]:
    """Return the data manifests that a config names."""
    return {str(value) for key, value in _items(plain) if key == "manifest" and value}


def _weights_of(plain: dict[str, Any]) -> set[str]:
    """Return the weights files that a config starts from."""
    found = {plain["load_from"]} if plain.get("load_from") else set()
    for _, value in _items(plain):
        if isinstance(value, dict) and value.get("type") == "Pretrained":
            found.add(value.get("checkpoint"))
    return {str(path) for path in found if path}


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key and value of nested mappings and lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _items(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _items(inner)


def data_hashes(plain: dict[str, Any]) -> dict[str, str]:
    """Return file or folder to SHA-256 for everything a config reads.

    Raises:
        MissingInput: A manifest or weights file is not there.
        BadInput: A manifest is not JSON with splits.
    """
    hashes = {}
    for name in sorted(manifests_of(plain)):
        if not Path(name).is_file():
            dataset = Path(name).parent.name
            raise MissingInput(name, f"make it with the stage prep (`dvc repro prep@{dataset}`)")
        hashes[name] = sha256_file(Path(name))
        hashes.update(_manifest_content(Path(name)))
    for name in sorted(_weights_of(plain)):
        if not Path(name).is_file():
            raise MissingInput(name, "put the weights there or change the config's path")
        hashes[name] = sha256_file(Path(name))
    for name in sorted(_pretrained_of(plain)):
        if not Path(name).is_dir():
            key = Path(name).name
            raise MissingInput(
                name, f"make it with the stage pretrain (`dvc repro pretrain@{key}`)"
            )
        hashes[name] = _folder_hash(Path(name))
    return hashes


def _pretrained_of(plain: Any) -> set[str]:
    """Return the folders of pretrained parts that a config names, see the stage ``pretrain``."""
    texts = (value for _, value in _items(plain) if isinstance(value, str))
    return {text for text in texts if Path(text).parent.name == "pretrained"}


def _manifest_content(manifest: Path) -> dict[str, str]:
    """Return hashes of the files and folders that a manifest lists."""
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        root, splits = manifest.parent / listed["root"], listed["splits"].values()
        names = {split[part] for split in splits for part in ("annotations", "images", "masks")
                 if split.get(part)}  # fmt: skip
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        problem = f"not a data manifest ({type(error).__name__}: {error})"
        raise BadInput(manifest, "content", problem, "run the stage prep again") from error
    hashes = {}
    for name in sorted(names):
        path = root / name
        if path.is_dir():
            hashes[f"{manifest}:{name}"] = _folder_hash(path)
        elif path.is_file():
            hashes[f"{manifest}:{name}"] = sha256_file(path)
        else:
            raise MissingInput(path, f"{manifest} names it; run the stage prep again")
    return hashes


def _folder_hash(folder: Path) -> str:
    """Return a SHA-256 over names and bytes of a folder's files; beyond 1 GiB, names and sizes.

    The bytes of a large real data set would take minutes at every start.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    whole = sum(sizes) <= FOLDER_BYTES_LIMIT
    digest = hashlib.sha256()
    for path, size in zip(files, sizes, strict=True):
        content = sha256_file(path) if whole else str(size)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def claim_work_dir(work_dirs: Path, fingerprint: Fingerprint) -> tuple[Path, str | None]:
    """Return the run's work folder, and what changed if it is new.

    The folder is made with its ``fingerprint.json``, which is written before any checkpoint.

    Returns:
        Work folder, and None or one line that says what differs from the newest work folder of
        the same key, scale and seed.
    """
    folder = work_dirs / fingerprint.digest[:16]
    if (folder / FILE_NAME).is_file():
        return folder, None
    earlier = _newest_of_same_run(work_dirs, fingerprint)
    write_json(folder / FILE_NAME, fingerprint.as_dict())
    if earlier is None:
        return folder, None
    changes = describe_changes(earlier["parts"], fingerprint.parts)
    return folder, f"starting fresh: {changes}"


def _newest_of_same_run(work_dirs: Path, fingerprint: Fingerprint) -> dict[str, Any] | None:
    same = ("key", "scale")
    files = sorted(work_dirs.glob(f"*/{FILE_NAME}"), key=lambda path: -path.stat().st_mtime_ns)
    for path in files:
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            owned = all(content.get(name) == fingerprint.owner.get(name) for name in same)
            if owned and content["parts"]["seed"] == fingerprint.parts["seed"]:
                return content
        except (ValueError, KeyError, TypeError):
            continue
    return None


def describe_changes(old: dict[str, Any], new: dict[str, Any], limit: int = 4) -> str:
    """Return which parts differ, e.g. ``config.optim_wrapper.optimizer.lr 0.1 -> 0.2``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    lines = []
    for name in changed[:limit]:
        part = name.split(".", 1)[0]
        values = f" {before.get(name)!r} -> {after.get(name)!r}"
        lines.append(f"{name} changed" if part in ("code", "data") else name + values)
    more = f" and {len(changed) - limit} more" if len(changed) > limit else ""
    return ", ".join(lines) + more


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values of the leaves of nested mappings; lists are leaves."""
    if not isinstance(value, dict):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
