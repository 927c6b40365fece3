"""Stage ``prep``: make one data set ready and describe it by a manifest.

At ``mini`` and ``smoke`` scale a built-in data set is a generated world; at ``paper`` scale it is
the real one at ``data_root``. Data sets of the user's (``own_data`` in params.yaml) stay where
they are at every scale. Whichever it is, what reads the manifest cannot tell.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from workbench.datasets.formats import FORMATS, split_fields
from workbench.datasets.manifest import build_manifest
from workbench.errors import BadInput, MissingInput
from workbench.files import atomic_folder, sha256_tree, write_json
from workbench.params import load_params
from workbench.paths import Layout
from workbench.stages.cli import run_stage


def prep(key: str) -> Path:
    """Write the folder ``artifacts/<scale>/data/<key>`` whole and return its manifest's path.

    Raises:
        BadInput: Unknown data set, or a description or annotation file that cannot be used.
        MissingInput: A file or folder that the description names is not there.
    """
    params = load_params()
    layout = Layout(params["scale"])
    manifest = layout.manifest(key)
    built_in, own = params.get("prep") or {}, params.get("own_data") or {}
    if key in built_in and key in own:
        problem = f"{key!r} is the name of a built-in data set"
        raise BadInput("params.yaml", f"own_data.{key}", problem, "choose another name")
    if key not in built_in and key not in own:
        known = ", ".join([*built_in, *own])
        raise BadInput("params.yaml", f"prep.{key}", "unknown data set", f"use one of: {known}")
    if key in own:
        content = describe(key, own[key], Path("."), manifest, f"own_data.{key}", whole=True)
        _write_manifest(manifest, content)
    elif layout.scale == "paper":
        spec = {"root": key, **_spec(layout, key)}
        spec["root"] = str(Path(str(params.get("data_root"))).expanduser() / str(spec["root"]))
        _write_manifest(manifest, describe(key, spec, Path("."), manifest, key, whole=False))
    else:
        from workbench.datasets.worlds import write_world

        write_world(key, _spec(layout, key), manifest.parent)
    return manifest


def describe(
    name: str, spec: dict[str, Any], base: Path, manifest: Path, field: str, *, whole: bool
) -> dict[str, Any]:
    """Return the manifest of data that stay where they are.

    Args:
        name: Name of the data set.
        spec: ``root``, ``format`` and ``splits``: of each ``annotations``, ``images``, ``masks``
            and, to be asserted, ``num_images``; a path may be a list, of which the first that
            exists is taken; or only names, where the real data set's layout is followed.
        base: Folder that a relative ``root`` is relative to.
        manifest: Where the manifest will be; its ``root`` is relative to that folder.
        field: What to call ``spec`` in errors.
        whole: Hash the bytes of images and masks, not only their names and sizes: with it a
            changed photograph is noticed, at the price of reading all of them.

    Raises:
        BadInput: A field is missing, unknown or cannot be used.
        MissingInput: A file or folder is not there.
    """
    where = "params.yaml" if whole else "worlds.yaml"
    for name_of, allowed in (("root", None), ("format", tuple(FORMATS)), ("splits", None)):
        value = spec.get(name_of)
        if not value or (allowed and value not in allowed):
            fix = f"use one of: {', '.join(allowed)}" if allowed else "add it"
            raise BadInput(where, f"{field}.{name_of}", f"is {value!r}", fix)
    unknown = set(spec) - {"root", "format", "splits"}
    if unknown:
        name_of = sorted(unknown)[0]
        raise BadInput(where, f"{field}.{name_of}", "unknown field", "use root, format, splits")
    for split, paths in _named(spec["splits"]).items():
        _check_fields(paths, where, f"{field}.splits.{split}")
    root = base / Path(str(spec["root"])).expanduser()
    if not root.is_dir():
        place = f"{where} {field}.root" if whole else "params.yaml data_root"
        raise MissingInput(root, f"put the data there or correct {place}")
    content = build_manifest(root, spec["format"], spec["splits"], name)
    for entry in content["splits"].values():
        for count, records in (("num_images", "images"), ("num_entities", "annotations")):
            if entry[count] == 0:
                fix = "give a COCO annotation file with labelled images"
                raise BadInput(root / (entry["annotations"] or ""), records, "is empty", fix)
        folders = [root / entry[part] for part in ("images", "masks") if entry.get(part)]
        entry["files_sha256"] = hash_files(folders, whole=whole)
    content["root"] = os.path.relpath(root.resolve(), manifest.parent.resolve())
    return content


def _named(splits: Any) -> dict[str, Any]:
    return splits if isinstance(splits, dict) else {}


def _check_fields(paths: Any, where: str, field: str) -> None:
    if not isinstance(paths, dict):
        problem = f"is {paths!r}"
        raise BadInput(where, field, problem, f"give a mapping of {', '.join(split_fields())}")
    unknown = set(paths) - set(split_fields())
    if unknown:
        fix = f"use {', '.join(split_fields())}"
        raise BadInput(where, f"{field}.{sorted(unknown)[0]}", "unknown field", fix)


def hash_files(folders: list[Path], *, whole: bool) -> str:
    """Return one SHA-256 over the files of some folders: names, and bytes or (fast) sizes."""
    digest = hashlib.sha256()
    for folder in folders:
        if whole:
            digest.update(sha256_tree(folder).encode())
            continue
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _spec(layout: Layout, key: str) -> dict[str, Any]:
    path = Path("configs") / layout.scale / "worlds.yaml"
    if not path.is_file():
        raise MissingInput(path, "restore it from the repository")
    worlds = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if key not in worlds:
        fix = f"add it, or use one of: {', '.join(worlds)}"
        raise BadInput(path, key, "not described", fix)
    return dict(worlds[key])


def _write_manifest(manifest: Path, content: dict[str, Any]) -> None:
    with atomic_folder(manifest.parent) as folder:
        write_json(folder / manifest.name, content)


if __name__ == "__main__":
    sys.exit(run_stage(prep, sys.argv))
